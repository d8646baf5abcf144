"""Configs: Python files with a ``get_config(arg)``, their ``:variant,key=value``, overrides.

A config file is loaded by path, so that it works from scripts, notebooks and a fork alike. The
argument and every override are checked: an unknown name raises with the names that exist.
"""

import ast
import difflib
import importlib.util
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from types import SimpleNamespace
from typing import Any

from ml_collections import ConfigDict

from sleepjax.types import InputError

VARIANTS = ("demo", "tiny")


def from_json(value: Any) -> Any:
    """A ConfigDict from what JSON holds of one; configs know no lists."""
    return ConfigDict(tuples(value))


def tuples(value: Any) -> Any:
    """The value with tuples in place of lists, also inside of it: JSON knows no tuples."""
    if isinstance(value, dict):
        return {k: tuples(v) for k, v in value.items()}
    return tuple(tuples(v) for v in value) if isinstance(value, list) else value


def nearest(name: str, known) -> str:
    """``", did you mean 'x'?"`` for the closest of the known names, else a full stop."""
    match = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.5)
    return f", did you mean {match[0]!r}?" if match else "."


def check_known(said: str, name: str, known: Collection[str], more: str = ".") -> None:
    """Raise InputError, with the nearest of those that are known and all of them, for others.

    ``said`` is how the text calls the name, ``model 'spec9'``; ``more`` ends the text.
    """
    if name not in known:
        names = ", ".join(known) or "none"
        raise InputError(f"{said} is unknown{nearest(name, known)} Known: {names}{more}")


def shown(value: Any) -> str:
    """A setting's value in one line; of a group its settings."""
    return repr(value.to_dict() if isinstance(value, ConfigDict) else value)


def fits(value: Any, kind: type) -> bool:
    """Whether a value is of that type; a whole number is a float, and true is no number."""
    whole = kind is float and isinstance(value, int)
    return (isinstance(value, kind) or whole) and isinstance(value, bool) == (kind is bool)


def check_type(place: str, value: Any, default: Any) -> None:
    """Raise InputError for a value, or an item of a list, of another type than the default's.

    Items of a list whose default is empty are text.
    """
    kind = type(default)
    if not fits(value, kind):
        raise InputError(
            f"{place}={shown(value)} must be of type {kind.__name__}, like {default!r}."
        )
    of = type(default[0]) if isinstance(default, tuple) and default else str
    for item in value if kind is tuple else ():
        if not fits(item, of):
            raise InputError(f"{place}={value!r}: {item!r} must be of type {of.__name__}.")


def parse_arg(arg: str | None, **defaults: bool | int | float | str) -> SimpleNamespace:
    """Parse ``"demo,fold=1"`` against typed defaults; variants are booleans switched on by name.

    Every config understands the variants ``demo`` (minutes on two CPU cores) and ``tiny``
    (seconds). Raises InputError for an unknown name or a value of the wrong type.
    """
    values: dict[str, Any] = dict.fromkeys(VARIANTS, False) | defaults
    for item in filter(None, (arg or "").split(",")):
        name, has_value, text = item.partition("=")
        setting = f" A setting is given as --config.{item}." if "." in name else ""
        check_known(f"config argument {name!r}", name, values, f".{setting}")
        if not has_value and not isinstance(values[name], bool):
            example = f"{name}={values[name]}"
            raise InputError(f"config argument {name!r} needs a value, for example {example}.")
        values[name] = _typed(name, text, values[name]) if has_value else True
    if values["demo"] and values["tiny"]:
        raise InputError("demo and tiny are two sizes of a config; give one of them.")
    return SimpleNamespace(**values)


def _typed(name: str, text: str, default: Any) -> Any:
    """Read text as the type of the default it replaces."""
    if isinstance(default, bool):
        choices = {"true": True, "1": True, "false": False, "0": False}
        if text.lower() not in choices:
            raise InputError(f"{name}={text!r} must be true or false.")
        return choices[text.lower()]
    try:
        return type(default)(text)
    except ValueError:
        kind = type(default).__name__
        raise InputError(f"{name}={text!r} must be of type {kind}, like {default!r}.") from None


def load_config(spec: str | Path, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """Load ``"configs/spec2d.py:demo,fold=1"`` and apply ``{"optim.lr": 1e-3}`` on top.

    Returns a locked ConfigDict. Raises InputError for a missing file, an unknown argument, an
    unknown override key or a value of the wrong type.

    Examples:
      >>> config = load_config("configs/spec1d.py:tiny", {"optim.lr": 2e-3})
      >>> config.optim.lr, config.total_steps
      (0.002, 4)
      >>> load_config("configs/spec1d.py", {"optim.rl": 1e-3})
      Traceback (most recent call last):
      ...
      sleepjax.types.InputError: config has no 'optim.rl', did you mean 'lr'? ...
    """
    path, _, arg = str(spec).partition(":")
    if not Path(path).is_file():
        raise InputError(
            f"config file {path!r} does not exist; give a path like configs/spec2d.py."
        )
    module_spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if module_spec is None or module_spec.loader is None:
        raise InputError(f"config file {path!r} is no Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(module_spec)
    with _user_code(path):
        module_spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise InputError(f"config file {path!r} has no get_config(arg) function.")
    with _user_code(path):
        config = module.get_config(arg or None)
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise InputError(f"get_config of {path!r} returned a {kind}; it must return a ConfigDict.")
    for key, value in (overrides or {}).items():
        override(config, key, value)
    return config.lock()


@contextmanager
def _user_code(path: str) -> Iterator[None]:
    """Raise InputError, with the line, for whatever a config file raises."""
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        trace = extract_tb(error.__traceback__)
        lines = [at.lineno for at in trace if at.filename == os.path.abspath(path)]
        where = f", line {lines[-1]}," if lines else ""
        raise InputError(
            f"config file {path!r}{where} cannot be loaded: {type(error).__name__}: {error}."
        ) from error


def load_from_arguments(spec: str, arguments: Sequence[str]) -> ConfigDict:
    """`load_config` with overrides as a command line has them: ``--config.optim.lr=1e-3``."""
    config = load_config(spec).unlock()
    for item in arguments:
        name, has_value, text = item.partition("=")
        if not name.startswith("--config.") or not has_value:
            raise InputError(
                f"{item!r} is not understood; settings are written --config.optim.lr=1e-3."
            )
        override_from_text(config, name.removeprefix("--config."), text)
    return config.lock()


def override(config: ConfigDict, key: str, value: Any) -> None:
    """Set one dotted key that must exist, keeping its type (an int may replace a float)."""
    rest = key.split(".")
    node: Any = config
    for i, name in enumerate(rest):
        if not isinstance(node, ConfigDict) or name not in node:
            known = list(node) if isinstance(node, ConfigDict) else []
            raise InputError(
                f"config has no {key!r}{nearest(name, known)} "
                f"{'.'.join(rest[:i]) or 'The top level'} holds: {', '.join(known)}."
            )
        if i < len(rest) - 1:
            node = node[name]
    old = node[rest[-1]]
    if isinstance(old, ConfigDict):
        raise InputError(f"{key!r} is a group; set one of {key}.{{{','.join(old)}}}.")
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(old, tuple) and isinstance(value, list):
        value = tuple(value)
    if old is not None and type(value) is not type(old):
        raise InputError(
            f"{key}={value!r} is of type {type(value).__name__}; "
            f"it must be of type {type(old).__name__}, like {old!r}."
        )
    node[rest[-1]] = value


def override_from_text(config: ConfigDict, key: str, text: str) -> None:
    """`override` with a value typed on a command line: ``2e-4``, ``true``, ``(64,128)``, ``x``."""
    try:
        value: Any = ast.literal_eval({"true": "True", "false": "False"}.get(text.lower(), text))
    except (ValueError, SyntaxError):
        value = text
    try:
        override(config, key, value)
    except InputError:
        # A string setting may look like a number: data.root=2024.
        if isinstance(value, str) or not isinstance(flat(config.to_dict()).get(key), str):
            raise
        override(config, key, text)


def flat(settings: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested settings as ``optim.lr`` -> value; an empty group has no entry."""
    found: dict[str, Any] = {}
    for key, inner in settings.items():
        place = f"{path}{key}"
        found |= flat(inner, f"{place}.") if isinstance(inner, Mapping) else {place: inner}
    return found
