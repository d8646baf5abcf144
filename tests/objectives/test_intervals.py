"""The true intervals of a window, and those that the window cuts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.objectives.intervals import intervals_of
from tests.reference import objectives as reference
from tests.support.windows import D, window

intervals_now = jax.jit(intervals_of, static_argnums=(1, 2))


def found(batch, places=4, downsample=D):
    ends, inside, real = intervals_now(batch, downsample, places)
    keep = np.array(real[0])
    pairs = zip(np.array(ends[0])[keep].tolist(), np.array(inside[0])[keep].tolist(), strict=True)
    return sorted((tuple(end), tuple(inner)) for end, inner in pairs)


@pytest.mark.parametrize(
    "nights, start, want",
    [
        ([(1010, 1203)], 900, [((110, 303), (True, True))]),
        ([(1010, 1203)], 1100, [((0, 103), (False, True))]),
        ([(1010, 1203)], 800, [((210, 400), (True, False))]),
        ([(1010, 1903)], 1200, [((0, 400), (False, False))]),
        ([(1010, 1203)], 2000, []),
        (
            [(950, 1100), (1200, 1290)],
            900,
            [((50, 200), (True, True)), ((300, 390), (True, True))],
        ),
        (
            [(850, 1000), (1100, 1500)],
            900,
            [((0, 100), (False, True)), ((200, 400), (True, False))],
        ),
    ],
)
def test_intervals_of_a_window(nights, start, want):
    assert found(window(nights, start)) == want


@settings(max_examples=25)
@given(
    edges=st.lists(st.integers(0, 999), min_size=0, max_size=8, unique=True),
    start=st.integers(0, 600),
)
def test_intervals_are_those_that_the_window_cuts_from_the_nights(edges, start):
    edges = sorted(edges)[: len(edges) // 2 * 2]
    # Events of one class are much further apart than a frame.
    nights = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 2 * D]
    nights = [n for i, n in enumerate(nights) if i == 0 or n[0] - nights[i - 1][1] > 2 * D]
    batch = window(nights, start, total=1000)
    assert found(batch) == reference.intervals(nights, start, 400)


@pytest.mark.parametrize("downsample", [1, 4, 12])
def test_a_recording_shorter_than_its_window_has_no_event_behind_its_end(downsample):
    batch = window([(100, 220)], total=303, steps=480, downsample=downsample)
    assert found(batch, downsample=downsample) == [((100, 220), (True, True))]


def test_windows_without_a_known_frame_have_no_interval():
    batch = window([(1010, 1203)], 900)
    assert found(batch | {"mask": jnp.zeros_like(batch["mask"])}) == []


# ---- CenterNet
