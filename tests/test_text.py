"""Text of results: counts and tables."""

import pytest

from sleepjax.text import columns, counted, first_line, markdown


@pytest.mark.parametrize(
    "n, words, expected",
    [
        (0, ("night",), "0 nights"),
        (1, ("night",), "1 night"),
        (1200, ("night",), "1,200 nights"),
        (1, ("person", "people"), "1 person"),
        (2, ("person", "people"), "2 people"),
    ],
)
def test_counts_have_their_plural(n, words, expected):
    assert counted(n, *words) == expected


def test_columns_are_aligned_and_short_rows_filled_up():
    assert columns([["", "a", "b"], ["name", "1"]]) == ["      a  b", "name  1"]


def test_a_table_in_markdown():
    table = markdown(["setting", "a"], [["x|y", 1]])
    assert table.splitlines() == ["| setting | a |", "|---|---|", r"| x\|y | 1 |"]


def test_an_error_in_one_line():
    assert first_line(ValueError(" no such zone\nat line 3")) == "no such zone"
    assert first_line(ValueError()) == "ValueError"
    assert len(first_line(ValueError("x" * 900))) == 200
