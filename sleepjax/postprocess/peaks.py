"""Local maxima of long signals: the peaks of `scipy.signal.find_peaks`, an order faster.

Most of a signal never needs to be looked at sample by sample. Blocks whose maximum lies below the
height hold no peak. A block maximum that is the highest sample within the distance is a peak that
stays whatever happens elsewhere, and nothing in its reach does. Neighbouring samples are compared
only in what is left, and distance suppression then takes, in each round, all peaks at once that no
higher peak can remove.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sleepjax.types import InputError

CHUNK = 1 << 19
"""Samples whose peaks are sought at a time, few enough to stay in the cache."""

CHUNKS_PER_TASK = 8
"""Chunks whose peaks, much fewer, are suppressed together."""

BLOCK = 32, 512
"""Fewest and most samples in a block."""

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
      InputError: distance below 1 or infinite, NaN height.
    """
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float64)
    check(height, distance)
    n_steps = x.shape[-1]
    flat = x.ravel()
    chunk = n_steps * max(1, CHUNK // max(1, n_steps))
    tasks = range(0, len(flat), CHUNKS_PER_TASK * max(1, chunk))

    def find(task: int) -> np.ndarray:
        begins = range(task, min(task + tasks.step, len(flat)), chunk)
        parts = [_settle(flat[i : i + chunk], n_steps, height, distance, i) for i in begins]
        winners, peaks = (np.concatenate(found) for found in zip(*parts, strict=True))
        if distance is None:
            return peaks
        # Rows are set apart, so that none removes a peak of the next.
        position = peaks + peaks // n_steps * math.ceil(distance)
        return np.sort(np.r_[winners, peaks[unsuppressed(position, flat[peaks], distance)]])

    if len(tasks) > 1:
        with ThreadPoolExecutor() as pool:  # nearly all is done in NumPy, without the GIL
            found = list(pool.map(find, tasks))
    else:
        found = list(map(find, tasks))
    index = np.unravel_index(np.concatenate([np.zeros(0, np.int64), *found]), x.shape)
    return index[0] if x.ndim == 1 else np.stack(index, axis=-1)


def check(height: float | None, distance: float | None) -> None:
    """Raise InputError for a NaN height or a distance below 1."""
    if height is not None and math.isnan(height):
        raise InputError("height is NaN; it must be a number, or None to keep all peaks.")
    if distance is not None and not 1 <= distance < math.inf:
        raise InputError(f"distance={distance} must be at least 1 sample, and finite.")


def local_maxima(x: np.ndarray, height: float | None = None) -> np.ndarray:
    """Ascending positions [N] of local maxima of ``x`` [T], at least ``height`` high."""
    return _settle(x, len(x), height, None)[1]


def _settle(
    x: np.ndarray, n_steps: int, height: float | None, distance: float | None, shift: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Peaks that stay for certain, and those that remain to be decided, ascending, plus ``shift``.

    ``x`` [R*T] holds signals of ``n_steps``, one after the other.
    """
    if n_steps < 3 or not len(x):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    height = None if height is None else _at_least(height, x.dtype)
    reach = 1 if distance is None else math.ceil(distance)
    width = min(max(reach // 2, BLOCK[0]), BLOCK[1], len(x) - 2)
    begin = np.arange(0, len(x), width)
    highest = np.maximum.reduceat(x, begin)
    search = np.ones(len(begin), bool) if height is None else ~(highest < height)  # NaN: search
    winners = np.zeros(0, np.int64)
    # What winners leave of each block: from `free` to before `taken`.
    free, taken = begin, np.full(len(begin), len(x))
    if 2 * width <= reach:
        winners, first, last = _winners(x, n_steps, highest, search, width, reach)
        block = winners // width
        free = np.zeros(len(begin), np.int64)
        free[block], taken[block] = last, first
        free = np.maximum(np.maximum.accumulate(free), begin)
        taken = np.minimum.accumulate(taken[::-1])[::-1]
    search = np.flatnonzero(search & (free < np.minimum(taken, begin + width)))
    free, taken, begin = free[search], taken[search], begin[search]
    peaks = _maxima_of_blocks(x, n_steps, height, width, begin, free, taken)
    return winners + shift, peaks + shift


def _at_least(height: float, dtype: np.dtype) -> float:
    """The lowest number of ``dtype`` that is not below ``height``."""
    with np.errstate(over="ignore"):
        rounded = dtype.type(height)
    return rounded if rounded >= float(height) else np.nextafter(rounded, dtype.type(np.inf))


def _winners(
    x: np.ndarray, n_steps: int, highest: np.ndarray, hot: np.ndarray, width: int, reach: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of samples that are higher than all within reach, and the slices in their reach.

    ``highest`` holds the maxima of blocks of ``width``, and ``hot`` those to look at.
    """
    # Both neighbours of a block lie within the reach of all its samples.
    rival = np.full(len(highest) + 2, -np.inf, x.dtype)
    rival[1:-1] = highest
    block = np.flatnonzero(hot & (highest > rival[:-2]) & (highest >= rival[2:]))
    block = block[(block * width) // n_steps == ((block + 1) * width) // n_steps]  # in one row
    position = block * width + sliding_window_view(x, width)[:: width][block].argmax(axis=1)
    top = highest[block]
    row = position // n_steps * n_steps
    first, last = np.maximum(position - reach + 1, row), np.minimum(position + reach, row + n_steps)
    wins = (position > row) & (position + 1 < row + n_steps)
    wins &= _slice_max(x, first, position) < top
    # Strictly higher than the next sample, and no plateau that ends out of reach.
    after = np.minimum(position + 1, len(x) - 1)
    wins &= (_slice_max(x, after, last) <= top) & (x[after] < top)
    wins &= (last == row + n_steps) | (x[last - 1] != x[np.minimum(last, len(x) - 1)])
    return position[wins], first[wins], last[wins]


def _maxima_of_blocks(
    x: np.ndarray,
    n_steps: int,
    height: float | None,
    width: int,
    begin: np.ndarray,
    free: np.ndarray,
    taken: np.ndarray,
) -> np.ndarray:
    """Local maxima of blocks at ``begin``, at or after ``free`` and before ``taken``."""
    origin = (begin - 1).clip(0, len(x) - width - 2)
    window = sliding_window_view(x, width + 2)[origin].ravel()  # a block and both its neighbours
    middle = window[1:-1]
    starts = middle > window[:-2]  # of a peak or plateau at sample i + 1
    starts &= middle >= window[2:]
    if height is not None:
        starts &= middle >= height
    at = np.flatnonzero(starts) + 1
    block = at // (width + 2)
    start = at + (origin - np.arange(len(origin)) * (width + 2))[block]
    # Ends of rows have no neighbour on one side.
    inside = (free[block] <= start) & (start < np.minimum(taken, begin + width)[block])
    column = start - start // n_steps * n_steps
    inside &= (column > 0) & (column < n_steps - 1)
    at, start, taken = at[inside], start[inside], taken[block[inside]]
    flat = window[at] == window[at + 1]
    if not flat.any():
        return start
    middles = _plateaus(x, start[flat], n_steps)
    return np.sort(np.r_[start[~flat], middles[0][middles[0] < taken[flat][middles[1]]]])


def _plateaus(
    x: np.ndarray, start: np.ndarray, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the runs of equal samples that begin at ``start`` and fall at their end.

    With them, which of the starts they belong to.
    """
    change = np.r_[np.flatnonzero(x[1:] != x[:-1]), len(x) - 1]
    end = change[np.searchsorted(change, start)]
    inside = end < start - start % n_steps + n_steps - 1
    falls = np.flatnonzero(inside & (x[np.minimum(end + 1, len(x) - 1)] < x[start]))
    return (start[falls] + end[falls]) // 2, falls


def unsuppressed(peaks: np.ndarray, heights: np.ndarray, distance: float) -> np.ndarray:
    """Boolean [N]: which peaks (ascending positions) stay when each removes its lower neighbours.

    From the highest down (earlier first of equal ones), a peak that is still there removes all
    others less than ``distance`` away. Whoever is the highest within its own reach stays whatever
    happens elsewhere, so each round keeps all of those at once.
    """
    keep = np.zeros(len(peaks), bool)
    distance = math.ceil(distance)
    left, position, height = np.arange(len(peaks)), peaks, heights
    while len(left):
        best, first, last = _highest_in_reach(position, height, distance)
        keep[left[best]] = True
        free = _ranges(np.r_[0, last], np.r_[first, len(left)])
        if len(free) > PRODUCTIVE * len(left):
            _take_turns(peaks, heights, left[free], distance, keep)
            break
        left, position, height = left[free], position[free], height[free]
    return keep


def _highest_in_reach(
    position: np.ndarray, height: np.ndarray, distance: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks higher than all others less than ``distance`` away, and the slices of those others."""
    summits = _summits(position, height, distance)
    top = height[summits]
    # Of `distance` consecutive samples only the highest peak can be the highest in its reach.
    chosen = _first_maxima(top, position[summits] // distance)
    chosen = chosen[_summits(position[summits[chosen]], top[chosen], distance)]
    best = summits[chosen]
    first = np.searchsorted(position, position[best] - distance, side="right")
    last = np.searchsorted(position, position[best] + distance, side="left")
    # The highest peak of a slice is a summit, or at the end of the slice.
    before = _slice_max(top, np.searchsorted(summits, first), chosen)
    after = _slice_max(top, chosen + 1, np.searchsorted(summits, last))
    wins = (before < height[best]) & ((first == best) | (height[first] < height[best]))
    wins &= (after <= height[best]) & (height[last - 1] <= height[best])
    return best[wins], first[wins], last[wins]


def _summits(position: np.ndarray, height: np.ndarray, distance: int) -> np.ndarray:
    """Indices of peaks that neither the one before nor the one after removes."""
    near = position[1:] - position[:-1] < distance
    rising = height[1:] > height[:-1]
    summit = np.ones(len(position), bool)
    summit[:-1] = ~(near & rising)
    summit[1:] &= ~near | rising
    return np.flatnonzero(summit)


def _ranges(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """All integers from begin[i] to before end[i], one range after the other."""
    length = (end - begin).clip(min=0)
    offset = np.repeat(begin - (np.cumsum(length) - length), length)
    return offset + np.arange(len(offset))


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
