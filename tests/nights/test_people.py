"""People: means of clean nights by the slow reference, social jetlag by published examples."""

import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.nights import people_table
from sleepjax.nights.columns import IMPOSSIBLE, REASONS, checked, schema
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.people import statistics
from sleepjax.nights.people_columns import AMOUNTS, CLOCKS, PEOPLE, RECORDINGS
from sleepjax.nights.reasons import PERSON
from tests.reference import nights as slow


def night(onset, hours, *, weekend=False, person="p", kind="main", reasons="", **more):
    """A row of nights."""
    row = {
        "series_id": person, "person": person, "night": 1, "date": "2018-08-14", "kind": kind,
        "weekend": weekend, "onset_clock_h": onset % 24, "wakeup_clock_h": (onset + hours) % 24,
        "midpoint_clock_h": (onset + hours / 2) % 24, "spt_min": 60.0 * hours,
        "tst_min": 50.0 * hours, "waso_min": 10.0 * hours, "maintenance_efficiency": 5 / 6,
        "awakenings": 3, REASONS: reasons,
    }  # fmt: skip
    return row | more


def recording(person="p", **values):
    row = {"series_id": person, "person": person, "sri_pairs_h": 0.0, "sri_day_pairs_n": 0}
    return row | {"rhythm_h": 0.0, REASONS: ""} | values


def people(nights, recordings=None):
    recordings = recordings or [recording(name) for name in sorted({n["person"] for n in nights})]
    table = people_table(checked(nights, NIGHTS), checked(recordings, RECORDINGS))
    assert table.schema == schema(PEOPLE)
    return table


@pytest.mark.parametrize(
    ("work", "free", "jetlag", "corrected"),
    [
        # The examples of sjl_rel and sjl_sc_rel of the R package mctq 0.3.2, of another author.
        ((2, 10), (1, 8), -1.5, -1),
        ((22, 6), (1, 6), 1.5, 0),
        ((0, 8), (1, 9), 1, 1),
        ((1, 7), (1, 9), 1, 0),
        # Across midnight: mid-sleep 02:05 and 23:05.
        ((22 + 1 / 12, 6 + 1 / 12), (19 + 1 / 12, 3 + 1 / 12), -3, -3),
    ],
)
def test_social_jetlag_is_that_of_published_examples(work, free, jetlag, corrected):
    one = lambda ends, weekend: night(ends[0], (ends[1] - ends[0]) % 24, weekend=weekend)
    row = people([one(work, False), one(free, True)]).row(0, named=True)
    assert row["social_jetlag_h"] == pytest.approx(jetlag)
    assert row["social_jetlag_corrected_h"] == pytest.approx(corrected)


def test_means_of_clock_times_go_round_midnight():
    row = people([night(23, 8), night(1, 8), night(0, 8)]).row(0, named=True)
    assert row["onset_clock_h_mean"] % 24 == pytest.approx(0)
    assert row["onset_clock_h_sd"] == pytest.approx(1)
    assert row["wakeup_clock_h_mean"] == pytest.approx(8)
    assert row["social_jetlag_h"] is None and row["spt_min_weekend"] is None


def test_only_clean_main_sleep_counts():
    nights = [
        night(23, 8),
        night(3, 4, reasons="end_not_seen"),
        night(14, 1.5, kind="nap"),
        night(15, 1, kind="nap", reasons="window_not_worn"),
        {**night(0, 0, kind="none", reasons="no_sleep_found not_worn"), "spt_min": None},
    ]
    row = people(nights).row(0, named=True)
    counts = ("nights", "nights_with_sleep", "clean_nights", "clean_weekday", "naps")
    assert [row[name] for name in counts] == [3, 2, 1, 1, 1]
    assert (row["spt_min_mean"], row["spt_min_sd"], row["naps_min"]) == (480, None, 90)
    assert row[REASONS] == ""


def test_a_person_without_a_usable_night_has_a_row_with_reasons():
    nights = [
        night(23, 8, person="a", reasons="not_worn end_not_seen"),
        night(23, 8, person="a", reasons="recording_too_short"),
    ]
    table = people(nights, [recording("a"), recording("b")])
    assert table["person"].to_list() == ["a", "b"]
    codes = table[REASONS].to_list()
    assert codes[0] == "no_clean_night recording_too_short not_worn end_not_seen"
    assert codes[1] == "no_clean_night" and table["nights"][1] == 0
    assert all(code in PERSON for cell in codes for code in cell.split())
    assert table["spt_min_mean"].null_count() == 2


def test_several_recordings_of_a_person_are_weighted_by_what_they_rest_on():
    two = [
        recording(sri=80.0, sri_pairs_h=30.0, rhythm_h=48.0, ra=0.5, l5_start_h=23.0),
        recording(sri=60.0, sri_pairs_h=10.0, rhythm_h=48.0, ra=0.7, l5_start_h=1.0),
        recording(),
    ]
    row = people([night(23, 8)], two).row(0, named=True)
    assert row["recordings"] == 3 and row["sri_pairs_h"] == 40
    assert row["sri"] == pytest.approx(75) and row["ra"] == pytest.approx(0.6)
    assert row["l5_start_h"] % 24 == pytest.approx(0) and row["sri_day_pairs"] is None


# Clock times within ten hours of each other: opposite ones have no mean.
nights_of = st.tuples(
    st.floats(0, 24),
    st.lists(
        st.tuples(st.floats(0, 6), st.floats(2, 6), st.booleans(), st.sampled_from(["a", "b"])),
        min_size=1,
        max_size=12,
    ),
)


def same(got, expected, name):
    """Whether two numbers or nulls agree, clock times on their circle."""
    if got is None or expected is None:
        return got is expected
    apart = (got - expected + 12) % 24 - 12 if name in CLOCKS else got - expected
    return abs(apart) < 1e-6


@given(nights_of)
def test_statistics_are_those_of_the_reference(drawn):
    base, each = drawn
    rows = [night(base + on, long, weekend=free, person=who) for on, long, free, who in each]
    table = checked(rows, NIGHTS)
    for row in statistics(table).iter_rows(named=True):
        mine = table.filter(person=row["person"])
        parts = {"mean": mine, "weekday": mine.filter(~pl.col("weekend"))}
        parts["weekend"] = mine.filter("weekend")
        for name in (*CLOCKS, *AMOUNTS):
            mean, sd = (slow.clock_mean, slow.clock_sd) if name in CLOCKS else (slow.mean, slow.sd)
            for of, part in parts.items():
                assert same(row[f"{name}_{of}"], mean(part[name].to_list()), name), (name, of)
            assert same(row[f"{name}_sd"], sd(mine[name].to_list()), ""), name
        middle = (row[f"midpoint_clock_h_{of}"] for of in ("weekday", "weekend"))
        assert same(row["social_jetlag_h"], slow.social_jetlag(*middle), "")
    assert IMPOSSIBLE not in " ".join(people(rows)[REASONS])


def test_a_hundred_thousand_nights_take_seconds():
    rows = checked([night(23 + i % 3, 8) for i in range(1000)], NIGHTS)
    many = pl.concat([rows] * 100).with_columns(
        person=pl.int_range(100_000).map_batches(lambda x: (x // 10).cast(pl.String))
    )
    one = checked([recording()], RECORDINGS)
    each = pl.concat([one] * 10_000).with_columns(person=pl.int_range(10_000).cast(pl.String))
    began = time.process_time()
    table = people_table(many, each)
    assert len(table) == 10_000 and time.process_time() - began < 20
