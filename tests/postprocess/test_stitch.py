"""Stitching: exact coverage, centre weighting and no shift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from sleepjax.data.windows import eval_starts
from sleepjax.postprocess import stitch
from sleepjax.postprocess.stitch import latest
from sleepjax.types import InputError
from tests.reference import stitch as oracle


def cut(series, starts, size):
    """Windows [N,T,K] of a series [L,K]; what hangs over its ends is filled with nonsense."""
    windows = np.full((len(starts), size, series.shape[1]), 1e6, np.float32)
    for window, start in zip(windows, starts, strict=True):
        rows = np.arange(max(start, 0), min(start + size, len(series)))
        window[rows - start] = series[rows]
    return windows


@pytest.mark.parametrize("trim", [0, 1, 5])
@pytest.mark.parametrize("stride", [1, 3, 7, 10, 19, 20])
@pytest.mark.parametrize("length", [1, 5, 20, 21, 57, 100])
def test_impulse_stays_where_it_is(length, stride, trim):
    size = 20
    stride = min(stride, size - 2 * trim)
    starts = np.arange(0, max(length - size, 0) + stride, stride)
    for at in {0, 1, length // 3, length // 2, length - 2, length - 1} & set(range(length)):
        impulse = np.zeros((length, 2), np.float32)
        impulse[at, 1] = 1
        result = stitch(cut(impulse, starts, size), starts, length, trim=trim)
        assert result.shape == (length, 2) and result.dtype == np.float32
        np.testing.assert_array_equal(result, impulse)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_equals_the_oracle(data):
    size = data.draw(st.integers(1, 12))
    length = data.draw(st.integers(1, 40))
    trim = data.draw(st.integers(0, (size - 1) // 2))
    # Starts that cover the series, and others anywhere.
    first = -data.draw(st.integers(0, size - trim - 1))
    starts = [*range(first, length, size - 2 * trim)]
    starts += data.draw(st.lists(st.integers(-size, length), max_size=12))
    seed = data.draw(st.integers(0, 99))
    windows = np.random.default_rng(seed).random((len(starts), size, 2))
    expected = oracle.stitch(windows, starts, length, trim)
    got = stitch(windows, np.array(starts), length, trim=trim)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_centre_counts_more_than_edge():
    windows = np.stack([np.zeros((9, 1)), np.ones((9, 1))])
    result = stitch(windows, np.array([0, 4]), 13)[:, 0]
    assert (np.diff(result) >= 0).all()
    np.testing.assert_allclose(result[4:9], [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6], rtol=1e-6)


def test_trim_removes_inner_edges_only():
    windows = np.zeros((2, 10, 1))
    windows[:, :2] = windows[:, -2:] = 1
    result = stitch(windows, np.array([0, 6]), 16, trim=2)[:, 0]
    np.testing.assert_array_equal(result, [1, 1] + [0] * 12 + [1, 1])


@pytest.mark.parametrize(
    "starts, length, trim, text",
    [
        ([0, 10], 25, 0, "5 of 25 rows lie in no window, rows 20 to 24"),
        ([2, 10], 20, 0, "rows 0 to 1;"),
        ([0, 10], 20, 1, "stride of at most 8 steps"),
        ([], 5, 0, "5 of 5 rows"),
        ([0], 10, 5, "trim=5"),
        ([0], 10, -1, "trim=-1"),
    ],
)
def test_unusable_windows(starts, length, trim, text):
    with pytest.raises(InputError, match=text):
        stitch(np.zeros((len(starts), 10, 1)), np.array(starts, int), length, trim=trim)


def test_shapes_are_checked_while_tests_run():
    with pytest.raises(TypeCheckError, match="windows"):
        stitch(np.zeros((3, 10)), np.zeros(3, int), 10)


@given(
    st.integers(1, 60),
    st.integers(1, 40),
    st.integers(1, 10),
    st.integers(0, 30),
    st.integers(0, 9),
)
def test_with_a_latency_each_row_has_the_window_that_ended_last_by_then(
    length, size, stride, more, seed
):
    stride = min(stride, size)
    latency = min(stride + more, size)
    starts = eval_starts(length, size, stride, latency)
    windows = np.random.default_rng(seed).random((len(starts), size, 2)).astype(np.float32)
    found = latest(windows, starts, length, stride=stride, latency=latency)
    expected = oracle.latest(starts.tolist(), size, length, stride, latency)
    np.testing.assert_array_equal(found, [windows[window, at] for window, at in expected])
    ends = [starts[window] + size for window, _ in expected]
    assert all(row < end <= row + latency for row, end in enumerate(ends))
