"""The data dictionary: every column of every table and every reason code, from the declarations."""

from collections.abc import Mapping, Sequence

import polars as pl

from sleepjax.nights.columns import Column
from sleepjax.nights.comparison import DIARY
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.people_columns import PEOPLE, RECORDINGS
from sleepjax.nights.reasons import DIARY as DIARY_REASONS
from sleepjax.nights.reasons import NIGHT, PERSON

FILE = Column("file", pl.String, "", "File that the row is of, as path in status.csv.")
"""What `sleepjax process` adds to the columns of nights and recordings."""
STATUS = (
    Column("path", pl.String, "", "File, relative to the folder that holds all inputs."),
    Column("state", pl.String, "", "done: all of the file was used. partial: some of its series "
           "were. failed: nothing of it was. duplicate: it has the content of another file."),
    Column("reason", pl.String, "", "What was not used, and why; clocks that were probably never "
           "set; series that got another name because several files have one of that name."),
    Column("series", pl.Int64, "", "Number of recordings in it that were used.", "", 0),
    Column("nights", pl.Int64, "", "Rows that it has in nights.", "", 0),
    Column("days", pl.Float64, "d", "Length of its recordings together.", "", 0),
    Column("seconds", pl.Float64, "s", "Time that it took to process it, when that was done.", "",
           0),
    Column("sha256", pl.String, "", "Hash of its content; empty where it was not read to its end."),
)  # fmt: skip

TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "nights": (
        "One row for each sleep window, and one for each night without main sleep. "
        "nights_clean holds those rows whose reasons are empty.",
        (*NIGHTS, FILE),
    ),
    "people": (
        "One row for each person of whom there is a recording. Of several recordings, the "
        "regularity and rhythm are means weighted by the hours that each rests on.",
        PEOPLE,
    ),
    "recordings": ("One row for each recording.", (*RECORDINGS, FILE)),
    "diary": ("One row for each row of the diary, beside the main sleep that was found.", DIARY),
    "status": ("One row for each file that was given.", STATUS),
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
