"""Events beside time in which nothing was measured: which of them a model can have seen.

The ends of a gap, or of hours in which the watch was not worn, look like events to a model. One is
believed only where the model saw sleep on the measured side: after an onset, or before a wakeup.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from sleepjax.types import EVENTS, STEPS_PER_MINUTE

EDGE = 30 * STEPS_PER_MINUTE
"""Steps to both sides of an event that are looked at: no sleep period is shorter."""
NOTICED = 5 * STEPS_PER_MINUTE
"""Unmeasured steps among those from which an event counts as beside unmeasured time."""
SEEN = 10 * STEPS_PER_MINUTE
"""Measured steps of sleep on the event's own side that make it believable."""
ASLEEP = 0.5
"""Probability of asleep from which the model saw sleep."""


def beside(
    position: Int[np.ndarray, " N"], valid: Bool[np.ndarray, " T"]
) -> Bool[np.ndarray, " N"]:
    """Whether each row lies within `EDGE` of unmeasured time.

    Args:
      position: rows of the recording.
      valid: what was measured.
    """
    return _count(~valid, position - EDGE, position + EDGE + 1) >= NOTICED


def believable(
    event: str,
    position: Int[np.ndarray, " N"],
    asleep: Float[np.ndarray, " T"],
    valid: Bool[np.ndarray, " T"],
) -> Bool[np.ndarray, " N"]:
    """Which candidates are away from unmeasured time, or have sleep on their side.

    Args:
      event: ``onset``, whose sleep comes after it, or ``wakeup``, whose sleep lies before it.
      position: rows of the recording.
      asleep: probability at every row.
      valid: what was measured.
    """
    kept, after = ~beside(position, valid), event == EVENTS[0]
    if not kept.all():
        first, end = (position, position + EDGE) if after else (position - EDGE, position)
        kept |= _count(valid & (asleep >= ASLEEP), first, end) >= SEEN
    return kept


def _count(
    mask: Bool[np.ndarray, " T"], first: Int[np.ndarray, " N"], end: Int[np.ndarray, " N"]
) -> Int[np.ndarray, " N"]:
    """Number of True among the rows from first to end - 1 that exist."""
    rows = np.flatnonzero(mask)
    return np.searchsorted(rows, end) - np.searchsorted(rows, first)
