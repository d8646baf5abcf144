"""Cells of csv files: which words stand for nothing, and which text is a whole number."""

from __future__ import annotations

import polars as pl

EMPTY_WORDS = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What programs write for a missing value; as the name of a series each is a name."""


def present(column: pl.Series) -> pl.Series:
    """Text without spaces around it, null where it is a word for nothing."""
    text = column.str.strip_chars()
    return text.set(text.is_in(EMPTY_WORDS).fill_null(False), None)


def whole_numbers(column: pl.Series) -> pl.Series:
    """Int64 of text or numbers; null where there is none. ``5988.0`` is a whole number too."""
    number = column.cast(pl.Float64, strict=False)
    whole = (number.abs() <= 2**53) & (number == number.round())
    return number.set(~whole.fill_null(False), None).cast(pl.Int64)
