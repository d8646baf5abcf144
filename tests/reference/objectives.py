"""Slow oracles of `sleepjax.objectives`."""

import math


def intervals(nights, start, steps):
    """The nights that a window of steps [start, start + steps) sees, cut to it, in its own steps.

    [((onset, wakeup), (onset inside, wakeup inside))], sorted.
    """
    seen = []
    for onset, wakeup in nights:
        inside = (start <= onset < start + steps, start <= wakeup < start + steps)
        if any(inside):
            seen.append(((max(onset - start, 0), min(wakeup - start, steps)), inside))
        elif onset < start and wakeup >= start + steps:
            seen.append(((0, steps), inside))
    return sorted(seen)


def votes(heat, offset, steps, rate, sigma):
    """Every frame's vote for every step: heat, offset [T',K] -> [T,K] lists."""
    width = max(sigma / 4, rate / 2)
    together = max(1.0, sigma * math.sqrt(2 * math.pi) / rate)
    result = []
    for step in range(steps):
        row = []
        for k in range(heat.shape[1]):
            total = 0.0
            for j in range(len(heat)):
                moved = min(max(offset[j, k], -2 * sigma), 2 * sigma)
                away = step - (j * rate + (rate - 1) / 2 + moved)
                total += heat[j, k] * math.exp(-0.5 * (away / width) ** 2)
            row.append(min(total / together, 1.0))
        result.append(row)
    return result
