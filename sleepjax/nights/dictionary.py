"""The data dictionary: every column of every table and every reason code, from the declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sleepjax.nights.columns import Column
from sleepjax.nights.comparison import DIARY
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.people_columns import PEOPLE, RECORDINGS
from sleepjax.nights.reasons import DIARY as DIARY_REASONS
from sleepjax.nights.reasons import NIGHT, PERSON

TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "nights": (
        "One row for each sleep window, and one for each night without main sleep. "
        "nights_clean holds those rows whose reasons are empty.",
        NIGHTS,
    ),
    "people": (
        "One row for each person of whom there is a recording. Of several recordings, the "
        "regularity and rhythm are means weighted by the hours that each rests on.",
        PEOPLE,
    ),
    "recordings": ("One row for each recording.", RECORDINGS),
    "diary": ("One row for each row of the diary, beside the main sleep that was found.", DIARY),
}
"""Name -> (what its rows are, its columns)."""
REASONS = {"nights": NIGHT, "people": PERSON, "diary": DIARY_REASONS}
TYPES = {
    pl.String: "text",
    pl.Int64: "whole number",
    pl.Float64: "number",
    pl.Boolean: "true or false",
}


SCHEMA = {
    **dict.fromkeys(("table", "column", "type", "unit"), pl.String),
    **dict.fromkeys(("low", "high"), pl.Float64),
    **dict.fromkeys(("definition", "source"), pl.String),
}


def dictionary() -> pl.DataFrame:
    """The dictionary as a table, to be written beside the results.

    Columns: table, column, type, unit, low, high, definition, source; and a row for each reason
    code, whose type is "reason code".
    """
    rows = [
        vars(column) | {"table": table, "column": column.name, "type": TYPES[column.dtype]}
        for table, (_, columns) in TABLES.items()
        for column in columns
    ]
    rows += [
        {"table": table, "column": code, "type": "reason code", "definition": text}
        for table, codes in REASONS.items()
        for code, text in codes.items()
    ]
    return pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.col(pl.String).fill_null(""))
