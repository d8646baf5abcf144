"""The sleep regularity index: worked values, days of 23 and 25 hours, the slow reference."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.local_time import local_seconds
from sleepjax.nights import recordings_table, regularity, scored
from sleepjax.nights.regularity import PER_DAY
from sleepjax.nights.scoring import UNKNOWN
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR
from tests.reference import nights as slow
from tests.support.nights import found, meta, row_of

HOUR = STEPS_PER_HOUR


def day(first, last):
    """States of one day, asleep from hour to hour."""
    hours = np.arange(PER_DAY) / 120
    return ((hours >= first) & (hours < last)).astype(np.int8)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([day(0, 8)] * 7, 100),  # the same times every day
        ([day(0, 12), day(12, 24)] * 3, -100),  # always the opposite
        ([day(0, 8), day(1, 9)] * 3, 100 - 200 * 2 / 24),  # an hour later every other day
        ([day(0, 8), day(0, 0)] * 3, 100 - 200 * 8 / 24),  # every other night without sleep
    ],
)
def test_worked_values(days, expected):
    state = np.concatenate(days)
    value, pairs = regularity.phillips(state)
    assert value == pytest.approx(expected) and pairs == len(state) - PER_DAY
    clock = 30 * np.arange(len(state))
    each = regularity.day_pairs(state, clock)
    assert len(each) == len(days) - 1
    assert each[0][0] == pytest.approx(expected) and {share for _, share in each} == {1.0}


def test_sleep_at_random_has_an_index_of_zero():
    state = np.random.default_rng(0).integers(0, 2, 14 * PER_DAY).astype(np.int8)
    assert regularity.phillips(state)[0] == pytest.approx(0, abs=2)


def test_unknown_epochs_are_left_out_and_a_day_of_pairs_is_needed():
    state = np.concatenate([day(0, 8)] * 3)
    state[PER_DAY : 2 * PER_DAY] = UNKNOWN
    assert regularity.phillips(state) == (None, 0)
    state = np.concatenate([day(0, 8)] * 4)
    state[:100] = UNKNOWN
    assert regularity.phillips(state) == (100, 3 * PER_DAY - 100)
    assert regularity.phillips(state[: 2 * PER_DAY - 1]) == (None, PER_DAY - 101)


def test_an_epoch_is_asleep_by_majority_and_begins_at_half_minutes():
    of = meta("2018-08-14 12:00", 1)
    of = of.__class__("s", 20, 0, of.start + 10, of.offsets, {})
    state = np.array([1] * 4 + [1, 1, 1, 0, 0, 0] + [1, 1, 1, 1, 0, 0] + [1] * 4, np.int8)
    epoch, row = regularity.epochs(state, of)
    assert row.tolist() == [4, 10] and epoch.tolist() == [0, 1]
    state[5] = UNKNOWN
    assert regularity.epochs(state, of)[0].tolist() == [UNKNOWN, 1]


@pytest.mark.parametrize("begin", ["2018-11-01 00:00", "2018-03-08 00:00"])
def test_a_change_of_the_clock_leaves_one_of_the_two_at_a_hundred(begin):
    """Sleep by the clock is regular by the clock; 24 hours of time apart it is an hour off once."""
    zone, hours = "America/New_York", 24 * 6
    of = meta(begin, hours, zone)
    date = datetime.fromisoformat(begin)
    sleeps = []
    for k in range(6):
        at = lambda hour, k=k: row_of(of, str(date + timedelta(days=k, hours=hour)), zone)
        sleeps.append((max(0, at(1 if k else 0)), at(7)))
    row = recordings_table(scored(*found(of, sleeps))).row(0, named=True)
    assert row["sri_day_pairs_n"] in (4, 5)
    assert row["sri_day_pairs"] > row["sri"]
    # The first and the last pair have other edges; the rest are alike to minutes.
    assert row["sri_day_pairs"] > 95


def test_of_an_hour_that_comes_twice_the_first_pass_counts():
    """Midnight to midnight with the hour from 1 to 2 twice, asleep in its first pass only."""
    hour = PER_DAY // 24
    first = day(0, 2)
    second = np.concatenate([first[: 2 * hour], np.zeros(hour, np.int8), first[2 * hour :]])
    clock = 30 * np.arange(2 * PER_DAY)
    clock = np.concatenate([clock[: PER_DAY + 2 * hour], clock[PER_DAY + hour :]])
    assert regularity.day_pairs(np.concatenate([first, second]), clock) == [(100, 1.0)]


days_of_states = st.lists(
    st.tuples(st.sampled_from([0, 1, -1]), st.integers(1, 2000)), min_size=1, max_size=6
)


@settings(max_examples=20)
@given(days_of_states, st.integers(0, 2879), st.sampled_from([None, (1, -1), (1, 1), (1, 8)]))
def test_both_versions_are_those_of_the_reference(pieces, begins, change):
    epoch = np.concatenate([np.full(n, value, np.int8) for value, n in pieces])
    n = len(epoch)
    of = meta("2018-08-14 00:00", n / 120, "UTC")
    offsets = ((0, 0),) if change is None else ((0, 0), (6 * (n // 2), 3600 * change[1]))
    of = of.__class__("s", n * 6, 0, of.start + 30 * begins, offsets, {})
    rows = 6 * np.arange(n)
    utc = [datetime.fromtimestamp(of.start + 30 * i, UTC) for i in range(n)]
    expected = slow.sri(dict(zip(utc, epoch.tolist(), strict=True)))
    value, pairs = regularity.phillips(epoch)
    assert pairs == expected[1]
    assert value == (None if expected[0] is None else pytest.approx(expected[0]))
    clock = local_seconds(of, rows)
    local = [datetime.fromtimestamp(int(second), UTC) for second in clock]
    expected_days = slow.sri_days(list(zip(local, epoch.tolist(), strict=True)))
    assert regularity.day_pairs(epoch, clock) == [pytest.approx(pair) for pair in expected_days]


def test_a_recording_says_both():
    of = meta("2018-08-14 12:00", 24 * 4)
    sleeps = [(k * STEPS_PER_DAY + 11 * HOUR, k * STEPS_PER_DAY + 19 * HOUR) for k in range(4)]
    row = recordings_table(scored(*found(of, sleeps))).row(0, named=True)
    assert row["sri"] > 98 and row["sri_pairs_h"] == pytest.approx(72, abs=0.1)
    assert row["sri_day_pairs"] > 98 and row["sri_day_pairs_n"] == 2
