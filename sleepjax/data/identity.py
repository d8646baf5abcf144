"""A hash that identifies code: no comment changes it, and nobody has to remember to raise it."""

from __future__ import annotations

import ast
import hashlib
import inspect
from types import ModuleType
from typing import Any

from sleepjax.data import clock, events, raw, repair, rest, stretches, zones


def repair_code() -> str:
    """Hash of the code between a file and its validated recordings and events.

    It follows the statements of these modules and the values of their constants. Comments,
    docstrings and layout do not count; a change that only renames does.
    """
    return _hash(raw, clock, zones, repair, rest, events, stretches)


def _hash(*modules: ModuleType) -> str:
    digest = hashlib.sha256()
    for module in modules:
        digest.update(_statements(inspect.getsource(module)).encode())
        named = {name: value for name, value in vars(module).items() if name.isupper()}
        digest.update(
            repr([(name, named[name]) for name in sorted(named) if _is_plain(named[name])]).encode()
        )
    return digest.hexdigest()[:16]


def _statements(source: str) -> str:
    """The source without comments, docstrings and layout."""
    tree = ast.parse(source)
    node: Any
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            text = lambda part: isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
            node.body = [part for part in body if not text(part)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_plain(value: Any) -> bool:
    """Whether the text of a value says all of it."""
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | bytes)
