"""Declarations of columns: checks that follow from them, and the data dictionary."""

import math
import runpy

import polars as pl
import pytest

from sleepjax.nights import dictionary
from sleepjax.nights.columns import IMPOSSIBLE, REASONS, WHY, Column, checked
from sleepjax.nights.dictionary import FILE, TABLES

COLUMNS = (
    Column("share", pl.Float64, "0 to 1", "A share.", "", 0, 1),
    Column("count", pl.Int64, "", "A count.", "", 0),
    Column("free", pl.Float64, "", "Anything finite."),
    Column(REASONS, pl.String, "", "Codes."),
)


@pytest.mark.parametrize(
    ("values", "kept", "reasons"),
    [
        ((0.0, 0, -1e9), (0.0, 0, -1e9), ""),
        ((1.0, 5, None), (1.0, 5, None), ""),
        ((1 + 1e-9, 5, 0.0), (1.0, 5, 0.0), ""),
        ((-1e-9, 5, 0.0), (0.0, 5, 0.0), ""),
        ((1.01, 5, 0.0), (None, 5, 0.0), IMPOSSIBLE),
        ((-0.01, -1, math.inf), (None, None, None), IMPOSSIBLE),
        ((math.nan, 1, math.nan), (None, 1, None), IMPOSSIBLE),
    ],
)
def test_impossible_values_never_leave_the_program(values, kept, reasons):
    row = dict(zip(("share", "count", "free"), values, strict=True))
    table = checked([row | {REASONS: ""}, row | {REASONS: "not_worn"}], COLUMNS)
    assert table.row(0) == (*kept, reasons)
    assert table[REASONS][1] == f"not_worn {reasons}".strip()


def test_no_rows_are_a_table_too():
    assert checked([], COLUMNS).schema == {
        "share": pl.Float64, "count": pl.Int64, "free": pl.Float64, REASONS: pl.String,
    }  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_defined_and_every_number_has_bounds_or_needs_none(name):
    _, columns = TABLES[name]
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    assert name == "status" or [n for n in names if n not in (WHY, FILE.name)][-1] == REASONS
    for column in columns:
        assert column.definition.endswith("."), column.name
    shares = [column for column in columns if column.unit == "0 to 1"]
    assert all((column.low, column.high) == (0, 1) for column in shares)
    amounts = [column for column in columns if column.unit in ("min", "h", "mg")]
    assert [column.name for column in amounts if None in (column.low, column.high)] == []


def test_the_dictionary_lists_every_column_and_code():
    table = dictionary.dictionary()
    for name, (_, columns) in TABLES.items():
        listed = table.filter(pl.col("table") == name, pl.col("type") != "reason code")
        assert listed["column"].to_list() == [column.name for column in columns]
    codes = table.filter(type="reason code")
    assert {"not_worn", "no_clean_night", "asleep_before_bed"} <= set(codes["column"])
    assert (table["definition"] != "").all()


def test_the_page_is_up_to_date(project):
    page = (project / "docs" / "data-dictionary.md").read_text()
    script = runpy.run_path(str(project / "docs" / "figures" / "dictionary.py"))
    assert page == script["page"](), (
        "write it again: python docs/figures/dictionary.py > docs/data-dictionary.md"
    )
