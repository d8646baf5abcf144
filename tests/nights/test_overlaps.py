"""Several recordings of one person: the file that says so, overlaps, no sleep counted twice."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.nights import clean, nights_table, people_table, read_people, recordings_table, scored
from sleepjax.nights.overlaps import once, overlap_hours, recorded_twice
from sleepjax.nights.people_file import named
from sleepjax.types import InputError
from tests.support.nights import found, meta, row_of

ZONE = "Europe/London"


def watch(name, begin, hours, sleeps, person="ann", **how):
    """(nights, recordings) of one watch, whose wearer sleeps from and to local times."""
    of = meta(begin, hours, name=name)
    rows = [(row_of(of, a, ZONE), row_of(of, b, ZONE)) for a, b in sleeps]
    one = scored(*found(of, rows))
    tables = nights_table(one, **how), recordings_table(one)
    return tuple(table.with_columns(person=pl.lit(person)) for table in tables)


FIRST, SECOND = (("2018-08-14 23:00", "2018-08-15 07:00"), ("2018-08-15 23:30", "2018-08-16 07:00"))


@pytest.fixture(scope="module")
def both_wrists():
    """Two watches of Ann, the right one for a night only, and one of Bob at the same time."""
    left = watch("left", "2018-08-14 12:00", 48, [FIRST, SECOND])
    right = watch("right", "2018-08-14 18:00", 18, [("2018-08-14 23:10", "2018-08-15 06:50")])
    bob = watch("bob", "2018-08-14 12:00", 24, [FIRST], person="bob")
    return tuple(pl.concat(tables) for tables in zip(left, right, bob, strict=True))


def test_a_sleep_that_two_watches_hold_counts_once(both_wrists):
    nights, recordings = both_wrists
    marked = once(nights.lazy(), recordings).collect()
    twice = marked.filter(pl.col("reasons").str.contains("recorded_twice"))
    (row,) = twice.rows(named=True)
    assert row["series_id"] == "right" and row["onset"].startswith("2018-08-14T23:10")
    assert row["why"] == "recording left has this sleep too"
    assert marked.drop("reasons", "why").equals(nights.drop("reasons", "why"))
    people = people_table(marked, recordings)
    ann, bob = people.rows(named=True)
    assert (ann["recordings"], ann["overlap_h"], ann["clean_nights"]) == (2, 18, 2)
    assert ann["onset_clock_h_mean"] == pytest.approx(23.25)
    assert (bob["recordings"], bob["overlap_h"], bob["clean_nights"]) == (1, 0, 1)


def test_the_clean_one_of_two_stays(both_wrists):
    nights, recordings = both_wrists
    spoilt = (pl.col("series_id") == "left") & (pl.col("date") == "2018-08-14")
    nights = nights.with_columns(
        pl.when(spoilt).then(pl.lit("not_worn")).otherwise("reasons").alias("reasons"),
        pl.when(spoilt).then(pl.lit("3 hours")).otherwise("why").alias("why"),
    )
    marked = once(nights.lazy(), recordings).collect()
    (row,) = marked.filter(pl.col("reasons").str.contains("recorded_twice")).rows(named=True)
    assert row["series_id"] == "left" and row["reasons"] == "not_worn recorded_twice"
    assert row["why"] == "3 hours; recording right has this sleep too"
    assert sorted(clean(marked)["series_id"]) == ["bob", "left", "right"]


def test_one_watch_after_the_other_overlaps_nowhere(both_wrists):
    first = watch("a", "2018-08-14 12:00", 24, [FIRST])
    second = watch("b", "2018-08-15 12:00", 24, [SECOND])
    nights, recordings = (pl.concat(tables) for tables in zip(first, second, strict=True))
    assert once(nights.lazy(), recordings).collect().equals(nights)
    row = people_table(nights, recordings).row(0, named=True)
    assert (row["recordings"], row["clean_nights"], row["overlap_h"]) == (2, 2, 0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=6))
def test_overlaps_are_counted_hour_by_hour(spans):
    moment = lambda hour: f"{datetime(2018, 8, 14) + timedelta(hours=hour):%Y-%m-%dT%H:%M:%S}+0100"
    recordings = pl.DataFrame(
        [("ann", moment(begin), moment(begin + hours)) for begin, hours in spans],
        schema=["person", "begin", "end"], orient="row",
    )  # fmt: skip
    count = [sum(b <= hour < b + n for b, n in spans) for hour in range(80)]
    expected = sum(n > 1 for n in count)
    assert overlap_hours(recordings)["overlap_h"].sum() == expected


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.integers(1, 9), st.booleans()),
        max_size=8, unique_by=lambda one: one[:2],
    )
)  # fmt: skip
def test_what_stays_overlaps_nothing_of_another_recording(windows):
    moment = lambda hour: f"{datetime(2018, 8, 14) + timedelta(hours=hour):%Y-%m-%dT%H:%M:%S}+0100"
    nights = pl.DataFrame(
        [
            ("ann", name, begin, 20.0, "" if good else "not_worn", moment(begin), moment(begin + n))
            for name, begin, n, good in windows
        ],
        schema={"person": pl.String, "series_id": pl.String, "onset_step": pl.Int64,
                "worn_h": pl.Float64, "reasons": pl.String, "onset": pl.String,
                "wakeup": pl.String}, orient="row",
    )  # fmt: skip
    gone = {(name, step): other for name, step, other in recorded_twice(nights).rows()}
    kept = [one for one in windows if one[:2] not in gone]
    meet = lambda a, b: a[0] != b[0] and a[1] < b[1] + b[2] and b[1] < a[1] + a[2]
    assert not any(meet(a, b) for a in kept for b in kept)
    for one in windows:
        if one[:2] in gone:
            assert any(meet(one, b) and b[0] == gone[one[:2]] and b[3] >= one[3] for b in kept)


def test_a_file_of_people_names_recordings_by_series_or_by_file(tmp_path):
    table = pl.DataFrame({"series_id": ["a", "b", "c"], "person": ["a", "b", "c"],
                          "file": ["x/a.csv", "x/b.csv", "c.csv"]})  # fmt: skip
    for text in ("series_id,person\na,ann\nb,ann\n", "Person, file \nann,x/a.csv\nann,x/b.csv\n"):
        (tmp_path / "people.csv").write_text(text)
        people = read_people(tmp_path / "people.csv")
        assert named(table, people)["person"].to_list() == ["ann", "ann", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person\nann\n", "it has no column of recordings; it needs person, and either series_id"),
        ("person,file,series_id\nann,a,a\n", "it has series_id and file; it needs"),
        ("file\na\n", "column 'person' is missing"),
        ("file,person\na,ann\nb,NA\n", "people.csv, line 3: person is empty"),
        ("file,person\n,ann\n", "people.csv, line 2: file is empty"),
        ("file,person\n\na,ann\n,\n,bob\n", "people.csv, line 5: file is empty"),
        ("file,File,person\na,b,ann\n", "people.csv: two columns are called 'file'; keep one"),
        ("file,person\na,ann\na,bob\n", "file 'a' belongs to 'ann' and 'bob'; keep one"),
        ("", "the file is empty"),
    ],
)
def test_files_of_people_that_cannot_be_used(text, message, tmp_path):
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_people(tmp_path / "people.csv")
