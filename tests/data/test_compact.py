"""Compact arrays are the arrays they stand for, and small."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data.compact import in_runs, runs_of, true_runs
from sleepjax.data.labels import compacted, make_labels
from tests.reference.labels import dense, events_frame

values = st.lists(st.integers(0, 1), min_size=1, max_size=40)


@given(values, st.integers(-45, 45), st.integers(-45, 45), st.integers(1, 5))
def test_a_slice_of_runs_is_the_slice_of_the_array(values, start, stop, step):
    array = np.array(values)
    rows = slice(start, stop, step)
    np.testing.assert_array_equal(runs_of(array)[rows], array[rows])
    np.testing.assert_array_equal(np.asarray(runs_of(array)), array)


@given(values)
def test_true_runs_cover_what_is_true_and_nothing_else(values):
    array = np.array(values, bool)
    again = np.zeros(len(array), bool)
    for first, stop in true_runs(array):
        assert not again[max(first - 1, 0) : stop].any()
        again[first:stop] = True
    np.testing.assert_array_equal(again, array)
    np.testing.assert_array_equal(in_runs(true_runs(array), len(array)), array)


def test_labels_take_bytes_for_each_night_and_not_for_each_step():
    """Ten bytes for each of the competition's 127,946,340 steps would be 1.3 GB."""
    days, day = 30, 17_280
    nights = {i: (i * day + 9_000, i * day + 14_000) for i in range(days) if i != 7}
    frame = events_frame(nights)
    tracemalloc.start()
    kept = [compacted(make_labels(frame, days * day)) for _ in range(4)]
    used = tracemalloc.get_traced_memory()[0] / 4
    tracemalloc.stop()
    assert used < 100_000 < 10 * days * day
    whole = dense(make_labels(frame, days * day))
    for name in ("asleep", "distance", "known"):
        np.testing.assert_array_equal(getattr(kept[0], name)[5_000:40_000:7],
                                      getattr(whole, name)[5_000:40_000:7])  # fmt: skip
