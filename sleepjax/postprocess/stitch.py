"""Overlapping windows of predictions put together into one series."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from sleepjax.types import InputError


def stitch(
    windows: Sequence[Float[np.ndarray, "T K"]] | Float[np.ndarray, "N T K"],
    starts: Int[np.ndarray, " N"],
    length: int,
    *,
    trim: int = 0,
) -> Float[np.ndarray, "{length} K"]:
    """Average overlapping windows, trusting each most at its centre.

    A window weighs 1 at its ends, rising by 1 per step towards its centre. Its first and last
    ``trim`` steps, which saw little context, are left out, except at the two ends of the series,
    where no other window can see more. What hangs over the ends of the series is cut.

    Args:
      windows: predictions.
      starts: row of the series at which each window begins; may be negative.
      length: rows in the series.
      trim: steps to leave out at each inner window edge.

    Returns the predictions at each row, float32.

    Raises:
      InputError: a row of the series lies in no window, or trim leaves nothing of a window.
    """
    size, n_classes = windows[0].shape if len(windows) else np.shape(windows)[1:]
    if not 0 <= 2 * trim < size:
        raise InputError(
            f"trim={trim} must be at least 0 and below half the window of {size} steps."
        )
    first = np.where(starts > 0, starts + trim, 0)
    last = np.where(starts + size < length, starts + size - trim, length)
    # A number for each class: products of arrays of one shape are several times faster.
    weight = np.repeat(centre_weights(size)[:, None], n_classes, axis=1)
    result = np.zeros((length, n_classes), np.float32)
    edges = np.unique(np.concatenate([[0, length], first.clip(0, length), last.clip(0, length)]))
    for low, high in pairwise(edges.tolist()):
        among = np.flatnonzero((first <= low) & (high <= last)).tolist()
        if not among:
            raise InputError(
                f"{high - low} of {length} rows lie in no window, rows {low} to {high - 1}; use "
                f"windows that reach both ends, with a stride of at most {size - 2 * trim} steps "
                f"(window {size} less trim {trim} at each side)."
            )
        parts = [slice(low - start, high - start) for start in starts[among].tolist()]
        if len(among) == 1:  # most rows, where windows overlap little
            result[low:high] = windows[among[0]][parts[0]]
            continue
        weights = [weight[part] for part in parts]
        each = zip(weights, among, parts, strict=True)
        total = reduce(np.add, (w * windows[i][part] for w, i, part in each))
        result[low:high] = total / reduce(np.add, weights)
    return result


def centre_weights(size: int) -> Float[np.ndarray, " {size}"]:
    """Weight of each step of a window: 1 at its ends, 1 more per step towards its centre."""
    ramp = np.arange(1, size + 1)
    return np.minimum(ramp, ramp[::-1]).astype(np.float64)


def latest(
    windows: Float[np.ndarray, "N T K"],
    starts: Int[np.ndarray, " N"],
    length: int,
    *,
    stride: int,
    latency: int,
) -> Float[np.ndarray, "{length} K"]:
    """One series of windows that each saw nothing after their end: each row by the latest allowed.

    Args:
      windows: predictions; those of a window that begins before row 0 start at row 0.
      starts: rows; window i ends before row ``(i + 1) * stride``, the last one with the series.
      length: rows in the series.
      stride: rows from the end of one window to that of the next, at most ``latency``.
      latency: rows after its own that a row's prediction may have seen.

    Returns the predictions at each row, float32. The last window answers only for rows for which
    the next one would.
    """
    rows = np.arange(length)
    window = np.minimum((rows + latency) // stride, len(windows)) - 1
    return windows[window, rows - np.maximum(starts[window], 0)].astype(np.float32)
