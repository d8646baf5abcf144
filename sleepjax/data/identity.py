"""Identity of code and of features: hashes and values that change with what they stand for.

No comment changes them, and nobody has to remember to raise a number.
"""

import ast
import hashlib
import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from sleepjax import custom
from sleepjax.data import clock, events, features, plausible, raw, repair, rest, stretches, zones
from sleepjax.data.recording import Recording
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, SeriesMeta


def repair_code() -> str:
    """Hash of the code between a file and its validated recordings and events.

    It follows the statements of these modules and the values of their constants. Comments,
    docstrings and layout do not count; a change that only renames does.
    """
    return _hash(raw, clock, zones, repair, plausible, rest, events, stretches)


def probe(names: Sequence[str]) -> dict[str, list[float]]:
    """Values of each feature on a fixed made-up recording of 25 hours, the last like the first.

    They change where a definition does, and unlike a hash of `definitions` are the same with every
    version of polars.
    """
    n, t = 25 * STEPS_PER_HOUR, np.arange(25 * STEPS_PER_HOUR)
    active, source = t // 500 % 2, t % STEPS_PER_DAY
    signals = {
        "anglez": (60 * np.sin(source / 97) * active + source * 7919 % 13 / 10).astype(np.float32),
        "enmo": (0.002 + source * 104_729 % 1000 / 5000 * active).astype(np.float32),
    }
    meta = SeriesMeta("probe", n, 0, 1_540_000_000, ((0, 0),), {})
    made_up = Recording(meta, t % 1000 < 990, signals)
    x = features.compute(made_up, names)[::509]
    values = lambda f: [round(float(v), 5) for v in x[:, f]]
    return {custom.short(name): values(f) for f, name in enumerate(names)}


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
