"""Stitching row by row: each row asks every window what it says, and weighs the answers."""

import numpy as np


def stitch(windows, starts, length, trim=0):
    """[length,K], NaN where no window speaks."""
    size = windows.shape[1]
    result = np.full((length, windows.shape[2]), np.nan)
    for row in range(length):
        said, trust = [], []
        for window, start in zip(windows, starts, strict=True):
            i = row - start
            near_start = i < trim and start > 0
            near_end = i >= size - trim and start + size < length
            if 0 <= i < size and not near_start and not near_end:
                said.append(window[i])
                trust.append(min(i + 1, size - i))
        if said:
            result[row] = np.average(said, axis=0, weights=trust)
    return result
