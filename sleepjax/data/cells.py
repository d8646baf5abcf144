"""Cells of csv files: which words stand for nothing, and which text is a whole number."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from sleepjax.tables import read_table, require_columns
from sleepjax.types import InputError

EMPTY_WORDS = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What programs write for a missing value; as the name of a series each is a name."""


LINE = "line"


def present(column: pl.Series) -> pl.Series:
    """Text without spaces around it, null where it is a word for nothing."""
    text = column.str.strip_chars()
    return text.set(text.is_in(EMPTY_WORDS).fill_null(False), None)


def whole_numbers(column: pl.Series) -> pl.Series:
    """Int64 of text or numbers; null where there is none. ``5988.0`` is a whole number too."""
    number = column.cast(pl.Float64, strict=False)
    whole = (number.abs() <= 2**53) & (number == number.round())
    return number.set(~whole.fill_null(False), None).cast(pl.Int64)


def cast(column: pl.Series, dtype: type[pl.DataType]) -> tuple[pl.Series, pl.Series]:
    """(what the cells say, the same as text, whole numbers or numbers; null where it is none)."""
    if dtype == pl.Int64 and column.dtype.is_float():
        return column, whole_numbers(column)
    typed = column.cast(dtype, strict=False)
    if column.dtype != pl.String or typed.null_count() == column.null_count():
        return column, typed
    column = present(column)
    whole = dtype == pl.Int64
    return column, whole_numbers(column) if whole else column.cast(dtype, strict=False)


def read_text(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """Read the csv as text, with ``line``, the line of each row, in front.

    Raises InputError in one line for anything but a csv with these columns.
    """
    table = read_table(path, suffixes=(".csv",), text=True, line=LINE)
    require_columns(table.columns[1:], columns, path.name)
    texts = (table[name] if name == "series_id" else present(table[name]) for name in columns)
    return pl.DataFrame([table[LINE], *texts])


def read_typed(path: Path) -> tuple[pl.DataFrame, pl.Series]:
    """(a table that a person typed, the line of each row), from csv or parquet.

    All columns are text, their names in lower case. Blank lines are left out, and count. Raises
    InputError for anything but a table, and for two columns of one name.
    """
    line = "_line"
    table = read_table(path, text=True, line=line)
    lines = table.drop_in_place(line)
    names = {name: name.strip().lower() for name in table.columns}
    twice = [name for name, n in Counter(names.values()).items() if n > 1]
    if twice:
        raise InputError(f"{path.name}: two columns are called {twice[0]!r}; keep one.")
    return table.cast(pl.String).rename(names), lines


def whole_number_columns(
    table: pl.DataFrame, meaning: Mapping[str, str], source: str
) -> pl.DataFrame:
    """Int64 columns from text; ``5988.0``, which other tools write, is a whole number too.

    ``meaning`` names the columns, and says what an empty one means for the error text. Raises
    InputError for the first value that is no whole number of 0 or more; empty ones stay empty.
    """
    for name, empty in meaning.items():
        wrong = not_whole(table, name)
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise InputError(
                f"{source}, line {table[LINE][row]}: {name} is {table[name][row]!r}; it must be a "
                f"whole number of 0 or more{empty}."
            )
    return table.with_columns(whole_numbers(table[name]) for name in meaning)


def not_whole(table: pl.DataFrame, name: str) -> pl.Series:
    """Where a cell of text says something else than a whole number of 0 or more, bool [N]."""
    number = whole_numbers(table[name])
    return table[name].is_not_null() & ~(number >= 0).fill_null(False)
