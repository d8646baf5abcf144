"""Overlapping windows of predictions put together into one series."""

from __future__ import annotations

import numpy as np

from sleepjax.types import InputError


def stitch(windows: np.ndarray, starts: np.ndarray, length: int, *, trim: int = 0) -> np.ndarray:
    """Average overlapping windows, trusting each most at its centre.

    A window weighs 1 at its ends, rising by 1 per step towards its centre. Its first and last
    ``trim`` steps, which saw little context, are left out, except at the two ends of the series,
    where no other window can see more. What hangs over the ends of the series is cut.

    Args:
      windows: [N,T,K] predictions.
      starts: [N] row of the series at which each window begins; may be negative.
      length: rows in the series.
      trim: steps to leave out at each inner window edge.

    Returns:
      [length,K] float32.

    Raises:
      InputError: a row of the series lies in no window, or trim leaves nothing of a window.
    """
    windows, starts = np.asarray(windows), np.asarray(starts)
    if windows.ndim != 3 or starts.shape != windows.shape[:1]:
        raise InputError(
            f"windows must be [N,T,K] with one start each; got {windows.shape} and {starts.shape}."
        )
    _, size, n_classes = windows.shape
    if not 0 <= 2 * trim < size:
        raise InputError(
            f"trim={trim} must be at least 0 and below half the window of {size} steps."
        )
    ramp = np.arange(1, size + 1)
    weight = np.minimum(ramp, ramp[::-1]).astype(np.float64)
    total = np.zeros((length, n_classes))
    weights = np.zeros(length)
    for window, start in zip(windows, starts.tolist(), strict=True):
        first = trim if start > 0 else -start
        last = size - trim if start + size < length else length - start
        if first >= last:
            continue
        rows, part = slice(start + first, start + last), slice(first, last)
        total[rows] += weight[part, None] * window[part]
        weights[rows] += weight[part]
    uncovered = np.flatnonzero(weights == 0)
    if len(uncovered):
        raise InputError(
            f"{len(uncovered)} of {length} rows lie in no window, rows {uncovered[0]} to "
            f"{uncovered[-1]}; use windows that reach both ends, with a stride of at most "
            f"{size - 2 * trim} steps (window {size} less trim {trim} at each side)."
        )
    return (total / weights[:, None]).astype(np.float32)
