"""Events beside time in which nothing was measured: which of them a model can have seen.

The ends of a gap, or of hours in which the watch was not worn, look like events to a model. One is
believed only where the model saw sleep on the measured side: after an onset, or before a wakeup.
"""

from __future__ import annotations

import numpy as np

from sleepjax.types import EVENTS, STEPS_PER_MINUTE

EDGE = 30 * STEPS_PER_MINUTE
"""Steps to both sides of an event that are looked at: no sleep period is shorter."""
NOTICED = 5 * STEPS_PER_MINUTE
"""Unmeasured steps among those from which an event counts as beside unmeasured time."""
SEEN = 10 * STEPS_PER_MINUTE
"""Measured steps of sleep on the event's own side that make it believable."""
ASLEEP = 0.5
"""Probability of asleep from which the model saw sleep."""


def beside(position: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Whether each of N rows lies within `EDGE` of unmeasured time, bool [N].

    Args:
      position: int64 [N], rows of the recording.
      valid: bool [T], what was measured.
    """
    return _count(~valid, position - EDGE, position + EDGE + 1) >= NOTICED


def believable(
    event: str, position: np.ndarray, asleep: np.ndarray, valid: np.ndarray
) -> np.ndarray:
    """Which of N candidates are away from unmeasured time, or have sleep on their side, bool [N].

    Args:
      event: ``onset``, whose sleep comes after it, or ``wakeup``, whose sleep lies before it.
      position: int64 [N], rows of the recording.
      asleep: [T] probability.
      valid: bool [T], what was measured.
    """
    after = event == EVENTS[0]
    first, end = (position, position + EDGE) if after else (position - EDGE, position)
    seen = _count(valid & (asleep >= ASLEEP), first, end) >= SEEN
    return seen | ~beside(position, valid)


def _count(mask: np.ndarray, first: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Number of True among the rows from first to end - 1 that exist, int64 [N]."""
    total = np.concatenate([[0], np.cumsum(mask)])
    return total[end.clip(0, len(mask))] - total[first.clip(0, len(mask))]
