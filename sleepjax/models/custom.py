"""A user-defined model: a class in a file, named in a config as ``path/to/my_model.py:MyModel``.

The class is a Flax Linen module. Its fields are the settings that the config's group ``model`` may
hold; fields called ``downsample``, ``features`` and ``dtype`` are filled in. Called with x [B,T,F]
and the keyword ``train``, it returns (logits [B,T',3], named intermediates) for any T, with
T' = ceil(T / downsample). Where loss.worn is above 0 there are 4 logits, the last of which says
whether the watch is worn. docs/how-to/own-model.md has an example.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.config import nearest
from sleepjax.types import CLASSES, WORN, InputError

_FRAMES, _FEATURES = 64, 5


def is_custom(name: str) -> bool:
    """Whether a model's name points into a file."""
    return ":" in name


def file_of(name: str) -> Path:
    """The file of ``my_model.py:MyModel``."""
    return Path(name.rpartition(":")[0])


def load_class(name: str) -> type[nn.Module]:
    """The class of ``my_model.py:MyModel``.

    Raises InputError for a file that cannot be loaded, and a class that is not there or is no
    Linen module.
    """
    path, _, class_name = name.rpartition(":")
    module = _load(Path(path))
    classes = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }
    if class_name not in classes:
        own = [key for key, value in classes.items() if value.__module__ == module.__name__]
        raise InputError(
            f"{path} has no Linen module {class_name!r}{nearest(class_name, own)} "
            f"It has: {', '.join(own) or 'none'}."
        )
    return classes[class_name]


def _load(path: Path) -> ModuleType:
    """The file as a module; the same content is loaded once."""
    if not path.is_file() or path.suffix != ".py":
        raise InputError(
            f"model file {str(path)!r} does not exist or is no Python file; a model's name is one "
            "of the package's or path/to/my_model.py:MyModel."
        )
    name = "sleepjax_model_" + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look a class's module up there
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError) as error:
        del sys.modules[name]
        raise InputError(f"model file {str(path)!r} cannot be loaded: {error}.") from error
    return module


def check_output(
    name: str, model: nn.Module, downsample: int, features: int | None, outputs: int
) -> None:
    """Raise InputError for another output than ``outputs`` logits per frame.

    It takes shapes alone; nothing is computed.
    """
    x = jax.ShapeDtypeStruct((2, _FRAMES * downsample, features or _FEATURES), jnp.float32)
    call = lambda key, x: model.init_with_output({"params": key, "dropout": key}, x, train=False)[0]
    try:
        output = jax.eval_shape(call, jax.random.key(0), x)
    except Exception as error:  # user-defined code may raise anything
        file = sys.modules[type(model).__module__].__file__
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        where = f" in line {lines[-1]}" if lines else ""
        raise InputError(
            f"model {name!r} fails on x {x.shape} with train=False{where}: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}"
        ) from error
    names = (*CLASSES, WORN)[:outputs]
    want = (2, _FRAMES, len(names))
    if not (isinstance(output, tuple) and len(output) == 2 and isinstance(output[1], dict)):
        raise InputError(
            f"model {name!r} returns a {type(output).__name__}; it must return (logits "
            f"[B,T',{len(names)}], dictionary of intermediates, which may be empty)."
        )
    if getattr(output[0], "shape", None) != want:
        raise InputError(
            f"model {name!r} turns x {x.shape} into logits {getattr(output[0], 'shape', None)}; "
            f"they must be {want}: one frame for each {downsample} steps (data.downsample) and "
            f"one logit for each of {', '.join(names)}."
        )
