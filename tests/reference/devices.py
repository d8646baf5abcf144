"""Slow and obvious versions of what `sleepjax.devices` computes, sample by sample."""

from __future__ import annotations

import math
from statistics import median, stdev

import numpy as np

EPOCH = 5_000_000_000
TICK = 100_000_000


def epochs(time: np.ndarray, xyz: np.ndarray, rate: float) -> dict[int, tuple[float, float]]:
    """Epoch since 1970 -> (anglez in degrees, enmo in g), of those that are measured.

    Args:
      time: ns, increasing.
      xyz: g, [3,N].
      rate: samples per second.
    """
    first, last = int(time[0]) // EPOCH, int(time[-1]) // EPOCH
    ticks = range(first * 50, (last + 1) * 50)
    values = [_tick(tick * TICK, time, xyz, 1e9 / rate) for tick in ticks]
    angles = _angles(values)
    found = {}
    for epoch in range(first, last + 1):
        inside = [i for i in range(len(time)) if int(time[i]) // EPOCH == epoch]
        rows = range((epoch - first) * 50, (epoch - first + 1) * 50)
        known = [angles[row] for row in rows if values[row] is not None]
        if len(inside) < 2.5 * rate or len(known) < 25:
            continue
        enmo = [max(math.dist(xyz[:, i], (0, 0, 0)) - 1, 0) for i in inside]
        found[epoch] = sum(known) / len(known), sum(enmo) / len(enmo)
    return found


def _tick(moment: int, time: np.ndarray, xyz: np.ndarray, period: float):
    """The newest sample at a moment, or half a period (at most 50 ms) after it."""
    newest = None
    for i in range(len(time)):
        if time[i] <= moment + int(min(period, TICK) / 2):
            newest = i
    if newest is None or moment - time[newest] > max(TICK, 1.5 * period):
        return None
    return tuple(float(x) for x in xyz[:, newest])


def _angles(values: list) -> list[float]:
    """Angle of every tick, with what is missing taken from the nearest tick, the earlier first."""
    known = [i for i, value in enumerate(values) if value is not None]
    filled = [values[min(known, key=lambda k: (abs(k - i), k))] for i in range(len(values))]
    last = len(filled) - 1
    angles = []
    for i in range(len(filled)):
        around = [filled[min(max(j, 0), last)] for j in range(i - 25, i + 26)]
        x, y, z = (median(one[axis] for one in around) for axis in range(3))
        angles.append(math.degrees(math.atan2(z, math.hypot(x, y))))
    return angles


def nonwear(blocks: list[np.ndarray]) -> list[bool]:
    """GGIR's rule of 2023 for quarter hours of values [3,N] at five a second.

    Follows ``detect_nonwear_clipping`` and ``g.weardec`` line by line, with indices from 1.
    """
    n = len(blocks)
    marks = [[0, 0, 0] for _ in range(n)]
    for h in range(n):
        hour = np.concatenate(blocks[h : h + 4], axis=1)
        for axis in range(3):
            values = hour[axis].tolist()
            if len(values) < 2 or max(values) - min(values) >= 0.150 or stdev(values) >= 0.013:
                continue
            for quarter in range(h, min(h + 4, n)):
                marks[quarter][axis] = 1
    score = [sum(mark) for mark in marks]
    for i in [i for i in range(n) if score[i] == 1]:
        if 0 < i < n - 1 and score[i - 1] > 1 and score[i + 1] > 1:
            score[i] = 2
    return plausible([s >= 2 for s in score])


def plausible(still: list[bool]) -> list[bool]:
    """``g.weardec``: three passes; r1 is the non-wear found, r3 what is added to it."""
    r1 = [0, *map(int, still), 0]
    r3 = _additional(r1, [0] * len(r1), edges=True)
    r1, r3 = r1[1:-1], r3[1:-1]
    for _ in range(2):
        r1b = [0, *(int(a or b) for a, b in zip(r1, r3, strict=True)), 0]
        r3 = _additional(r1b, [0, *r3, 0], edges=False)[1:-1]
    return [bool(a or b) for a, b in zip(r1, r3, strict=True)]


def _additional(s1: list[int], s3: list[int], *, edges: bool) -> list[int]:
    s3 = [None, *s3]  # type: ignore[list-item] # R counts from 1
    n_long = len(s1) - 2
    change = [s1[i + 1] - s1[i] for i in range(len(s1) - 1)]
    ch1 = [i + 2 for i, c in enumerate(change) if c == 1]
    ch2 = [i + 2 for i, c in enumerate(change) if c == -1]
    for w in range(len(ch1) - 1):
        wear, after, before = ch1[w + 1] - ch2[w], ch2[w + 1] - ch1[w + 1], ch2[w] - ch1[w]
        share = wear / (after + before)
        doubtful = (wear < 24 and share < 0.3) or (wear < 12 and share < 0.8)
        if ch1[w] > n_long - 96 and wear < 12 and before > 4:
            doubtful = True
        if doubtful:
            for i in range(ch2[w], ch1[w + 1]):
                s3[i] = 1
    if edges and ch1:
        if 1 < ch1[0] < 12:
            for i in range(1, ch1[0]):
                s3[i] = 1
        if ch2[-1] > len(s1) - 12 and ch2[-1] != len(s1):
            for i in range(ch2[-1], len(s1) + 1):
                s3[i] = 1
    return s3[1:]


def calibrate(still: np.ndarray, rounds: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """(scale, offset) by van Hees 2014: straight lines to the nearest points of the sphere."""
    scale, offset, weights = np.ones(3), np.zeros(3), np.ones(len(still))
    before = math.inf
    for _ in range(rounds):
        now = offset + scale * still
        nearest = now / np.linalg.norm(now, axis=1)[:, None]
        fitted = np.empty_like(now)
        for axis in range(3):
            slope, shift = np.polyfit(now[:, axis], nearest[:, axis], 1, w=np.sqrt(weights))
            scale[axis], offset[axis] = scale[axis] * slope, offset[axis] * slope + shift
            fitted[:, axis] = now[:, axis] * slope + shift
        distance = np.linalg.norm(fitted - nearest, axis=1)
        residual = float((weights * distance**2).sum() / weights.sum())
        weights = np.array([min(1 / max(d, 1e-12), 100.0) for d in distance])
        if abs(residual - before) < 1e-10:
            break
        before = residual
    return scale, offset
