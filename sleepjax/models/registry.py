"""A user-defined model: a class in a file, named in a config as ``path/to/my_model.py:MyModel``.

The class is a Flax Linen module. Its fields are the settings that the config's group ``model`` may
hold; fields called ``downsample``, ``features`` and ``dtype`` are filled in. Called with x [B,T,F]
and the keyword ``train``, it returns (logits [B,T',3], named intermediates) for any T, with
T' = ceil(T / downsample). Where loss.worn is above 0 there are 4 logits, the last of which says
whether the watch is worn. docs/how-to/own-model.md has an example.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.config import nearest
from sleepjax.types import CLASSES, WORN, InputError

_FRAMES, _FEATURES = 64, 5
_NO_SETTINGS = ("parent", "name", "downsample", "features", "dtype")


def is_custom(name: str) -> bool:
    """Whether a model's name points into a file."""
    return ":" in name


def file_of(name: str) -> Path:
    """The file of ``my_model.py:MyModel``."""
    return Path(name.rpartition(":")[0])


def build(name: str, settings: Mapping[str, Any], given: Mapping[str, Any]) -> nn.Module:
    """The module of that name with its settings; ``given`` fills in the fields it has of these.

    Raises InputError for a file that cannot be loaded, a class that is not there or is no Linen
    module, a setting that it does not have, and an output of another shape.
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
    fields = {field.name: field.default for field in dataclasses.fields(classes[class_name])}
    known = {key: value for key, value in fields.items() if key not in _NO_SETTINGS}
    for key, value in settings.items():
        if key not in known:
            raise InputError(
                f"model {name!r} has no setting {key!r}{nearest(key, known)} "
                f"Known: {', '.join(known) or 'none'}."
            )
        _check_kind(f"model.{key}", value, known[key])
    absent = [k for k, v in known.items() if v is dataclasses.MISSING and k not in settings]
    absent = [key for key in absent if _has_no_default(classes[class_name], key)]
    if absent:
        raise InputError(f"model {name!r} needs the settings {', '.join(absent)}.")
    values = {key: value for key, value in given.items() if key in fields}
    model = classes[class_name](**settings, **values)
    _check_output(name, model, given)
    return model


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


def _has_no_default(cls: Any, key: str) -> bool:
    (field,) = (field for field in dataclasses.fields(cls) if field.name == key)
    return field.default_factory is dataclasses.MISSING


def _check_kind(what: str, value: Any, default: Any) -> None:
    """Raise InputError where a value is not of its default's type; a whole number may be float."""
    if default is dataclasses.MISSING or default is None or type(value) is type(default):
        return
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return
    raise InputError(
        f"{what}={value!r} must be of type {type(default).__name__}, like {default!r}."
    )


def _check_output(name: str, model: nn.Module, given: Mapping[str, Any]) -> None:
    """Raise InputError for an output of another kind, by shapes alone; nothing is computed."""
    downsample = given["downsample"]
    x = jax.ShapeDtypeStruct((2, _FRAMES * downsample, given["features"] or _FEATURES), jnp.float32)
    call = lambda key, x: model.init_with_output({"params": key, "dropout": key}, x, train=False)[0]
    try:
        output = jax.eval_shape(call, jax.random.key(0), x)
    except Exception as error:  # whatever a person's own lines raise
        file = sys.modules[type(model).__module__].__file__
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        where = f" in line {lines[-1]}" if lines else ""
        raise InputError(
            f"model {name!r} fails on x {x.shape} with train=False{where}: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}"
        ) from error
    names = (*CLASSES, WORN)[: len(given["bias"])]
    want = (2, _FRAMES, len(names))
    if not (isinstance(output, tuple) and len(output) == 2 and isinstance(output[1], dict)):
        raise InputError(
            f"model {name!r} returns a {type(output).__name__}; it must return (logits "
            f"[B,T',{len(names)}], "
            "dictionary of intermediates, which may be empty)."
        )
    if getattr(output[0], "shape", None) != want:
        raise InputError(
            f"model {name!r} turns x {x.shape} into logits {getattr(output[0], 'shape', None)}; "
            f"they must be {want}: one frame for each {downsample} steps (data.downsample) and "
            f"one logit for each of {', '.join(names)}."
        )
