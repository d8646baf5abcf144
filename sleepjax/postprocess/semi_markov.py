"""Semi-Markov model of windows in a sequence: the best set of them, and how likely each end is.

A sequence of N frames has boundaries 0 to N. A window lies between two boundaries, and so does each
gap between two windows; both last at least ``shortest`` frames. A set of windows scores the sum of
``begins`` and ``ends`` at their boundaries and of ``inside`` over their frames, and its probability
is proportional to the exponential of that; no window at all scores 0. One recursion serves both
questions: with maxima it gives the best set, with sums of exponentials the probabilities (Viterbi,
and forward-backward, with explicit durations: Yu 2010, doi:10.1016/j.artint.2009.11.011). Hours
that nobody can have slept in part the sequence, usually into days, which are solved side by side.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

NEGLIGIBLE = 40.0
"""Natural logarithms by which a set of windows is less likely than another to be left out."""


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
    parts = _parts(evidence)
    scores = _forward(*_rows(evidence, parts), evidence.shortest, np.maximum)
    found = []
    for first, awake, asleep in zip(parts.tolist(), *scores, strict=False):
        own, at = [], len(awake) - 1
        # Both are running maxima: a value was reached where it first occurs.
        while awake[at] > 0:
            end = int(np.searchsorted(awake, awake[at])) - evidence.shortest
            at = int(np.searchsorted(asleep, asleep[end])) - evidence.shortest
            own.append((first + at, first + end))
        found += own[::-1]
    return np.array(found, np.int64).reshape(-1, 2)


def probabilities(
    evidence: Evidence,
) -> tuple[Float[np.ndarray, " boundaries"], Float[np.ndarray, " boundaries"]]:
    """Probabilities that a window begins, and that one ends, at each boundary."""
    parts = _parts(evidence)
    begins, ends, total = _rows(evidence, parts)
    (count, size), frames = total.shape, np.diff(parts)[:, None]
    place = np.arange(size)
    # Each row with time reversed. Where a row is too long the index is negative and stays there.
    turned = lambda x: np.take_along_axis(x[:, :size], frames - place, axis=1)
    awake, asleep = _forward(  # forwards, and with time reversed
        np.concatenate([begins, turned(ends)]),
        np.concatenate([ends, turned(begins)]),
        np.concatenate([total, total[:, -1:] - turned(total)]),
        evidence.shortest,
        np.logaddexp,
    )
    sum_of_all = awake[:count, -1:]
    after = total[:, -1:] - total
    begin = awake[:count, :size] + begins + turned(asleep[count:]) + after - sum_of_all
    end = asleep[:count, :size] + total + ends + turned(awake[count:]) - sum_of_all
    frames[-1] += 1  # a boundary between two parts is the first one of the later part
    return np.exp(begin[place < frames]), np.exp(end[place < frames])


def _parts(evidence: Evidence) -> Int[np.ndarray, " edges"]:
    """Boundaries at which the sequence falls into independent parts, with its first and last.

    They lie in the middle of runs of ``3 * shortest`` or more frames that speak against windows.
    Take a set with a window in the middle ``shortest`` frames, and cut the run out of this window:
    that is ``shortest`` frames or more. What stays of it on both sides goes too where it is too
    short, and is worth no more than ``2 * shortest`` of the best frames; its ends move, which costs
    no more than the range of their evidence. With frames as bad as demanded here the score rises by
    `NEGLIGIBLE` at least. So no best set has such a window, and all sets with one together do not
    count; and what the others have before and behind the middle is far enough apart.
    """
    shortest, inside = evidence.shortest, evidence.inside
    span = lambda x: x.max(initial=0.0) - x.min(initial=0.0)
    gain = span(evidence.begins) + span(evidence.ends) + 2 * shortest * inside.max(initial=0.0)
    against = np.concatenate([[False], inside * shortest <= -gain - NEGLIGIBLE, [False]])
    runs = np.flatnonzero(against[1:] != against[:-1]).reshape(-1, 2)
    middles = runs[runs[:, 1] - runs[:, 0] >= 3 * shortest].sum(axis=1) // 2
    edges = [0, *middles.tolist(), len(inside)]
    longest = max(after - before for before, after in pairwise(edges))
    parts = [0]
    for middle, after in pairwise(edges[1:]):  # short neighbours stay together
        parts += [middle] if after - parts[-1] > longest else []
    return np.array([*parts, len(inside)])


def _rows(
    evidence: Evidence, parts: Int[np.ndarray, " edges"]
) -> tuple[Float[np.ndarray, "R S"], Float[np.ndarray, "R S"], Float[np.ndarray, "R S"]]:
    """Evidence for begins and for ends at the boundaries of each part, and for frames before them.

    A part is a row as long as the longest, in which nothing begins or ends behind the part.
    """
    first, last = parts[:-1, None], parts[1:, None]
    at = first + np.arange((last - first).max() + 1)
    own, at = at <= last, np.minimum(at, last)
    begins, ends = (np.where(own, x[at], -np.inf) for x in (evidence.begins, evidence.ends))
    before = np.concatenate([[0.0], np.cumsum(evidence.inside)])
    return begins, ends, before[at] - before[first]


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
