"""Semi-Markov model of windows in a sequence: the best set of them, and how likely each end is.

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
    begins, ends, total = (x[None] for x in (evidence.begins, evidence.ends, _before(evidence)))
    awake, asleep = _forward(begins, ends, total, evidence.shortest, np.maximum)[:, 0]
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
    total = _before(evidence)
    mirrored = total[-1] - total[::-1]
    awake, asleep = _forward(  # forwards, and with time reversed
        np.stack([begins, ends[::-1]]),
        np.stack([ends, begins[::-1]]),
        np.stack([total, mirrored]),
        evidence.shortest,
        np.logaddexp,
    )
    sum_of_all = awake[0, -1]
    awake_after, asleep_after = awake[1, n::-1], asleep[1, n::-1]
    begin = awake[0, : n + 1] + begins + asleep_after + mirrored[::-1] - sum_of_all
    end = asleep[0, : n + 1] + total + ends + awake_after - sum_of_all
    return np.exp(begin), np.exp(end)


def _before(evidence: Evidence) -> Float[np.ndarray, " boundaries"]:
    """Sum of ``inside`` over the frames before each boundary."""
    return np.concatenate([[0.0], np.cumsum(evidence.inside)])


def _forward(
    begins: Float[np.ndarray, "R boundaries"],
    ends: Float[np.ndarray, "R boundaries"],
    total: Float[np.ndarray, "R boundaries"],
    shortest: int,
    add: np.ufunc,
) -> Float[np.ndarray, "2 R padded"]:
    """Scores of all that can lie before each boundary of R sequences, combined by ``add``.

    Returns (awake, asleep), N+1+shortest of each. ``awake[t]``: outside of windows, and long enough
    that one may begin at t. ``asleep[t]``: in a window that may end at t, less ``total[t]``. What
    begins in ``shortest`` successive frames cannot end in them, so a block of them is computed at
    once. The padding lets a window end with the sequence, so the last entry of ``awake`` combines
    all there is.
    """
    count, size = total.shape
    n_blocks = -(-(size + shortest) // shortest)
    moves = np.full((2, count, n_blocks * shortest), -np.inf)
    moves[..., :size] = ends + total, begins - total  # out of a window, into one
    moves = np.moveaxis(moves.reshape(2, count, n_blocks, shortest), 2, 0).copy()
    # Before each block stands the last score of the block before it.
    scores = np.full((n_blocks, 2, count, 1 + shortest), -np.inf)
    scores[0, 0, :, 1:] = 0.0
    own, other = scores[..., 1:], scores[:, ::-1, :, 1:]
    steps = zip(
        other, moves, own[1:], scores[..., -1], scores[1:, ..., 0], scores[1:], strict=False
    )
    for before, move, now, last, carried, block in steps:
        np.add(before, move, out=now)
        np.copyto(carried, last)
        add.accumulate(block, axis=-1, out=block)
    return np.moveaxis(own, 0, 2).reshape(2, count, -1)[..., : size + shortest]
