"""Columns of tables: one declaration of each, from which schema, dictionary and checks follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

REASONS = "reasons"
"""The column that says why a row should not be used; empty where nothing speaks against it."""
WHY = "why"
"""The column that says the same in words, with value and bound."""
IMPOSSIBLE = "impossible_value"
ROUNDING = 1e-6


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


def checked(rows: Sequence[dict], columns: Sequence[Column]) -> pl.DataFrame:
    """The table of rows, without a value that cannot be.

    A value outside of its bounds, or NaN, would be a fault of the program: it becomes null, and
    the row gets the reason `IMPOSSIBLE`, so that it is seen and not used. What rounding adds at a
    bound is taken off.
    """
    return bounded(pl.DataFrame(list(rows), schema=schema(columns), orient="row"), columns)


def bounded(table: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """A table whose impossible values are null, with the reason in its rows; see `checked`."""
    wrong = {c.name: _impossible(c) for c in columns if c.dtype.is_numeric()}
    wrong = {name: expr.fill_null(False) for name, expr in wrong.items()}
    any_wrong = pl.any_horizontal(list(wrong.values()))
    empty = pl.col(REASONS) == ""
    marked = pl.when(empty).then(pl.lit(IMPOSSIBLE)).otherwise(pl.col(REASONS) + f" {IMPOSSIBLE}")
    return table.select(list(schema(columns))).with_columns(
        *(
            pl.when(~wrong[c.name]).then(pl.col(c.name).clip(c.low, c.high)).alias(c.name)
            for c in columns
            if c.name in wrong
        ),
        pl.when(any_wrong).then(marked).otherwise(pl.col(REASONS)).alias(REASONS),
    )


def _impossible(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    wrong = ~value.is_finite() if column.dtype.is_float() else pl.lit(False)
    if column.low is not None:
        wrong = wrong | (value < column.low - ROUNDING)
    if column.high is not None:
        wrong = wrong | (value > column.high + ROUNDING)
    return wrong
