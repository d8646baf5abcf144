"""Slow readings of the simulator's rules, one row at a time."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def timestamps(start, n_steps, zone="America/New_York"):
    """Text of every row of a recording that starts at UTC second ``start``."""
    texts = []
    for row in range(n_steps):
        moment = datetime.fromtimestamp(start + 5 * row, UTC).astimezone(ZoneInfo(zone))
        texts.append(moment.strftime("%Y-%m-%dT%H:%M:%S%z"))
    return texts


def windows(asleep, shortest, longest_break):
    """(onset, wakeup) of every window by the annotation rules, before nights are considered."""
    found, row, n = [], 0, len(asleep)
    while row < n:
        if not asleep[row]:
            row += 1
            continue
        onset, end, awake = row, row + 1, 0
        row += 1
        while row < n and awake <= longest_break:
            if asleep[row]:
                end, awake = row + 1, 0
            else:
                awake += 1
            row += 1
        row = end
        if end - onset >= shortest:
            found.append((onset, end))
    return found


def persistent_sleep(asleep, steps, share):
    """(start, end) from the first to the last window of ``steps`` that is mostly sleep."""
    good = [
        row
        for row in range(len(asleep) - steps + 1)
        if sum(asleep[row : row + steps]) >= share * steps
    ]
    if not good:
        return None
    rows = [row for row in range(good[0], good[-1] + steps) if asleep[row]]
    return rows[0], rows[-1] + 1


def positive_part(mean, sd, points=20_001):
    """Mean of max(x, 0) for x normal, by adding up."""
    step = 16 / (points - 1)
    total = 0.0
    for k in range(points):
        z = -8 + k * step
        total += max(mean + sd * z, 0.0) * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * step
    return total
