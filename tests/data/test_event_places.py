"""The place of each event on the grid of its recording, by step and by time."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.types import InputError
from tests.reference.series import START, nights, rows
from tests.support.events import GOOD, locate, metas


def test_overlapping_nights():
    frame = nights("a1", [(20, 30), (120, 600), (500, 900), (899, 1000), (1000, 1100)])
    message = r"'a1' night 3 begins \(step 500\) before night 2 ends \(step 600\); correct .*both"
    with pytest.raises(InputError, match=message):
        locate(frame)
    counts = Counter(n_labelled=5)
    found = locate(frame, drop_bad=True, counts=counts)
    assert found["step"].to_list() == [20, 30, *[None] * 6, 1000, 1100]
    assert (counts["n_dropped"], counts["n_labelled"], counts["n_unlabelled"]) == (3, 2, 3)
    two = pl.concat([nights("a1", [(120, 600)]), nights("b2", [(500, 900)])])
    assert locate(two, metas(rows(2400), rows(2400, "b2"))).equals(two)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=8))
def test_overlapping_nights_equal_a_comparison_of_all_pairs(spans):
    spans = [(onset, onset + length) for onset, length in spans]
    shares = [
        any(a < d and c < b for j, (c, d) in enumerate(spans) if j != i)
        for i, (a, b) in enumerate(spans)
    ]
    found = locate(nights("a1", spans), drop_bad=True)
    onsets = found.filter(event="onset")["step"].to_list()
    assert onsets == [None if bad else span[0] for span, bad in zip(spans, shares, strict=True)]


def test_steps_that_agree_are_unchanged():
    assert locate(GOOD).equals(GOOD)
    assert locate(GOOD.with_columns(timestamp=pl.lit(None, pl.String)))["step"].equals(GOOD["step"])


def test_events_of_unknown_series():
    frame = pl.concat([GOOD] + [nights(f"x{i:02d}", [(1, 2)]) for i in range(12)])
    with pytest.raises(
        InputError, match="12 series have events but no recording: x00, .*x09, ...;"
    ):
        locate(frame)
    counts = Counter()
    assert locate(frame, drop_bad=True, counts=counts).equals(GOOD)
    assert counts["n_unknown_series"] == 12
    assert locate(frame, left_out=[f"x{i:02d}" for i in range(12)]).equals(GOOD)
    assert locate(nights("x1", [(1, 2)]), drop_bad=True).is_empty()


@pytest.mark.parametrize("span", [(120, 2400), (-1, 600), (9999, 99999)])
def test_event_outside_the_recording(span):
    frame = nights("a1", [span, (1200, 1800)])
    with pytest.raises(InputError, match="night 1 .* lies outside the recording.*steps 0 to 2399"):
        locate(frame)
    counts = Counter()
    found = locate(frame, drop_bad=True, counts=counts)
    assert found["step"].to_list() == [None, None, 1200, 1800]
    assert counts["n_dropped"] == 1


def test_event_off_the_grid():
    frame = nights("a1", [(120, 600)], start=START + timedelta(seconds=2))
    with pytest.raises(InputError, match=r"onset \(step 120, .*\) lies between two steps"):
        locate(frame)


def test_a_recording_that_began_off_the_5_s_clock_takes_the_nearest_step():
    """The device began at 15:30:02; annotators name whole minutes."""
    known = metas(rows(2400, start=START + timedelta(seconds=2)))
    assert locate(GOOD, known)["step"].equals(GOOD["step"])
    later = nights("a1", [(120, 600)], start=START + timedelta(seconds=1))
    with pytest.raises(InputError, match="lies between two steps"):
        locate(later, known)


def test_step_and_timestamp_that_disagree():
    frame = GOOD.with_columns(pl.col("step") + 12)
    with pytest.raises(InputError, match="step and a timestamp that name different moments"):
        locate(frame)


def test_unreadable_timestamp_of_an_event():
    frame = GOOD.with_columns(timestamp=pl.when(pl.col("step") > 0).then(pl.lit("soon")))
    with pytest.raises(InputError, match="train_events.csv: series 'a1', line 2: timestamp 'soon'"):
        locate(frame)
    frame = pl.concat([nights("b2", [(120, 600)]), GOOD[:5], frame[5:]])
    with pytest.raises(InputError, match="series 'a1', line 9: timestamp 'soon'"):
        locate(frame, metas(rows(2400), rows(2400, "b2")))


def test_a_gap_with_steps_renumbered_is_located_by_time():
    whole = rows(2400)
    cut = pl.concat([whole[:700], whole[1000:]])
    known = metas(cut.with_columns(step=pl.int_range(2100, dtype=pl.UInt32)))
    frame = GOOD.with_columns(
        pl.when(pl.col("step") > 1000).then(pl.col("step") - 300).otherwise("step")
    )
    assert locate(frame, known)["step"].to_list() == [120, 600, None, None, 1200, 1800]
    with pytest.raises(InputError, match="no timestamp, and the steps of its recording disagree"):
        locate(frame.with_columns(timestamp=pl.lit(None, pl.String)), known)


def test_first_step_and_finer_sampling():
    known = metas(rows(2400).with_columns(pl.col("step") + 500))
    frame = GOOD.with_columns(pl.col("step") + 500)
    assert locate(frame, known).equals(frame)
    known = metas(rows(7000, seconds=1))
    fine = nights("a1", [(120, 600)]).with_columns(pl.col("step") * 5)
    assert locate(fine, known)["step"].to_list() == [120, 600]


def test_naive_events_in_both_passes_of_a_repeated_hour():
    """01:20 is there twice on that night; the step says which one is meant."""
    start = datetime(2018, 11, 4, 5, 0, tzinfo=UTC)
    wanted = nights("a1", [(240, 960), (970, 1000)], start=start)
    naive = pl.col("timestamp").str.slice(0, 19)
    local = [s if s < 720 else s - 720 for s in wanted["step"]]  # one hour less on the wall clock
    texts = nights("a1", [tuple(local[:2]), tuple(local[2:])], start=start)["timestamp"]
    frame = wanted.with_columns(timestamp=texts).with_columns(naive)
    found = locate(frame, metas(rows(1440, start=start)), tz="America/New_York")
    assert found["step"].to_list() == [240, 960, 970, 1000]


def test_events_in_utc_and_events_that_contradict_the_zone():
    utc = GOOD.with_columns(timestamp=nights("a1", [(120, 600), (None, None), (1200, 1800)],
                                             offset=0)["timestamp"])  # fmt: skip
    assert utc["timestamp"][0] == "2018-08-14T15:40:00+0000"
    assert locate(utc, tz="America/New_York")["step"].equals(GOOD["step"])
    assert locate(utc)["step"].equals(GOOD["step"])
    with pytest.raises(InputError, match="line 2: .*at UTC-04:00, but tz='Europe/London'"):
        locate(GOOD, tz="Europe/London")


def test_naive_event_timestamps_use_the_zone():
    frame = GOOD.with_columns(pl.col("timestamp").str.slice(0, 19))
    assert locate(frame, tz="America/New_York")["step"].equals(GOOD["step"])
    with pytest.raises(InputError, match="no UTC offset"):
        locate(frame)


@given(st.data())
def test_locating_by_time_equals_arithmetic(data):
    """Whatever the offset an event's timestamp is written in, its row is elapsed time / 5 s."""
    n = data.draw(st.integers(3, 5000))
    start = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(
        seconds=5 * data.draw(st.integers(0, 10**7))
    )
    first = data.draw(st.integers(0, 10**5))
    onset = data.draw(st.integers(0, n - 2))
    wakeup = data.draw(st.integers(onset + 1, n - 1))
    offset = data.draw(st.integers(-40, 40)) * 900
    meta = metas(rows(1, start=start))["a1"]
    meta = type(meta)(**(vars(meta) | {"n_steps": n, "first_step": first}))
    frame = nights("a1", [(onset, wakeup)], start=start, offset=offset)
    for given_frame in (frame, frame.with_columns(timestamp=pl.lit(None, pl.String))):
        numbered = given_frame.with_columns(pl.col("step") + first)
        assert locate(numbered, {"a1": meta})["step"].to_list() == [onset + first, wakeup + first]
