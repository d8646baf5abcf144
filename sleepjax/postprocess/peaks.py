"""Local maxima of long signals: the peaks of `scipy.signal.find_peaks`, an order faster.

Most samples of an event probability lie below any useful height, so nothing but one comparison is
spent on them. Distance suppression takes all peaks in parallel that no higher peak can remove.
"""

from __future__ import annotations

import math

import numpy as np

from sleepjax.types import InputError

PRODUCTIVE = 0.9
"""Rounds of suppression go on while they leave at most this share of the peaks undecided."""


def find_peaks(
    x: np.ndarray, height: float | None = None, distance: float | None = None
) -> np.ndarray:
    """Positions of local maxima that are high enough and far enough apart.

    A peak is a sample higher than both neighbours, or the middle (rounded down) of a run of equal
    samples higher than both sides. The first and last sample are never peaks; NaN is no peak, and
    neither is a neighbour of NaN. Peaks below ``height`` are dropped; then, from the highest down,
    each peak removes the lower ones less than ``distance`` samples away. Of equal peaks the
    earlier one goes first (in scipy that order is undefined; otherwise the results are the same).

    Args:
      x: [T] or [...,T] signals.
      height: lowest peak to keep; None keeps all.
      distance: smallest number of samples between peaks, at least 1; fractions round up.

    Returns:
      [N] ascending positions for one signal; for [...,T] the full index of each peak like
      `np.argwhere`, [N, x.ndim] in ascending order.

    Raises:
      InputError: distance below 1 or NaN height.
    """
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float64)
    check(height, distance)
    if x.ndim == 1:
        peaks = local_maxima(x, height)
        return peaks if distance is None else peaks[unsuppressed(peaks, x[peaks], distance)]
    rows = x.reshape(-1, x.shape[-1])
    found = [find_peaks(row, height, distance) for row in rows]
    row = np.repeat(np.arange(len(rows)), [len(peaks) for peaks in found])
    position = np.concatenate([np.zeros(0, np.int64), *found])
    return np.stack([*np.unravel_index(row, x.shape[:-1]), position], axis=-1)


def check(height: float | None, distance: float | None) -> None:
    """Raise InputError for a NaN height or a distance below 1."""
    if height is not None and math.isnan(height):
        raise InputError("height is NaN; it must be a number, or None to keep all peaks.")
    if distance is not None and not distance >= 1:
        raise InputError(f"distance={distance} must be at least 1 sample.")


def local_maxima(x: np.ndarray, height: float | None = None) -> np.ndarray:
    """Ascending positions [N] of local maxima of ``x`` [T], at least ``height`` high."""
    if len(x) < 3:
        return np.zeros(0, np.int64)
    middle, before, after = x[1:-1], x[:-2], x[2:]
    if height is None:
        start = np.flatnonzero((middle > before) & (middle >= after)) + 1
    else:
        high = np.flatnonzero(middle >= height)
        if 4 * len(high) < len(x):
            start = high[(middle[high] > before[high]) & (middle[high] >= after[high])] + 1
        else:
            mask = (middle > before) & (middle >= after) & (middle >= height)
            start = np.flatnonzero(mask) + 1
    flat = x[start] == x[start + 1]
    if not flat.any():
        return start
    # Plateaus: from each start to the end of its run of equal samples, a peak if x falls there.
    change = np.flatnonzero(x[1:] != x[:-1])
    end = np.searchsorted(change, start)
    inside = end < len(change)
    start, end = start[inside], change[end[inside]]
    falls = x[end + 1] < x[start]
    return (start[falls] + end[falls]) // 2


def unsuppressed(peaks: np.ndarray, heights: np.ndarray, distance: float) -> np.ndarray:
    """Boolean [N]: which peaks (ascending positions) stay when each removes its lower neighbours.

    From the highest down (earlier first of equal ones), a peak that is still there removes all
    others less than ``distance`` away. Whoever is the highest within its own reach stays whatever
    happens elsewhere, so each round keeps all of those at once.
    """
    keep = np.zeros(len(peaks), bool)
    distance = math.ceil(distance)
    left = np.arange(len(peaks))
    while len(left):
        n_before = len(left)
        position, height = peaks[left], heights[left]
        # Of `distance` consecutive samples only the highest peak can be the highest in its reach.
        best = _first_maxima(height, position // distance)
        first = np.searchsorted(position, position[best] - distance, side="right")
        last = np.searchsorted(position, position[best] + distance, side="left")
        wins = (_slice_max(height, first, best) < height[best]) & (
            _slice_max(height, best + 1, last) <= height[best]
        )
        keep[left[best[wins]]] = True
        edges = np.zeros(len(left) + 1, np.int64)
        np.add.at(edges, first[wins], 1)
        np.add.at(edges, last[wins], -1)
        left = left[np.cumsum(edges[:-1]) == 0]
        if len(left) > PRODUCTIVE * n_before:
            _take_turns(peaks, heights, left, distance, keep)
            break
    return keep


def _first_maxima(height: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Index of the first highest entry of each run of equal ``block`` numbers."""
    begin = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
    highest = np.repeat(np.maximum.reduceat(height, begin), np.diff(np.r_[begin, len(block)]))
    candidates = np.flatnonzero(height == highest)
    return candidates[np.r_[True, np.diff(block[candidates]) != 0]]


def _slice_max(x: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Maximum of x[first[i]:last[i]] for each i, -inf for empty slices."""
    slices = np.stack([first, last], -1).ravel()
    highest = np.maximum.reduceat(np.append(x, x.dtype.type(-np.inf)), slices)[::2]
    return np.where(first < last, highest, -np.inf)


def _take_turns(
    peaks: np.ndarray, heights: np.ndarray, left: np.ndarray, distance: int, keep: np.ndarray
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
