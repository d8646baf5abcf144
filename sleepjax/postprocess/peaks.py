"""Local maxima of long signals: the peaks of `scipy.signal.find_peaks`, an order faster.

Most of a signal never needs to be looked at sample by sample. Blocks whose maximum lies below the
height hold no peak. A block maximum that is the highest sample within the distance is a peak that
stays in any case, and nothing in its reach does. Neighbouring samples are compared
only in what is left, and distance suppression then takes, in each round, all peaks at once that no
higher peak can remove.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sleepjax.postprocess.suppression import slice_max, unsuppressed
from sleepjax.types import InputError

CHUNK = 1 << 21
"""Samples whose peaks are sought at a time, enough that calls of NumPy cost little."""

CACHED = 1 << 19
"""Samples looked at several times in a row, few enough to stay in the cache."""

CHUNKS_PER_TASK = 8
"""Chunks whose peaks, much fewer, are suppressed together."""

BLOCK = 512
"""Samples of which only the highest is looked at first."""

SHORTEST = 25
"""Blocks shorter than this cost more than they save."""

SHORT_RUN = 16
"""Equal samples in a row that are followed one by one."""


Flat = Float[np.ndarray, " N"]
"""Signals of one length, one after the other."""
Positions = Int[np.ndarray, " peaks"]


def find_peaks(
    x: Shaped[np.ndarray, "*rows T"], height: float | None = None, distance: float | None = None
) -> Int[np.ndarray, "peaks ..."]:
    """Positions of local maxima that are high enough and far enough apart.

    A peak is a sample higher than both neighbours, or the middle (rounded down) of a run of equal
    samples higher than both sides. The first and last sample are never peaks; NaN is no peak, and
    neither is a neighbour of NaN. Peaks below ``height`` are dropped; then, from the highest down,
    each peak removes the lower ones less than ``distance`` samples away. Of equal peaks the
    earlier one goes first (in scipy that order is undefined; otherwise the results are the same).

    Args:
      x: one signal or several.
      height: lowest peak to keep; None keeps all.
      distance: smallest number of samples between peaks, at least 1; fractions round up.

    Returns:
      Ascending positions for one signal; for [...,T] the full index of each peak like
      `np.argwhere`, [N, x.ndim] in ascending order.

    Raises:
      InputError: distance below 1 or infinite, NaN height.
    """
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float64)
    check(height, distance)
    n_steps = x.shape[-1]
    if distance is not None:
        distance = min(distance, max(n_steps, 1))  # no peaks are further apart
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
        kept = peaks[unsuppressed(position, flat[peaks], distance)]
        return np.sort(np.r_[winners, kept], kind="stable")  # merges two ascending runs

    found = np.concatenate([np.zeros(0, np.int64), *map(find, tasks)])
    index = np.unravel_index(found, x.shape)
    return index[0] if x.ndim == 1 else np.stack(index, axis=-1)


def check(height: float | None, distance: float | None) -> None:
    """Raise InputError for a NaN height or a distance below 1."""
    if height is not None and math.isnan(height):
        raise InputError("height is NaN; it must be a number, or None to keep all peaks.")
    if distance is not None and not 1 <= distance < math.inf:
        raise InputError(f"distance={distance} must be at least 1 sample, and finite.")


def _settle(
    x: Flat, n_steps: int, height: float | None, distance: float | None, shift: int = 0
) -> tuple[Int[np.ndarray, " winners"], Positions]:
    """Peaks that stay for certain, and peaks out of their reach, which remain to be decided.

    Both ascend, and have ``shift`` added. ``x`` holds signals of ``n_steps`` each.
    """
    none = np.zeros(0, np.int64)
    if n_steps < 3 or not len(x):
        return none, none
    lowest = None if height is None else _at_least(height, x.dtype)
    reach = 1 if distance is None else math.ceil(distance)
    width = min(BLOCK, len(x))
    _, search = _blocks(x, lowest, width)
    if not (SHORTEST <= reach // 2 <= n_steps - 2 and search.mean() > 0.5):
        whole = np.zeros(len(search), np.int64), np.full(len(search), len(x))
        return none, _maxima(x, n_steps, lowest, width, search, *whole) + shift
    part = n_steps * max(1, CACHED // n_steps)
    parts = [
        _contest(x[i : i + part], n_steps, lowest, reach, shift + i) for i in range(0, len(x), part)
    ]
    winners, peaks = (np.concatenate(found) for found in zip(*parts, strict=True))
    return winners, peaks


def _contest(
    x: Flat, n_steps: int, height: np.floating | None, reach: int, shift: int
) -> tuple[Int[np.ndarray, " winners"], Positions]:
    """As `_settle`, where most of the signal is high and short blocks decide most of it."""
    width = min(BLOCK, reach // 2)
    highest, search = _blocks(x, height, width)
    winners, first, last = _winners(x, n_steps, highest, search, width, reach)
    # What winners leave of each block: from `free` to before `taken`.
    begin = np.arange(0, len(x), width)
    free, taken = begin.copy(), np.full(len(begin), len(x))
    block = winners // width
    free[block], taken[block] = last, first
    free = np.maximum.accumulate(free)
    taken = np.minimum.accumulate(taken[::-1])[::-1]
    search &= free < np.minimum(taken, begin + width)
    return winners + shift, _maxima(x, n_steps, height, width, search, free, taken) + shift


def _blocks(
    x: Flat, height: np.floating | None, width: int
) -> tuple[Float[np.ndarray, " blocks"], Bool[np.ndarray, " blocks"]]:
    """Maximum of each block of ``width`` samples, and whether there can be a peak in it."""
    highest = np.maximum.reduceat(x, np.arange(0, len(x), width))
    # The maximum is NaN where a sample is, and says nothing of the others.
    return highest, np.full(len(highest), True) if height is None else ~(highest < height)


def _at_least(height: float, dtype: np.dtype) -> np.floating:
    """The lowest number of ``dtype`` that is not below ``height``."""
    with np.errstate(over="ignore"):
        rounded = dtype.type(height)
    return rounded if float(rounded) >= height else np.nextafter(rounded, dtype.type(np.inf))


def _winners(
    x: Flat,
    n_steps: int,
    highest: Float[np.ndarray, " blocks"],
    search: Bool[np.ndarray, " blocks"],
    width: int,
    reach: int,
) -> tuple[Positions, Positions, Positions]:
    """Positions of samples that are higher than all within reach, and the slices in their reach.

    ``highest`` holds the maxima of blocks of ``width``, and ``search`` says which to look at.
    """
    rival = np.full(len(highest) + 4, -np.inf, x.dtype)
    rival[2:-2] = highest
    # Both neighbours of a block lie within the reach of all its samples.
    block = np.flatnonzero(search & (highest > rival[1:-3]) & (highest >= rival[3:-1]))
    block = block[block * width // n_steps == (block * width + width) // n_steps]  # in one row
    top = highest[block]
    at = np.flatnonzero(_take_blocks(x, width, block).reshape(-1, width) == top[:, None])
    at = at[np.searchsorted(at, np.arange(len(block)) * width)]  # the first where several are equal
    position = at + (block - np.arange(len(block))) * width
    row = position // n_steps * n_steps
    first, last = np.maximum(position - reach + 1, row), np.minimum(position + reach, row + n_steps)
    # Higher than the next sample, and no plateau that ends out of reach.
    wins = (position > row) & (position + 1 < last)
    wins &= x[np.minimum(position + 1, len(x) - 1)] < top
    wins &= (last == row + n_steps) | (x[last - 1] != x[np.minimum(last, len(x) - 1)])
    # The second neighbours, or what of them and beyond is within reach.
    near = reach <= 2 * width + 1
    unsure = np.flatnonzero(wins & ~(near & (rival[block] < top)))
    wins[unsure] = slice_max(x, first[unsure], block[unsure] * width) < top[unsure]
    unsure = np.flatnonzero(wins & ~(near & (rival[block + 4] <= top)))
    after = np.minimum(block[unsure] * width + width, last[unsure])
    wins[unsure] = slice_max(x, after, last[unsure]) <= top[unsure]
    return position[wins], first[wins], last[wins]


def _take_blocks(
    x: Flat, width: int, blocks: Int[np.ndarray, " some"]
) -> Float[np.ndarray, " samples"]:
    """Samples of the blocks of that number, one after the other; the last block may be short."""
    whole = len(x) // width
    rows = x[: whole * width].reshape(whole, width)
    if len(blocks) and blocks[-1] == whole:
        return np.concatenate([rows.take(blocks[:-1], axis=0).ravel(), x[whole * width :]])
    return rows.take(blocks, axis=0).ravel()


def _maxima(
    x: Flat,
    n_steps: int,
    height: np.floating | None,
    width: int,
    search: Bool[np.ndarray, " blocks"],
    free: Int[np.ndarray, " blocks"],
    taken: Int[np.ndarray, " blocks"],
) -> Positions:
    """Ascending local maxima that begin in the blocks to search, from `free` to before `taken`."""
    blocks = np.flatnonzero(search)
    first, last = blocks * width, np.minimum((blocks + 1) * width, len(x)) - 1
    sample = _take_blocks(x, width, blocks)
    starts = np.zeros(len(sample), bool)  # of a peak or plateau
    middle, inner = sample[1:-1], starts[1:-1]
    np.greater(middle, sample[:-2], out=inner)
    inner &= middle >= sample[2:]
    # The neighbour of a block's end is not always the next block that is searched.
    before, after = x[(first - 1).clip(0)], x[(first + 1).clip(max=len(x) - 1)]
    starts[::width] = (x[first] > before) & (x[first] >= after)
    before, after = x[(last - 1).clip(0)], x[(last + 1).clip(max=len(x) - 1)]
    starts[np.r_[width - 1 : len(starts) : width, len(starts) - 1][: len(blocks)]] = (
        x[last] > before
    ) & (x[last] >= after)
    if height is not None:
        starts &= sample >= height
    # Ends of rows have no neighbour on one side.
    ends = np.arange(0, len(x) + 1, n_steps)
    ends = np.concatenate([ends[:-1], ends[1:] - 1])
    ends = ends[search[ends // width]]
    starts[(np.cumsum(search) - 1)[ends // width] * width + ends % width] = False
    at = np.flatnonzero(starts)
    which = at // width
    start = at + ((blocks - np.arange(len(blocks))) * width)[which]
    inside = (start >= free[blocks][which]) & (start < taken[blocks][which])
    start, which = start[inside], which[inside]
    flat = x[start] == x[np.minimum(start + 1, len(x) - 1)]
    if not flat.any():
        return start
    middles, of = _plateaus(x, start[flat], n_steps)
    # A plateau may begin before the reach of a winner and have its middle within.
    return np.sort(np.r_[start[~flat], middles[middles < taken[blocks[which[flat][of]]]]])


def _plateaus(
    x: Flat, start: Int[np.ndarray, " runs"], n_steps: int
) -> tuple[Positions, Positions]:
    """Middles of the runs of equal samples that begin at ``start`` and fall at their end.

    With them, which of the starts they belong to.
    """
    end, open_ = start.copy(), np.arange(len(start))
    for _ in range(SHORT_RUN):
        longer = x[np.minimum(end[open_] + 1, len(x) - 1)] == x[start[open_]]
        open_ = open_[longer & (end[open_] + 1 < len(x))]
        if not len(open_):
            break
        end[open_] += 1
    else:
        change = np.r_[np.flatnonzero(x[1:] != x[:-1]), len(x) - 1]
        end[open_] = change[np.searchsorted(change, start[open_])]
    inside = end < start - start % n_steps + n_steps - 1
    falls = np.flatnonzero(inside & (x[np.minimum(end + 1, len(x) - 1)] < x[start]))
    return (start[falls] + end[falls]) // 2, falls
