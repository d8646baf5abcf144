"""Semi-Markov model of windows in a sequence: the best set of them, and what is how likely.

A sequence of N frames has boundaries 0 to N. A window lies between two boundaries, and so does each
gap between two windows; both last at least ``shortest`` frames. A set of windows scores the sum of
``begins`` and ``ends`` at their boundaries and of ``inside`` over their frames, and its probability
is proportional to the exponential of that; no window at all scores 0. One recursion serves both
questions: with maxima it gives the best set, with sums of exponentials the probabilities (Viterbi,
and forward-backward, with explicit durations: Yu 2010, doi:10.1016/j.artint.2009.11.011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Evidence:
    """What speaks for windows, in natural logarithms."""

    begins: Float[np.ndarray, " boundaries"]
    """For a window to begin at each boundary."""
    ends: Float[np.ndarray, " boundaries"]
    """For a window to end at each boundary."""
    inside: Float[np.ndarray, " N"]
    """For each frame to be in a window."""
    shortest: int
    """Frames; windows, and gaps between two of them, last at least as long."""


def best_windows(evidence: Evidence) -> Int[np.ndarray, "W 2"]:
    """The set of windows of highest score: boundaries in ascending order."""
    total = np.concatenate([[0.0], np.cumsum(evidence.inside)])
    awake, asleep = _forward(evidence.begins, evidence.ends, total, evidence.shortest, np.maximum)
    found, at = [], len(awake) - 1
    # Both are running maxima: a value was reached where it first occurs.
    while awake[at] > 0:
        end = int(np.searchsorted(awake, awake[at])) - evidence.shortest
        at = int(np.searchsorted(asleep, asleep[end])) - evidence.shortest
        found.append((at, end))
    return np.array(found[::-1], np.int64).reshape(-1, 2)


def probabilities(
    evidence: Evidence,
) -> tuple[Float[np.ndarray, " boundaries"], Float[np.ndarray, " boundaries"]]:
    """Probabilities that a window begins, and that one ends, at each boundary."""
    begins, ends, n = evidence.begins, evidence.ends, len(evidence.inside)
    total = np.concatenate([[0.0], np.cumsum(evidence.inside)])
    awake, asleep = _forward(begins, ends, total, evidence.shortest, np.logaddexp)
    mirrored = total[-1] - total[::-1]
    awake_after, asleep_after = (
        of[n::-1]
        for of in _forward(ends[::-1], begins[::-1], mirrored, evidence.shortest, np.logaddexp)
    )
    sum_of_all = awake[-1]
    begin = awake[: n + 1] + begins + asleep_after + mirrored[::-1] - sum_of_all
    end = asleep[: n + 1] + total + ends + awake_after - sum_of_all
    return np.exp(begin), np.exp(end)


def _forward(
    begins: Float[np.ndarray, " boundaries"],
    ends: Float[np.ndarray, " boundaries"],
    total: Float[np.ndarray, " boundaries"],
    shortest: int,
    add: np.ufunc,
) -> tuple[Float[np.ndarray, " padded"], Float[np.ndarray, " padded"]]:
    """Scores of all that can lie before each boundary, combined by ``add``; [N+1+shortest] each.

    ``awake[t]``: outside of windows, and long enough that one may begin at t. ``asleep[t]``: in a
    window that may end at t, less ``total[t]``. What begins in ``shortest`` successive frames
    cannot end in them, so they are computed at once. The padding lets a window end with the
    sequence, so the last entry of ``awake`` combines all there is.
    """
    padding = np.full(shortest, -np.inf)
    enter = np.concatenate([begins - total, padding])
    leave = np.concatenate([ends + total, padding])
    awake, asleep = np.full(len(enter), -np.inf), np.full(len(enter), -np.inf)
    awake[:shortest] = 0.0
    for first in range(shortest, len(enter), shortest):
        now, before = slice(first, first + shortest), slice(first - shortest, first)
        for state, other, moves in ((asleep, awake, enter), (awake, asleep, leave)):
            part = state[now]
            np.add(other[before][: len(part)], moves[before][: len(part)], out=part)
            part[0] = add(part[0], state[first - 1])
            add.accumulate(part, out=part)
    return awake, asleep
