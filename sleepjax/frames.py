"""Frames are polars; one of another kind that looks like pandas is converted where it enters."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from sleepjax.types import InputError


def as_polars(frame: Any, name: str) -> pl.DataFrame:
    """The frame itself, or the polars frame with the columns of a pandas one; its index is left.

    pandas is not imported: anything with columns that turn into NumPy arrays will do. Raises
    InputError, with ``name`` in the text, for anything else.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    kind = type(frame).__name__
    if isinstance(frame, pl.LazyFrame) or not (
        hasattr(frame, "columns") and hasattr(frame, "__getitem__")
    ):
        raise InputError(
            f"{name} is a {kind}; give a polars DataFrame (collect a LazyFrame) or a pandas one."
        )
    columns = [str(column) for column in frame.columns]
    if len(set(columns)) < len(columns):
        raise InputError(f"{name} has two columns of one name: {', '.join(columns)}.")
    return pl.DataFrame([_column(str(name), frame[name]) for name in frame.columns])


def _column(name: str, values: Any) -> pl.Series:
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.dtype.kind in "biuf":
        return pl.Series(name, array)
    if array.dtype.kind == "M":
        return pl.Series(name, array.astype("datetime64[ms]"))
    # Text, times with a zone, and numbers with gaps; what is missing differs from itself.
    present = [None if _missing(v) else v for v in array.tolist()]
    if all(v is None or isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        return pl.Series(name, present, dtype=pl.Float64)
    text = [getattr(v, "isoformat", lambda v=v: v)() for v in present]
    return pl.Series(name, [None if v is None else str(v) for v in text], dtype=pl.String)


def _missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)
