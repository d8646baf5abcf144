"""Columns of tables: one declaration of each, from which schema, dictionary and checks follow."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

REASONS = "reasons"
"""The column that says why a row should not be used; empty where nothing speaks against it."""
WHY = "why"
"""The column that says the same in words, with value and bound."""
IMPOSSIBLE = "impossible_value"
ROUNDING = 1e-6
AT_ONCE = 10_000
"""Rows of a large table that are checked together."""


@dataclass(frozen=True)
class Column:
    """What one column of a table holds."""

    name: str
    dtype: type[pl.DataType]
    unit: str
    """``""`` for names, texts and yes or no."""
    definition: str
    source: str = ""
    """Where the definition is from; ``""``: it is ours."""
    low: float | None = None
    """The least possible value."""
    high: float | None = None


def schema(columns: Sequence[Column]) -> dict[str, type[pl.DataType]]:
    """Name -> type, in the order of the table."""
    return {column.name: column.dtype for column in columns}


def checked(rows: Iterable[dict], columns: Sequence[Column]) -> pl.DataFrame:
    """The table of rows, without a value that cannot be.

    A value outside of its bounds, or NaN, would be a fault of the program: it becomes null, and
    the row gets the reason `IMPOSSIBLE`, so that it is seen and not used. What rounding adds at a
    bound is taken off.
    """
    numbers = [
        (c.name, -math.inf if c.low is None else c.low, math.inf if c.high is None else c.high)
        for c in columns
        if c.dtype.is_numeric()
    ]
    possible = [_possible(row, numbers) for row in rows]
    return pl.DataFrame(possible, schema=schema(columns), orient="row")


def bounded(table: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """A table whose impossible values are null, with the reason in its rows; see `checked`."""
    parts = table.select(list(schema(columns))).iter_slices(AT_ONCE)
    return pl.concat([checked([], columns), *(checked(p.to_dicts(), columns) for p in parts)])


def _possible(row: dict, numbers: Sequence[tuple[str, float, float]]) -> dict:
    """The row; polars would take longer to plan this than a few rows take."""
    kept, wrong = dict(row), False
    for name, low, high in numbers:
        value = row.get(name)
        if value is None:
            continue
        if math.isfinite(value) and low - ROUNDING <= value <= high + ROUNDING:
            kept[name] = min(max(value, low), high)
        else:
            kept[name], wrong = None, True
    if wrong:
        kept[REASONS] = f"{row[REASONS]} {IMPOSSIBLE}".strip()
    return kept
