"""Events beside time in which nothing was measured."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.postprocess import (
    decode_series,
    unmeasured,
)
from sleepjax.types import (
    EVENTS,
    STEPS_PER_HOUR,
)
from tests.reference.unmeasured import judge
from tests.support.decode import bumps, meta


@given(st.data())
def test_events_beside_unmeasured_time_equal_a_slow_reference(data):
    n = data.draw(st.integers(1, 2000))
    blocks = data.draw(st.lists(st.tuples(st.integers(0, n), st.integers(1, 800)), max_size=4))
    valid, asleep = np.ones(n, bool), np.zeros(n)
    for i, (first, length) in enumerate(blocks):
        if i % 2:
            asleep[first : first + length] = 0.5
        else:
            valid[first : first + length] = False
    position = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=9))), np.int64)
    for event in EVENTS:
        marked = unmeasured.beside(position, valid)
        kept = unmeasured.believable(event, position, asleep, valid)
        for row, *got in zip(position.tolist(), marked, kept, strict=True):
            limits = dict(edge=360, noticed=60, seen=120, from_probability=0.5)
            assert tuple(got) == judge(event, row, asleep, valid, **limits)


def a_watch_off_from_20_to_9_30(**sleep):
    """(probabilities, valid) of a day from noon: an onset at 19:59:45 and a wakeup at 09:30:15.

    ``sleep`` are spans in hours since noon in which the model sees sleep, whatever was measured.
    """
    n = 24 * STEPS_PER_HOUR
    off, on = 8 * STEPS_PER_HOUR, round(21.5 * STEPS_PER_HOUR)
    probs = bumps(n, [(off - 3, 0.61)], [(on + 3, 0.58)], width=20)
    for begin, end in sleep.values():
        probs[round(begin * STEPS_PER_HOUR) : round(end * STEPS_PER_HOUR), 0] = 0.9
    valid = np.ones(n, bool)
    valid[off:on] = False
    return probs, valid


def found_in(probs, valid, **post):
    events = decode_series(probs, meta(len(probs)), valid=valid, height=0.1, **post)
    assert valid[events["step"].to_numpy()].all()
    return events.select("event", "beside_unmeasured").rows()


def test_the_ends_of_a_watch_taken_off_are_no_events():
    for post in ({}, {"snap": True}, {"pair": True}, {"daily": 0.4, "prune": True}):
        assert found_in(*a_watch_off_from_20_to_9_30(inside=(8, 21.5)), **post) == []


def test_sleep_on_the_measured_side_keeps_an_event_and_marks_it():
    """A watch taken off at waking, or put on at bedtime; sleep on the other side says nothing."""
    before, after = (7.5, 8), (21.5, 22)
    kept = found_in(*a_watch_off_from_20_to_9_30(before=before))
    assert kept == []  # the onset at 19:59:45 lies after that sleep
    probs, valid = a_watch_off_from_20_to_9_30(before=before, after=after)
    probs[:, [1, 2]] = probs[:, [2, 1]]  # a wakeup before the gap, an onset after it
    assert found_in(probs, valid) == [("wakeup", True), ("onset", True)]
    assert found_in(probs, np.ones(len(probs), bool)) == [("wakeup", False), ("onset", False)]
    probs[:, 0] = 0
    assert found_in(probs, valid) == []


def test_a_snapped_event_stays_on_measured_time():
    probs, valid = a_watch_off_from_20_to_9_30(before=(7, 8))
    probs[:, 2] = probs[:, 1]
    valid[8 * STEPS_PER_HOUR - 1] = False
    assert found_in(probs, valid, snap=True) == [("wakeup", True)]
