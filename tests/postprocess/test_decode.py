"""Decoders one by one, and their composition."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.local_time import local_seconds
from sleepjax.postprocess import (
    candidates,
    decode_series,
    find_peaks,
    with_timestamps,
)
from sleepjax.postprocess.candidates import Candidates
from sleepjax.postprocess.decode import check_probabilities
from sleepjax.types import (
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    TOLERANCES,
    InputError,
)
from tests.reference import peaks as oracle
from tests.support.decode import START, bumps, meta


def made(pairs):
    position, score = zip(*pairs, strict=True) if pairs else ((), ())
    return Candidates(np.array(position, np.int64), np.array(score, np.float64))


def test_decode_finds_the_events():
    probs = bumps(5000, [(1000, 0.9), (1050, 0.3)], [(3000, 0.5)], width=8)
    events = decode_series(probs, meta(len(probs)), height=0.1)
    assert events.schema == {
        "series_id": pl.String,
        "step": pl.Int64,
        "event": pl.String,
        "score": pl.Float64,
        "beside_unmeasured": pl.Boolean,
    }
    assert events.select("step", "event").rows() == [(1000, "onset"), (3000, "wakeup")]
    assert events["score"].to_list() == pytest.approx([0.9, 0.5])
    for column, event in ((1, "onset"), (2, "wakeup")):
        expected = find_peaks(probs[:, column], 0.1, 100)
        assert events.filter(event=event)["step"].to_list() == expected.tolist()


def test_steps_are_numbered_as_in_the_recording():
    probs = bumps(500, [(100, 0.9)])
    events = decode_series(probs, meta(500, first_step=7000))
    assert events["step"].to_list() == [7100]


def test_nothing_found_is_an_empty_frame():
    events = decode_series(np.zeros((100, 3)), meta(100))
    assert events.is_empty() and events.columns[:4] == ["series_id", "step", "event", "score"]
    assert len(decode_series(np.zeros((1, 3)), meta(1))) == 0
    assert with_timestamps(events, meta(100)).columns[-1] == "timestamp"


def test_rows_without_data_hold_no_event_and_hide_none():
    probs = bumps(2000, [(500, 0.4), (540, 0.9)], width=8)
    valid = np.ones(2000, bool)
    assert decode_series(probs, meta(2000), valid=valid, height=0.1)["step"].to_list() == [540]
    valid[540:590] = False  # the higher one is cut: its flank ends at the last row with data
    assert decode_series(probs, meta(2000), valid=valid, height=0.1)["step"].to_list() == [539]
    valid[520:570], valid[570:] = False, True
    assert decode_series(probs, meta(2000), valid=valid, height=0.1)["step"].to_list() == [500]


def test_soft_keeps_lowered_neighbours():
    probs = bumps(2000, [(500, 0.8), (570, 0.6)], width=8)
    assert decode_series(probs, meta(len(probs)))["step"].to_list() == [500]
    events = decode_series(probs, meta(len(probs)), soft=0.1)
    assert events["step"].to_list() == [500, 570]
    assert events["score"].to_list() == pytest.approx([0.8, 0.06], rel=1e-6)


levels = st.integers(0, 5).map(lambda i: i / 5)


@given(
    st.lists(st.tuples(levels, levels, st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([1, 2.5, 7, 30]),
    st.sampled_from([0.0, 0.3]),
)
def test_candidates_equal_the_oracle(rows, height, distance, soft):
    """Peaks of both classes at once against one sample, and one peak, at a time."""
    onset, wakeup, valid = map(list, zip(*rows, strict=True))
    probs = np.stack([np.zeros(len(rows)), onset, wakeup], axis=-1)
    events = decode_series(
        probs, meta(len(rows)), valid=np.array(valid), height=height, distance=distance, soft=soft
    )
    expected = []
    for event, curve in (("onset", onset), ("wakeup", wakeup)):
        curve = [x if ok else -np.inf for x, ok in zip(curve, valid, strict=True)]
        kept = oracle.find_peaks(curve, height, distance)
        peaks = oracle.find_peaks(curve, height) if soft else kept
        expected += [(i, event, curve[i] * (1 if i in kept else soft)) for i in peaks]
    assert events.select("step", "event", "score").rows() == sorted(expected)


def test_daily_normalisation_shares_a_night_between_its_candidates():
    hours = (6, 8, 30)  # local 22:30, 0:30 and 22:30 of the next day
    found = made([(h * STEPS_PER_HOUR, s) for h, s in zip(hours, (0.3, 0.1, 0.2), strict=True)])
    clock = local_seconds(meta(2 * STEPS_PER_DAY), found.position)
    result = candidates.normalise_daily(found, clock, cut_hour=17.0, constant=0.4)
    np.testing.assert_allclose(result.score, [0.3 / 0.8, 0.1 / 0.8, 0.2 / 0.6])
    np.testing.assert_array_equal(result.position, found.position)
    later_cut = candidates.normalise_daily(found, clock, cut_hour=23.0, constant=0.4)
    np.testing.assert_allclose(later_cut.score, [0.3 / 0.7, 0.1 / 0.7, 0.2 / 0.7])
    nothing = made([])
    assert len(candidates.normalise_daily(nothing, clock[:0], cut_hour=0, constant=1).score) == 0


def test_local_seconds_follow_the_change_of_offset():
    m = meta(100, offsets=((0, -4 * 3600), (50, -5 * 3600)))
    clock = local_seconds(m, np.array([0, 49, 50]))
    assert clock.tolist() == [START - 14400, START - 14400 + 245, START - 18000 + 250]


def minutes_in_reach(offset, tolerance):
    return sum(abs(12 * minute - offset) < tolerance for minute in range(-60, 61))


def test_off_minute_table():
    """Whole minutes strictly within each tolerance, by offset from a whole minute in steps."""
    table = {offset: [minutes_in_reach(offset, t) for t in TOLERANCES] for offset in range(12)}
    assert table[0] == [1, 5, 9, 15, 19, 25, 29, 39, 49, 59]
    assert table[6] == [2, 6, 10, 14, 20, 24, 30, 40, 50, 60]
    for offset in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11):
        assert table[offset] == [2, 6, 10, 15, 20, 25, 30, 40, 50, 60]


@pytest.mark.parametrize("start", [START, START + 5, START + 25, START + 55, START + 3])
def test_snapping_goes_to_the_nearest_quarter_past_or_to(start):
    position = np.arange(100, 160)
    row = candidates.minute_row(meta(200, start=start))
    snapped = candidates.snap_off_minute(Candidates(position, np.ones(60)), row, np.ones(200, bool))
    seconds = (start + 5 * snapped.position) % 60
    assert set(np.minimum(abs(seconds - 15), abs(seconds - 45))) <= {0, 2}  # 2: start off the grid
    assert np.abs(snapped.position - position).max() <= 3
    again = candidates.snap_off_minute(snapped, row, np.ones(200, bool))
    np.testing.assert_array_equal(again.position, snapped.position)


def test_snapping_stays_inside_the_recording():
    found = made([(0, 1.0), (1, 1.0), (8, 1.0), (9, 1.0)])
    snapped = candidates.snap_off_minute(found, 0.0, np.ones(9, bool))
    assert snapped.position.tolist() == [3, 3, 8, 9]
    snapped = candidates.snap_off_minute(made([(0, 1.0)]), 4.0, np.ones(9, bool))
    assert snapped.position.tolist() == [1]


def test_pruning_drops_events_that_cannot_have_a_partner():
    onset = made([(1000, 0.1), (5000, 0.2), (9800, 0.3)])
    wakeup = made([(900, 0.9), (1359, 0.9), (1360, 0.1), (10_000, 0.2)])
    onset, wakeup = candidates.prune_impossible(onset, wakeup)
    assert wakeup.position.tolist() == [1360, 10_000]
    assert onset.position.tolist() == [1000, 5000]
    nothing, kept = candidates.prune_impossible(made([]), wakeup)
    assert len(nothing.position) == 0 and kept.position.tolist() == [1360, 10_000]


def best_pairs(onset, wakeup, longest):
    """Highest total of any set of periods that do not overlap, by trying all sets."""
    periods = [
        (o, w, so * sw)
        for (o, so), (w, sw) in itertools.product(onset, wakeup)
        if candidates.MIN_SLEEP <= w - o <= longest
    ]
    best = 0.0
    for size in range(1, len(periods) + 1):
        for chosen in itertools.combinations(sorted(periods), size):
            if all(a[1] <= b[0] for a, b in itertools.pairwise(chosen)):
                best = max(best, sum(p[2] for p in chosen))
    return best


event_list = st.lists(
    st.tuples(st.integers(0, 12).map(lambda i: 200 * i), st.integers(1, 9).map(lambda i: i / 10)),
    max_size=3,
    unique_by=lambda event: event[0],
).map(sorted)


@settings(max_examples=150, deadline=None)
@given(event_list, event_list, st.sampled_from([600, 1500, 17_280]))
def test_pairing_is_optimal(onset, wakeup, longest):
    first, last = candidates.pair(made(onset), made(wakeup), longest=longest)
    length = last.position - first.position
    assert ((candidates.MIN_SLEEP <= length) & (length <= longest)).all()
    assert (last.position[:-1] <= first.position[1:]).all()
    total = float((first.score * last.score).sum())
    assert total == pytest.approx(best_pairs(onset, wakeup, longest), abs=1e-12)


def test_decoders_compose():
    probs = bumps(
        2 * STEPS_PER_DAY,
        [(3600, 0.6), (3900, 0.2), (21_000, 0.4)],
        [(500, 0.5), (9000, 0.7), (27_000, 0.3)],
    )
    m = meta(2 * STEPS_PER_DAY, first_step=100)
    events = decode_series(probs, m, height=0.05, daily=0.4, prune=True, pair=True, snap=True)
    assert events.select("step", "event").rows() == [
        (3703, "onset"),
        (9103, "wakeup"),
        (21_103, "onset"),
        (27_103, "wakeup"),
    ]
    assert events["score"][0] == pytest.approx(0.6 / (0.6 + 0.2 + 0.4), rel=1e-3)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"probs": np.zeros((10, 2))}, r"shape \(10, 2\)"),
        ({"probs": np.zeros((9, 3))}, r"must be \[T,K\] = \(10, 3\)"),
        ({"probs": np.full((10, 3), np.nan)}, "30 probabilities are NaN"),
        ({"soft": 2.0}, "soft=2.0"),
        ({"daily": 0.0}, "daily=0.0"),
        ({"distance": 0}, "distance=0"),
    ],
)
def test_unusable_arguments(change, text):
    arguments = {"probs": np.zeros((10, 3)), "meta": meta(10)} | change
    with pytest.raises(InputError, match=text):
        decode_series(**arguments)


def test_one_entry_of_valid_for_each_row():
    with pytest.raises(InputError, match="one entry for each of 10 rows"):
        check_probabilities(np.zeros((10, 3)), meta(10), np.ones(9, bool))


def test_timestamps_are_local():
    m = meta(5000, first_step=50, offsets=((0, -4 * 3600), (1000, -5 * 3600), (2000, 19_800)))
    events = pl.DataFrame({"step": [50, 1050, 2051]})
    assert with_timestamps(events, m)["timestamp"].to_list() == [
        "2018-08-14T16:30:00-0400",
        "2018-08-14T16:53:20-0500",
        "2018-08-15T04:46:45+0530",
    ]


def test_no_event_is_reported_where_nobody_wore_the_watch():
    probs = bumps(5000, [(1000, 0.9), (3000, 0.8)], [(2000, 0.5)])
    worn = np.ones((5000, 1), np.float32)
    worn[2900:3010] = 0.49
    worn[1990:2010] = 0.5  # worn: the bound is included
    probs[3010:3200, 0] = 0.9
    events = decode_series(np.hstack([probs, worn]), meta(5000), height=0.1)
    assert events.select("step", "event").rows() == [
        (1000, "onset"),
        (2000, "wakeup"),
        (3010, "onset"),  # the nearest step with the watch on
    ]
    off = np.zeros((5000, 1), np.float32)
    assert decode_series(np.hstack([probs, off]), meta(5000)).is_empty()
    with pytest.raises(InputError, match=r"shape \(5000, 5\).* one column more .* 'worn'"):
        decode_series(np.hstack([probs, off, off]), meta(5000))
