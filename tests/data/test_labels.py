"""Labels agree with a step-by-step oracle, and unlabelled nights are unknown, not awake."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data.labels import FAR, SURE_AWAKE, make_labels, signed_distance
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR
from tests.reference.labels import asleep_by_step, dense, distance_by_step, events_frame

HOUR, DAY = STEPS_PER_HOUR, STEPS_PER_DAY


@given(st.sets(st.integers(0, 79), max_size=6), st.integers(1, 80))
def test_distance_equals_oracle(events, n_steps):
    events = np.array(sorted(events), np.int64)
    assert signed_distance(events, np.arange(n_steps)).tolist() == distance_by_step(events, n_steps)


@given(st.sets(st.integers(0, 99), min_size=2, max_size=8), st.integers(0, 50))
def test_asleep_equals_oracle(steps, first_step):
    steps = sorted(steps)
    nights = list(zip(steps[::2], steps[1::2], strict=False))
    frame = events_frame({i: (a + first_step, b + first_step) for i, (a, b) in enumerate(nights)})
    labels = dense(make_labels(frame, 100, first_step))
    assert labels.asleep.tolist() == asleep_by_step(nights, 100)
    assert labels.nights.tolist() == [list(night) for night in nights]


def two_labelled_nights(second, n_days=4, **more):
    pairs = {
        1: (10 * HOUR, 18 * HOUR),
        second: (10 * HOUR + DAY * (second - 1), 19 * HOUR + DAY * (second - 1)),
    }
    return dense(make_labels(events_frame(pairs | more), n_days * DAY))


def test_consecutive_nights_make_the_day_between_known():
    labels = two_labelled_nights(2)
    assert labels.known[: 19 * HOUR + DAY + SURE_AWAKE].all()
    assert not labels.known[19 * HOUR + DAY + SURE_AWAKE :].any()  # the unlisted tail


def test_an_empty_night_between_is_unknown():
    labels = two_labelled_nights(3)
    first_wakeup, second_onset = 18 * HOUR, 10 * HOUR + 2 * DAY
    assert labels.known[: first_wakeup + SURE_AWAKE].all()
    assert not labels.known[first_wakeup + SURE_AWAKE : second_onset - SURE_AWAKE].any()
    assert labels.known[second_onset - SURE_AWAKE : second_onset + 9 * HOUR].all()


def test_rows_without_steps_are_unknown_nights():
    frame = events_frame({1: (None, None), 2: (DAY + 10 * HOUR, DAY + 18 * HOUR), 3: (None, None)})
    labels = dense(make_labels(frame, 4 * DAY))
    known = np.flatnonzero(labels.known)
    assert known[0] == DAY + 10 * HOUR - SURE_AWAKE
    assert known[-1] == DAY + 18 * HOUR + SURE_AWAKE - 1
    assert labels.known.sum() == 8 * HOUR + 2 * SURE_AWAKE


def test_a_half_labelled_night_is_unknown_not_negative():
    frame = events_frame({1: (10 * HOUR, None), 2: (10 * HOUR + DAY, 18 * HOUR + DAY)})
    labels = dense(make_labels(frame, 3 * DAY))
    assert not labels.known[10 * HOUR]
    assert (labels.distance[10 * HOUR] != 0).all()


@pytest.mark.parametrize("nights", [{}, {1: (None, None)}])
def test_a_series_without_events_knows_nothing(nights):
    labels = dense(make_labels(events_frame(nights), 1000))
    assert not labels.known.any() and not labels.asleep.any()
    assert (labels.distance == FAR).all()
    assert labels.nights.shape == (0, 2)
