"""Rest: stretches in which the arm never turns, and when they say that the watch was not worn."""

import numpy as np

from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE

TURN = 5.0
"""Degrees between two steps that count as a change of posture (van Hees 2015)."""
NOT_WORN = 6 * STEPS_PER_HOUR
"""Measured steps without a change of posture after which the watch was not worn: sleepers turn."""
BRIDGED = 5 * STEPS_PER_MINUTE
"""Longest gap in steps across which an unchanged posture was kept; others end a stretch."""


def stretches(anglez: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stretches without a change of posture: (measured rows [M], edges of stretches in them).

    Each measured angle is compared with the one measured before it, and a turn by more than `TURN`
    ends a stretch. Time without data (NaN of [T]) is not stillness: more than `BRIDGED` of it ends
    one too.
    """
    finite = np.isfinite(anglez)
    whole = finite.all()
    rows = np.arange(len(anglez)) if whole else np.flatnonzero(finite)
    ends = np.abs(np.diff(anglez if whole else anglez[rows])) > TURN
    if not whole:
        ends |= np.diff(rows) - 1 > BRIDGED
    return rows, np.concatenate([[0], np.flatnonzero(ends) + 1, [len(rows)]])


def at_rest(anglez: np.ndarray) -> np.ndarray:
    """Steps measured in stretches of at least `NOT_WORN` measured ones, bool [T], of anglez [T]."""
    rows, edges = stretches(anglez)
    still = np.zeros(len(anglez), bool)
    for long in np.flatnonzero(np.diff(edges) >= NOT_WORN):
        still[rows[edges[long] : edges[long + 1]]] = True
    return still
