"""The real 8-day recording with the shipped weights: seven clean nights, two of them by hand."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from sleepjax.data.raw import recordings_from_frame
from sleepjax.nights import clean, nights_table, people_table, recordings_table, scored


@pytest.fixture(scope="module")
def week(shipped, real_recording):
    found = shipped.find(recordings_from_frame(pl.read_parquet(real_recording))[0])
    one = scored(found.recording, found.probabilities, found.windows)
    return found, nights_table(one), recordings_table(one)


def by_hand(found, row):
    """Minutes of the window, asleep and awake, counted step by step from the file's columns."""
    frame = found.recording.frame
    angle = frame["anglez"].to_list()
    worn = [v and p >= 0.5 for v, p in zip(frame["valid"], found.probabilities[:, 3], strict=True)]
    first, end = row["onset_step"], row["wakeup_step"]
    turns = [i for i in range(first - 720, end + 720) if abs(angle[i] - angle[i - 1]) > 5]
    asleep = awake = 0
    for i in range(first, end):
        before = max(turn for turn in turns if turn <= i)
        after = min(turn for turn in turns if turn > i)
        still = after - before > 60
        if worn[i] and still and found.probabilities[i, 0] >= 0.5:
            asleep += 1
        elif worn[i]:
            awake += 1
    return (end - first) / 12, asleep / 12, awake / 12


def test_seven_nights_are_clean(week):
    _, nights, _ = week
    usable = clean(nights)
    assert usable["date"].to_list() == [f"2013-11-{day}" for day in range(14, 21)]
    assert usable["kind"].unique().to_list() == ["main"]
    rest = nights.filter(pl.col("reasons") != "")
    assert rest["kind"].to_list() == ["none", "none"]
    assert rest["reasons"].to_list() == [
        "no_sleep_found recording_too_short",  # the afternoon of the first day
        "no_sleep_found not_worn",  # the watch was posted
    ]


@pytest.mark.parametrize("date", ["2013-11-14", "2013-11-17"])
def test_two_nights_by_hand(week, date):
    found, nights, _ = week
    row = nights.filter(date=date).row(0, named=True)
    spt, tst, waso = by_hand(found, row)
    assert (row["spt_min"], row["tst_min"], row["waso_min"]) == pytest.approx((spt, tst, waso))
    onset, wakeup = (datetime.fromisoformat(row[end]) for end in ("onset", "wakeup"))
    assert (wakeup - onset).total_seconds() == 60 * row["spt_min"]
    hours = onset.hour + onset.minute / 60 + onset.second / 3600
    assert row["onset_clock_h"] == pytest.approx(hours)
    assert row["maintenance_efficiency"] == pytest.approx(tst / (tst + waso))
    middle = onset + (wakeup - onset) / 2
    assert abs((datetime.fromisoformat(row["midpoint"]) - middle).total_seconds()) <= 5


def test_the_person_of_the_week(week):
    _, nights, recordings = week
    row = people_table(nights, recordings).row(0, named=True)
    usable = clean(nights)
    assert (row["clean_nights"], row["clean_weekday"], row["clean_weekend"]) == (7, 5, 2)
    assert row["spt_min_mean"] == pytest.approx(np.mean(usable["spt_min"].to_list()))
    assert row["sri"] > 80 and row["sri_day_pairs_n"] == 5
    assert 0 < row["is"] < 1 and row["l5_start_h"] in (22, 23, 0, 1, 2)
