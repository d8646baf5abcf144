"""Distance suppression: which peaks stay when each removes the lower ones near it."""

import math

import numpy as np
from jaxtyping import Bool, Int, Real

PRODUCTIVE = 0.9
"""Rounds of suppression continue while they leave at most this fraction of the peaks undecided."""


def unsuppressed(
    peaks: Int[np.ndarray, " N"], heights: Real[np.ndarray, " N"], distance: float
) -> Bool[np.ndarray, " N"]:
    """Which peaks (ascending positions) stay when each removes its lower neighbours.

    From the highest down (earlier first of equal ones), a peak that is still there removes all
    others less than ``distance`` away. A peak that is the highest within its own reach stays
    in any case, so each round keeps all of those at once.
    """
    keep = np.zeros(len(peaks), bool)
    distance = math.ceil(distance)
    left, position, height = np.arange(len(peaks)), peaks, heights
    while len(left):
        # Groups that do not reach each other; the highest reaches all of a short one.
        begin = np.flatnonzero(np.r_[True, position[1:] - position[:-1] >= distance])
        size = np.diff(np.r_[begin, len(position)])
        short = position[begin + size - 1] - position[begin] < distance
        keep[left[_first_maxima(height, begin, size)[short]]] = True
        rest = np.repeat(~short, size)
        left, position, height = left[rest], position[rest], height[rest]
        if not len(left):
            break
        best, first, last = _highest_in_reach(position, height, distance)
        keep[left[best]] = True
        free = _ranges(np.r_[0, last], np.r_[first, len(left)])
        if len(free) > PRODUCTIVE * len(left):
            _take_turns(peaks, heights, left[free], distance, keep)
            break
        left, position, height = left[free], position[free], height[free]
    return keep


def _highest_in_reach(
    position: Int[np.ndarray, " N"], height: Real[np.ndarray, " N"], distance: int
) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
    """Peaks higher than all others less than ``distance`` away, and the slices of those others."""
    summits = _summits(position, height, distance)
    top = height[summits]
    # Of `distance` consecutive samples only the highest peak can be the highest in its reach.
    block = position[summits] // distance
    begin = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
    chosen = _first_maxima(top, begin, np.diff(np.r_[begin, len(block)]))
    chosen = chosen[_summits(position[summits[chosen]], top[chosen], distance)]
    best = summits[chosen]
    first = np.searchsorted(position, position[best] - distance, side="right")
    last = np.searchsorted(position, position[best] + distance, side="left")
    # The highest peak of a slice is a summit, or at the end of the slice.
    before = slice_max(top, np.searchsorted(summits, first), chosen)
    after = slice_max(top, chosen + 1, np.searchsorted(summits, last))
    wins = (before < height[best]) & ((first == best) | (height[first] < height[best]))
    wins &= (after <= height[best]) & (height[last - 1] <= height[best])
    return best[wins], first[wins], last[wins]


def _summits(
    position: Int[np.ndarray, " N"], height: Real[np.ndarray, " N"], distance: int
) -> Int[np.ndarray, " S"]:
    """Indices of peaks that neither the one before nor the one after removes."""
    near = position[1:] - position[:-1] < distance
    rising = height[1:] > height[:-1]
    summit = np.ones(len(position), bool)
    summit[:-1] = ~(near & rising)
    summit[1:] &= ~near | rising
    return np.flatnonzero(summit)


def _ranges(begin: Int[np.ndarray, " G"], end: Int[np.ndarray, " G"]) -> Int[np.ndarray, " R"]:
    """All integers from begin[i] to before end[i], one range after the other."""
    length = (end - begin).clip(min=0)
    offset = np.repeat(begin - (np.cumsum(length) - length), length)
    return offset + np.arange(len(offset))


def _first_maxima(
    height: Real[np.ndarray, " N"], begin: Int[np.ndarray, " G"], size: Int[np.ndarray, " G"]
) -> Int[np.ndarray, " G"]:
    """Index of the first highest of the ``size[i]`` entries from ``begin[i]`` on, for each i."""
    highest = np.repeat(np.maximum.reduceat(height, begin), size)
    candidates = np.flatnonzero(height == highest)
    return candidates[np.searchsorted(candidates, begin)]


def slice_max(
    x: Real[np.ndarray, " N"], first: Int[np.ndarray, " G"], last: Int[np.ndarray, " G"]
) -> Real[np.ndarray, " G"]:
    """Maximum of x[first[i]:last[i]] for each i, -inf for empty slices."""
    if not len(x):
        return np.full(len(first), -np.inf)
    # The last of each apart: an index of reduceat must lie inside.
    slices = np.stack([np.minimum(first, len(x) - 1), (last - 1).clip(0)], -1).ravel()
    highest = np.maximum(np.maximum.reduceat(x, slices)[::2], x[slices[1::2]])
    return np.where(first < last, highest, -np.inf)


def _take_turns(
    peaks: Int[np.ndarray, " N"],
    heights: Real[np.ndarray, " N"],
    left: Int[np.ndarray, " L"],
    distance: int,
    keep: Bool[np.ndarray, " N"],
) -> None:
    """Suppress the peaks ``left`` one by one: along a monotone flank a round keeps only one."""
    position = peaks[left]
    first = np.searchsorted(position, position - distance, side="right").tolist()
    last = np.searchsorted(position, position + distance, side="left").tolist()
    alive = bytearray(b"\1") * len(left)
    for i in np.argsort(-heights[left], kind="stable").tolist():
        if alive[i]:
            alive[first[i] : last[i]] = bytes(last[i] - first[i])
            keep[left[i]] = True
