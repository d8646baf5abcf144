"""Slow readings of the simulator's rules, one row at a time."""

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
