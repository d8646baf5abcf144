"""Slow, obvious losses and targets: one frame and one class at a time, in plain Python."""

import math

from sleepjax.types import TOLERANCES


def tolerance_target(distance, drops):
    """Fraction of tolerances met by an event this far away; those below 1 fall by drops tenths."""
    best = max((1 - i / 10 for i, tol in enumerate(TOLERANCES) if abs(distance) < tol), default=0)
    return best if best == 1 else max(best - drops / 10, 0)


def bce(logits, targets, mask, weights):
    """(sum, count) over lists [T][K]."""
    total = count = 0.0
    for x_frame, y_frame, m in zip(logits, targets, mask, strict=True):
        for x, y, w in zip(x_frame, y_frame, weights, strict=True):
            p = 1 / (1 + math.exp(-x))
            total += m * w * (-y * math.log(p) - (1 - y) * math.log(1 - p))
            count += m * w
    return total, count
