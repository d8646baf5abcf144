"""Behaviour of a person of the population ``world`` from going to bed to getting up."""

import numpy as np

from sleepjax.simulation.behaviour import (
    ASLEEP,
    HOUR,
    IN_BED,
    LIGHT,
    MINUTE,
    QUIET,
    SITTING,
    STILL,
    Behaviour,
    Night,
    day_bouts,
    fill,
    lay_quiet_evening,
    separate,
)
from sleepjax.simulation.people import Person
from sleepjax.simulation.recording_clock import Clock
from sleepjax.simulation.schedule import Sleep, draw_sleeps
from sleepjax.types import STEP_SECONDS


def draw_world_behaviour(rng: np.random.Generator, person: Person, clock: Clock):
    """(behaviour, in bed as bool [T]) of a person who goes about their days."""
    mode = day_bouts(rng, person.traits, clock)
    in_bed = np.zeros(clock.n_steps, dtype=bool)
    stirs: list[int] = []
    nights: list[Night] = []
    up = 0
    for sleep in draw_sleeps(rng, person, clock):
        night = _lay_sleep(rng, person, mode, stirs, sleep, up)
        in_bed[max(night.bed, 0) : max(night.rise, 0)] = True
        nights.append(night)
        up = night.rise
    rows = np.array(stirs, dtype=np.int64)
    rows = np.sort(rows[(rows >= 0) & (rows < clock.n_steps)])
    return Behaviour(mode, rows, tuple(nights)), in_bed


def _lay_sleep(rng, person: Person, mode, stirs: list[int], sleep: Sleep, up: int) -> Night:
    """Write one sleep with the time awake around it; ``up`` is the row since which they are up."""
    traits = person.traits
    onset, wakeup = sleep.onset, sleep.wakeup
    latency = rng.lognormal(np.log(traits.latency * (0.6 if sleep.nap else 1.0)), 0.6)
    bed = max(onset - int(min(latency, 150) * MINUTE) - 6, up + 5 * MINUTE)
    onset = max(onset, bed + 6)
    wakeup = max(wakeup, onset + 5 * MINUTE)
    rise = wakeup
    if rng.random() < traits.lie_in:
        rise += int(min(rng.lognormal(np.log(12), 0.9), 100) * MINUTE)
    if not sleep.nap and bed > up + HOUR and rng.random() < traits.quiet_evening:
        lay_quiet_evening(rng, mode, bed)
    _lay_awake(rng, person, mode, bed, onset)
    fill(mode, onset, wakeup, ASLEEP)
    _lay_awake(rng, person, mode, wakeup, rise, reading=0.4)
    awakenings = [] if sleep.nap else _draw_awakenings(rng, person, onset, wakeup)
    for start, end in awakenings:
        if rng.random() < 0.2:
            fill(mode, start, end, LIGHT)
        else:
            _lay_awake(rng, person, mode, start, end, reading=0.1)
    moments = [(bed, 1.0), (onset - 3, 0.6 * person.stirring), (wakeup, person.stirring)]
    moments += [(rise, 1.0)]
    moments += [(row, person.stirring) for span in awakenings for row in (span[0], span[1] - 2)]
    for row, chance in moments:
        if rng.random() < chance:
            stirs += [row, row + int(rng.integers(1, 3))]
    stirs += _periodic(rng, person, onset, wakeup)
    return Night(bed, onset, wakeup, rise, tuple(awakenings))


def _lay_awake(rng, person: Person, mode, start: int, end: int, reading: float = 0.6) -> None:
    """Lying awake: sometimes reading or fidgeting first, then nearly motionless or not."""
    row = start
    if rng.random() < reading:
        row += int(rng.uniform(0.2, 0.9) * (end - start))
        fill(mode, start, row, int(rng.choice((SITTING, SITTING, IN_BED, STILL))))
    while row < end:
        stop = min(row + int(rng.lognormal(np.log(12), 0.8) * MINUTE) + 1, end)
        fill(mode, row, stop, QUIET if rng.random() < person.quiet else IN_BED)
        row = stop


def _draw_awakenings(rng, person: Person, onset: int, wakeup: int) -> list[tuple[int, int]]:
    """Many short awakenings, few long ones; a fifth of the nights has one near an end."""
    traits = person.traits
    spans = [
        (where, min(rng.lognormal(np.log(4.5), 1.0), 45.0))
        for where in rng.random(int(rng.poisson(min(traits.awakenings, 12))))
    ]
    if rng.random() < 0.2:  # close to an end of the night, where it competes with that end
        edge = rng.uniform(0.01, 0.08)
        spans.append((edge if rng.random() < 0.5 else 1 - edge, rng.uniform(4, 28)))
    if rng.random() < traits.split:
        spans.append((rng.uniform(0.1, 0.9), min(rng.lognormal(np.log(50), 0.4), 110.0)))
    minutes = (wakeup - onset) / MINUTE
    for ends_so in (False, True):
        if rng.random() < person.dozing and minutes > 180:
            for where, awake in _dozing(rng):
                start = minutes - where - awake if ends_so else where
                spans.append((start / minutes, awake))
    return separate(onset, wakeup, sorted(spans))


def _dozing(rng) -> list[tuple[float, float]]:
    """(minutes from the first sleep, minutes awake) of a night that begins in pieces."""
    spans, where = [], 0.0
    for _ in range(rng.integers(1, 6)):
        where += rng.uniform(3, 9)
        awake = min(rng.lognormal(np.log(9), 0.8), 40.0)
        spans.append((where, awake))
        where += awake
    return spans


def _periodic(rng, person: Person, onset: int, wakeup: int) -> list[int]:
    """Rows of movements that return for a while: breathing that stops, or legs that kick."""
    total = person.periodic * (wakeup - onset)
    rows: list[int] = []
    while total > MINUTE:
        length = min(rng.uniform(3, 50) * MINUTE, total)
        start = rng.uniform(onset + 5 * MINUTE, max(wakeup - length, onset + 6 * MINUTE))
        gaps = person.period * rng.uniform(0.6, 1.4, int(length * STEP_SECONDS / person.period) + 1)
        times = start + np.cumsum(gaps) / STEP_SECONDS
        rows += times[rng.random(len(times)) < 0.6].astype(int).tolist()
        total -= length
    return rows
