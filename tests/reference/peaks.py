"""Peaks one sample at a time, and suppression one peak at a time."""

import math


def find_peaks(x, height=None, distance=None):
    """Positions in the plain sense of the definition, of a list of numbers."""
    peaks = []
    for start in range(1, len(x) - 1):
        if not x[start - 1] < x[start]:
            continue
        end = start
        while end + 1 < len(x) and x[end + 1] == x[start]:
            end += 1
        if end + 1 < len(x) and x[end + 1] < x[start]:
            peaks.append((start + end) // 2)
    if height is not None:
        peaks = [i for i in peaks if x[i] >= height]
    if distance is not None:
        peaks = suppress(peaks, [x[i] for i in peaks], distance)
    return peaks


def suppress(peaks, heights, distance):
    """Positions that stay when, from the highest down, each removes those in its reach."""
    kept = []
    for _, i in sorted((-height, i) for i, height in zip(peaks, heights, strict=True)):
        if all(abs(i - j) >= math.ceil(distance) for j in kept):
            kept.append(i)
    return sorted(kept)
