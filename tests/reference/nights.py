"""Parameters of nights and people, computed slowly with loops over steps, hours and nights."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean, stdev

ASLEEP, AWAKE, UNKNOWN = 1, 0, -1
EPOCH = timedelta(seconds=30)


def window(states: Sequence[int]) -> dict[str, float | int | None]:
    """Sums of one window, in minutes, from the state of each 5-second step."""
    minutes = {state: 0.0 for state in (ASLEEP, AWAKE, UNKNOWN)}
    bouts, run, before = [], 0, UNKNOWN
    for i, state in enumerate(states):
        minutes[state] += 5 / 60
        if state == AWAKE:
            run += 1
            ends = i + 1 < len(states) and states[i + 1] == ASLEEP
            if ends and before == ASLEEP:
                bouts.append(run * 5 / 60)
        else:
            run, before = 0, state
    known = minutes[ASLEEP] + minutes[AWAKE]
    return {
        "spt_min": len(states) * 5 / 60,
        "tst_min": minutes[ASLEEP],
        "waso_min": minutes[AWAKE],
        "unknown_min": minutes[UNKNOWN],
        "maintenance_efficiency": minutes[ASLEEP] / known if known else None,
        "awakenings": len(bouts),
        "awakening_mean_min": fmean(bouts) if bouts else None,
        "awakening_longest_min": max(bouts) if bouts else None,
    }


def sri(states: dict[datetime, int]) -> tuple[float | None, int]:
    """Phillips' index and its pairs, from the state of epochs by the time they begin (UTC)."""
    same = pairs = 0
    for time, state in states.items():
        later = states.get(time + timedelta(days=1), UNKNOWN)
        if state != UNKNOWN and later != UNKNOWN:
            pairs += 1
            same += state == later
    return (-100 + 200 * same / pairs if pairs >= 2880 else None), pairs


def sri_days(states: Sequence[tuple[datetime, int]]) -> list[tuple[float, float]]:
    """(index, known share) of each pair of calendar days, from (local time, state) of epochs."""
    first: dict[datetime, int] = {}
    for time, state in states:
        first.setdefault(time, state)
    results = []
    day = min(first).replace(hour=0, minute=0, second=0)
    while day <= max(first):
        same = pairs = 0
        for k in range(2880):
            a = first.get(day + k * EPOCH, UNKNOWN)
            b = first.get(day + timedelta(days=1) + k * EPOCH, UNKNOWN)
            if a != UNKNOWN and b != UNKNOWN:
                pairs += 1
                same += a == b
        if pairs:
            results.append((-100 + 200 * same / pairs, pairs / 2880))
        day += timedelta(days=1)
    return results


def rhythm(hours: Sequence[tuple[int, float | None]]) -> dict[str, float | None] | None:
    """van Someren's parameters from (clock hour, mean) of successive hours; None means missing."""
    known = [(hour, value) for hour, value in hours if value is not None]
    of_hour = {h: [value for hour, value in known if hour == h] for h in range(24)}
    if min(len(values) for values in of_hour.values()) < 2:
        return None
    everything = [value for _, value in known]
    mean = fmean(everything)
    total = sum((value - mean) ** 2 for value in everything)
    between = sum(len(values) * (fmean(values) - mean) ** 2 for values in of_hour.values())
    steps = [
        (b - a) ** 2
        for (_, a), (_, b) in zip(hours, hours[1:], strict=False)
        if a is not None and b is not None
    ]
    profile = [fmean(of_hour[h]) for h in range(24)]
    runs = {n: [fmean(profile[(h + k) % 24] for k in range(n)) for h in range(24)] for n in (5, 10)}
    low, high = min(runs[5]), max(runs[10])
    return {
        "is": between / total if total else None,
        "iv": fmean(steps) / (total / len(everything)) if total and steps else None,
        "ra": (high - low) / (high + low) if high + low else None,
        "l5_mg": low,
        "m10_mg": high,
    }


def ggir_is_iv(hours: Sequence[float]) -> tuple[float, float]:
    """The formulas of GGIR's g.IVIS for whole days, p = 24 and N hours."""
    n, mean = len(hours), fmean(hours)
    profile = [fmean(hours[h::24]) for h in range(24)]
    total = sum((x - mean) ** 2 for x in hours)
    stability = n * sum((x - mean) ** 2 for x in profile) / (24 * total)
    steps = sum((b - a) ** 2 for a, b in zip(hours, hours[1:], strict=False))
    return stability, n * steps / ((n - 1) * total)


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean."""
    return fmean(values) if values else None


def clock_mean(hours: Sequence[float]) -> float | None:
    """Mean of clock times on the circle."""
    total = sum(cmath.exp(2j * math.pi * hour / 24) for hour in hours)
    return cmath.phase(total) * 24 / (2 * math.pi) % 24 if hours else None


def clock_sd(hours: Sequence[float]) -> float | None:
    """Standard deviation of clock times around their mean on the circle."""
    middle = clock_mean(hours)
    if middle is None:
        return None
    away = [(hour - middle + 12) % 24 - 12 for hour in hours]
    return math.sqrt(sum(x**2 for x in away) / (len(away) - 1)) if len(away) > 1 else None


def sd(values: Sequence[float]) -> float | None:
    """Standard deviation of a sample."""
    return stdev(values) if len(values) > 1 else None


def social_jetlag(weekday: float | None, weekend: float | None) -> float | None:
    """Wittmann 2006, of two midpoints, the shorter way round the clock."""
    if weekday is None or weekend is None:
        return None
    return (weekend - weekday + 12) % 24 - 12
