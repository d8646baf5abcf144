"""The features that do not depend on the device, from their words, one step at a time."""

import math
import statistics
from typing import Any

import numpy as np


def _near(values, t, reach):
    """What is known of the steps up to ``reach`` before and after one."""
    return [v for v in values[max(t - reach, 0) : t + reach + 1] if v is not None]


def by_device(anglez, enmo, valid):
    """Name -> list of T values; a step of which nothing is known has 0."""
    n = len(anglez)
    angle: Any = [float(a) if ok else None for a, ok in zip(anglez, valid, strict=True)]
    move = [float(e) if ok else None for e, ok in zip(enmo, valid, strict=True)]
    known = [m for m in move if m is not None]
    quiet = min(float(np.quantile(known, 0.1)), 0.015) if known else 0.0

    change: Any = [None] * (n + 1)  # change[t] is from step t - 1 to t
    for t in range(1, n):
        if angle[t] is not None and angle[t - 1] is not None:
            change[t] = abs(angle[t] - angle[t - 1])
    moved = [c for c in change if c]
    floor = min(max(float(np.quantile(moved, 0.1)) if moved else 0.0, 0.03), 2.5)
    turning = []
    for t in range(n):
        both = [c for c in change[t : t + 2] if c is not None]
        turning.append(sum(both) / len(both) if both else None)
    minute = []
    for t in range(n):
        near = _near(angle, t, 6)
        minute.append(sum(near) / len(near) if near else None)

    loud = lambda e: math.log(max(e - quiet, 0) * 1000 + 1)
    degrees = lambda d: math.log(max(d, floor))
    found = {k: [0.0] * n for k in ("movement", "movement_5min", "turn", "turn_5min")}
    found |= {"turn_range": [0.0] * n, "anglez_abs": [0.0] * n}
    for t in range(n):
        if not valid[t]:
            continue
        near = _near(move, t, 30)
        found["movement"][t] = (loud(move[t]) - 2.3) / 1.7
        found["movement_5min"][t] = (loud(sum(near) / len(near)) - 2.7) / 1.6
        middle = _near(turning, t, 30)
        now = degrees(0 if turning[t] is None else turning[t])
        found["turn"][t] = (now + 0.7) / 2.4
        usual = degrees(statistics.median(middle) if middle else 0)
        found["turn_5min"][t] = (usual + 0.7) / 2.4
        span = _near(minute, t, 30)
        found["turn_range"][t] = (math.log(1 + max(span) - min(span)) - 2.8) / 1.4
        found["anglez_abs"][t] = (abs(angle[t]) - 27) / 21
    return found
