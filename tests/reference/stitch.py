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


def latest(starts, size, length, stride, latency):
    """For each row: (window that answers, row in it). Windows end at multiples of the stride and
    where the series does; the last one to end at most ``latency`` rows after a row answers for it,
    where that one's end lies beyond the series, the last of all."""
    answers = []
    for row in range(length):
        end = stride
        while end + stride <= row + latency:
            end += stride
        window = [start + size for start in starts].index(min(end, length))
        answers.append((window, row - max(starts[window], 0)))
    return answers
