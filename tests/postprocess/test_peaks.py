"""Peaks against scipy and a slow oracle."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.postprocess import find_peaks
from sleepjax.postprocess import peaks as module
from sleepjax.postprocess.suppression import unsuppressed
from sleepjax.types import InputError
from tests.reference import peaks as oracle

levels = st.integers(0, 4).map(float)
rough = st.floats(0, 1, width=32)
odd = st.sampled_from([np.nan, np.inf, -np.inf])
signals = st.lists(levels, max_size=60) | st.lists(levels | odd, max_size=60) | st.lists(rough)
heights = st.none() | st.floats(-1, 5)
distances = st.none() | st.floats(1, 20) | st.sampled_from([1, 10**30])


@settings(max_examples=500, deadline=None)
@given(signals, heights, distances)
def test_equals_the_oracle(signal, height, distance):
    got = find_peaks(np.array(signal, np.float64), height, distance)
    assert got.tolist() == oracle.find_peaks(signal, height, distance)
    assert got.dtype == np.int64


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 3),
    st.integers(1, 150),
    st.sampled_from([2, 4, 50, 1000]),
    st.integers(1, 5),
    heights,
    st.none() | st.sampled_from([1, 2, 5.5, 8, 13, 30, 60, 300, 10**30]),
    st.integers(2, 40),
)
def test_blocks_do_not_show(seed, n_rows, n_steps, n_levels, run, height, distance, block):
    """Blocks, chunks and runs so short that every signal meets their borders."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.integers(0, n_levels, (n_rows, n_steps)), run, axis=1) / n_levels * 5
    if seed % 2:
        x = np.cumsum(x - x.mean(), axis=1)
    if seed % 3 == 0:
        x.ravel()[rng.integers(0, x.size, 2)] = rng.choice([np.nan, np.inf, -np.inf], 2)
    expected = [
        [i, p] for i, row in enumerate(x) for p in oracle.find_peaks(row.tolist(), height, distance)
    ]
    sizes = {"BLOCK": block, "SHORTEST": 1 + seed % 8, "SHORT_RUN": 1 + seed % 4}
    sizes |= {"CHUNK": 1 + seed % 200, "CHUNKS_PER_TASK": 1 + seed % 2, "CACHED": 1 + seed % 90}
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items():
            patch.setattr(module, name, size)
        assert find_peaks(x, height, distance).tolist() == expected


def test_height_is_compared_exactly():
    x = np.array([0, 1, 0], np.float32)
    assert find_peaks(x, np.nextafter(1, 2)).tolist() == []
    assert find_peaks(x, 1.0).tolist() == find_peaks(x, np.nextafter(1, 0)).tolist() == [1]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 4)), max_size=60), st.integers(1, 25))
def test_suppression_equals_the_oracle(peaks, distance):
    position = np.cumsum([gap for gap, _ in peaks], dtype=np.int64)
    height = np.array([height for _, height in peaks], np.float64)
    got = position[unsuppressed(position, height, distance)]
    assert got.tolist() == oracle.suppress(position.tolist(), height.tolist(), distance)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), heights, distances)
def test_rows_are_signals_of_their_own(seed, n_steps, height, distance):
    x = np.random.default_rng(seed).integers(0, 3, (8, n_steps)).astype(np.float32)
    found = find_peaks(x, height, distance)
    for i, row in enumerate(x):
        here = found[found[:, 0] == i, 1]
        assert here.tolist() == oracle.find_peaks(row.tolist(), height, distance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("distance", [None, 1, 1.5, 7, 100])
@pytest.mark.parametrize("height", [None, 0.001, 0.5, 0.99])
def test_equals_scipy_where_heights_are_distinct(dtype, distance, height):
    rng = np.random.default_rng(0)
    steps = rng.permutation(20_000).astype(dtype) / 20_000
    for x in (steps, np.repeat(steps[:4000], rng.integers(1, 5, 4000)), np.cumsum(steps - 0.5)):
        expected, _ = scipy.signal.find_peaks(x, height=height, distance=distance)
        np.testing.assert_array_equal(find_peaks(x, height, distance), expected)


def test_equals_scipy_along_long_flanks():
    ramp = np.arange(6000.0) + np.tile([0, 2], 3000)
    for x in (ramp, ramp[::-1], np.r_[ramp, ramp[::-1]] + np.linspace(0, 0.5, 12_000)):
        expected, _ = scipy.signal.find_peaks(x, distance=50)
        np.testing.assert_array_equal(find_peaks(x, distance=50), expected)


@pytest.mark.parametrize(
    "x, peaks",
    [
        ([0, 1, 0], [1]),
        ([0, 1, 1, 0], [1]),
        ([0, 1, 1, 1, 0], [2]),
        ([1, 0, 0, 1], []),
        ([0, 1, 1], []),
        ([1, 1, 0], []),
        ([0, 1, 2, 2, 3, 0], [4]),
        ([0, 1, np.nan, 1, 0], []),
        ([0, 2, 1, np.nan, 1, 3, 0], [1, 5]),
        ([0, 1], []),
        ([], []),
    ],
)
def test_definition(x, peaks):
    assert find_peaks(np.array(x, np.float64)).tolist() == peaks


def test_height_and_distance_are_inclusive():
    x = np.array([0, 3, 0, 2, 0, 1, 0])
    assert find_peaks(x, height=2).tolist() == [1, 3]
    assert find_peaks(x, distance=2).tolist() == [1, 3, 5]
    assert find_peaks(x, distance=2.01).tolist() == [1, 5]


def test_of_equal_peaks_the_earlier_goes_first():
    x = np.tile([0.0, 1.0], 6)
    assert find_peaks(x, distance=3).tolist() == [1, 5, 9]
    assert unsuppressed(np.array([3, 4, 5]), np.array([1.0, 1.0, 2.0]), 2).tolist() == [
        True,
        False,
        True,
    ]


def test_several_signals_at_once():
    x = np.random.default_rng(0).random((2, 3, 50)).astype(np.float32)
    found = find_peaks(x, 0.5, 4)
    assert (x[tuple(found.T)] >= 0.5).all()
    for i in range(2):
        for j in range(3):
            here = (found[:, 0] == i) & (found[:, 1] == j)
            np.testing.assert_array_equal(found[here, 2], find_peaks(x[i, j], 0.5, 4))
    assert find_peaks(x[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"distance": 0.5}, "distance=0.5"),
        ({"distance": np.nan}, "nan"),
        ({"distance": np.inf}, "distance=inf"),
        ({"height": np.nan}, "NaN"),
    ],
)
def test_unusable_arguments(arguments, text):
    with pytest.raises(InputError, match=text):
        find_peaks(np.zeros(5), **arguments)
