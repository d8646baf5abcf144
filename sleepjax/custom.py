"""User-defined parts: objects in a Python file, named in a config as ``path/to/my_parts.py:name``.

Wherever a config names a part of the package (a model, decoder, loss, feature, optimiser, ...) it
may name one in a file instead. A run directory keeps a copy of every such file below ``code/``,
with its hash in run.json, and loads its parts from there. What kind of object a part must be is
checked where that kind is used; docs/how-to/own-parts.md has an example of each.
"""

import ast
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sleepjax.config import check_known, nearest
from sleepjax.io import file_hash
from sleepjax.types import InputError

NAME = re.compile(r".+\.py:[A-Za-z_]\w*")
OR_A_FILE = "; or path/to/my_parts.py:name."
"""Ends the text of an error about an unknown name."""
FOLDER = "code"
"""Of a run directory or a release: copies of the files."""

Files = dict[str, str]
"""Name of each copy -> SHA-256 of its contents."""


def is_custom(name: Any) -> bool:
    """Whether a name points into a file."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def file_of(name: str) -> Path:
    """The file of ``my_parts.py:focal``."""
    return Path(name.rpartition(":")[0])


def short(name: str) -> str:
    """The name without folders, ``my_parts.py:focal``; the same wherever the file lies."""
    return f"{file_of(name).name}:{name.rpartition(':')[2]}" if is_custom(name) else name


def find(place: str, name: str, table: Mapping[str, Any]) -> Any:
    """The part of that name: from its file, or from the package's own table.

    ``place`` is the setting that holds the name, as errors call it. Raises InputError for a name
    that is unknown, and for a part that was put into the table from outside: nothing would find it
    when the run is loaded.
    """
    if is_custom(name):
        return load(name, place)
    check_known(_said(place, name), name, table, OR_A_FILE)
    home = str(getattr(table[name], "__module__", "sleepjax"))
    if home.split(".")[0] != "sleepjax":
        raise InputError(
            f"{_said(place, name)} was added to the package's table by {home}, and nothing would "
            "add it when the run is loaded to predict. Write it into a file and name it as "
            f"path/to/my_parts.py:{getattr(table[name], '__name__', name)}."
        )
    return table[name]


def _said(place: str, name: str) -> str:
    return f"{place}={name!r}" if "." in place else f"{place} {name!r}"


def load(name: str, place: str, fits: Callable[[Any], bool] = callable, kind: str = "") -> Any:
    """The object of ``my_parts.py:name``.

    ``fits`` says whether an object can be one, and ``kind`` what it must be, for the error. Raises
    InputError for a file that cannot be loaded and a name that is not there or does not fit.
    """
    path, attribute = file_of(name), name.rpartition(":")[2]
    module = _load(path, place)
    defined = lambda value: isinstance(value, type) or inspect.isfunction(value)
    own = lambda value: not defined(value) or value.__module__ == module.__name__
    known = [k for k, v in vars(module).items() if k[0] != "_" and fits(v) and own(v)]
    found = vars(module).get(attribute)
    if found is None or not fits(found):
        raise InputError(
            f"{place}: {path} has no {kind or 'function or class'} {attribute!r}"
            f"{nearest(attribute, known)} It has: {', '.join(known) or 'none'}."
        )
    return found


def _load(path: Path, place: str) -> ModuleType:
    """The file as a module; the same content is loaded once."""
    if not path.is_file():
        raise InputError(
            f"{place}: the file {str(path)!r} does not exist; a name is one of the package's or "
            "path/to/my_parts.py:name."
        )
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    _check_alone(path, place)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look a class's module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # user-defined code may raise anything
        del sys.modules[name]
        raise InputError(f"{place}: {str(path)!r} cannot be loaded: {_reason(error)}.") from error
    return module


def _module_name(path: Path) -> str:
    return "sleepjax_code_" + file_hash(path)[:16]


def _check_alone(path: Path, place: str) -> None:
    """Raise InputError where a file imports what lies beside it: only the file itself is copied."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{place}: {str(path)!r} cannot be loaded: {error}.") from None
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    froms = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    imported |= {node.module for node in froms if node.module}
    relative = any(node.level for node in froms)
    here = path.parent
    beside = sorted(
        name
        for name in {module.split(".")[0] for module in imported} - {"sleepjax"}
        if (here / f"{name}.py").is_file() or (here / name / "__init__.py").is_file()
    )
    if beside or relative:
        what = ", ".join(beside) or "a module relative to itself"
        raise InputError(
            f"{place}: {path} imports {what}, which lies beside it, and a run directory keeps only "
            "the file that the config names, so the run could not be loaded elsewhere. Put it all "
            "into one file, or install the other as a package."
        )


@contextmanager
def calling(place: str, name: str, doing: str = "") -> Iterator[None]:
    """Raise InputError, with the line, for any error of a part that may be user-defined."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # user-defined code may raise anything
        if not is_custom(name):
            raise
        where = f"{doing}{_line(error, [name])}"
        raise InputError(f"{_said(place, name)} fails{where}: {_reason(error)}") from error


@contextmanager
def calling_any(names: Sequence[str]) -> Iterator[None]:
    """As `calling`, where it is not known which of several parts is at fault."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # user-defined code may raise anything
        parts = ", ".join(map(short, names))
        raise InputError(
            f"the user-defined parts {parts} do not work together: "
            f"{_reason(error)}{_line(error, names)}."
        ) from error


def _line(error: Exception, names: Sequence[str]) -> str:
    """The last line in the file of one of the names that an error went through."""
    # The module's own file: the same content may have been loaded from another folder.
    modules = [sys.modules.get(_module_name(file_of(name))) for name in names if is_custom(name)]
    files = {module.__file__ for module in modules if module}
    at = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    return f" in line {at[-1].lineno}" if at else ""


def _reason(error: BaseException) -> str:
    first = str(error).splitlines()[0].rstrip(".") if str(error) else "no reason"
    return f"{type(error).__name__}: {first}"


def names(settings: Any) -> list[str]:
    """All user-defined names in nested settings, each once."""
    if isinstance(settings, Mapping):
        found = [name for value in settings.values() for name in names(value)]
    elif isinstance(settings, (list, tuple)):
        found = [name for value in settings for name in names(value)]
    else:
        found = [settings] if is_custom(settings) else []
    return list(dict.fromkeys(found))


def renamed(settings: Any, rename: Callable[[str], str]) -> Any:
    """The settings with each user-defined name changed."""
    if isinstance(settings, Mapping):
        return {key: renamed(value, rename) for key, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return type(settings)(renamed(value, rename) for value in settings)
    return rename(settings) if is_custom(settings) else settings


def kept_in(settings: Any, folder: Path) -> Any:
    """The settings with names that point to the copies below ``folder``."""
    return renamed(settings, lambda name: f"{folder / FOLDER / short(name)}")


def relative_to(settings: Any, folder: Path) -> Any:
    """The settings with names relative to a folder, as a file in it holds them."""
    return renamed(settings, lambda name: Path(os.path.relpath(name, folder)).as_posix())


def resolved_from(settings: Any, folder: Path) -> Any:
    """The settings with names that a file in the folder holds, as `relative_to` made them."""
    return renamed(settings, lambda name: f"{folder / name}")


def copy(settings: Any, folder: Path) -> Files:
    """Copy the files of all names below ``folder``, and say what they hold; {} without any.

    Raises InputError where two files have the same name.
    """
    hashes = hashes_of(names(settings))
    for path in {file_of(name) for name in names(settings)}:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / FOLDER / path.name).write_bytes(path.read_bytes())
    return hashes


def hashes_of(found: Sequence[str]) -> Files:
    """Hash of the file of each name; InputError where two that differ are called alike."""
    hashes: Files = {}
    for path in dict.fromkeys(map(file_of, found)):
        if hashes.setdefault(path.name, file_hash(path)) != file_hash(path):
            raise InputError(f"two different files are called {path.name}; rename one of them.")
    return hashes


def check_copies(folder: Path, expected: Files) -> None:
    """Raise InputError unless the copies are there and hold what they did."""
    for name, digest in expected.items():
        path = folder / FOLDER / name
        if not path.is_file() or file_hash(path) != digest:
            what = "was changed" if path.is_file() else "is missing"
            raise InputError(
                f"{path} {what}; it holds parts of what was trained. Restore the file."
            )
