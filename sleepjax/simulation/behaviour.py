"""Behaviour of a participant: bouts of the day, and nights with all that disturbs them."""

from dataclasses import dataclass

import numpy as np

from sleepjax.simulation.participant import Participant
from sleepjax.simulation.recording_clock import DAY, Clock
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE

ASLEEP, IN_BED, STILL, SITTING, LIGHT, ACTIVE, TABLE, QUIET = range(8)
"""What the wrist does at a step: sleep, lying awake, sitting very still (television), sitting,
light activity, activity, lying off the wrist on a table without the device noticing, and lying
awake nearly motionless (population ``world`` only)."""

MINUTE, HOUR = STEPS_PER_MINUTE, STEPS_PER_HOUR


@dataclass(frozen=True)
class Night:
    """One night in rows: lying down, falling asleep, waking up, rising, and awakenings."""

    bed: int
    onset: int
    wakeup: int
    rise: int
    awakenings: tuple[tuple[int, int], ...]
    """(first row awake, first row asleep again) of each."""


@dataclass(frozen=True)
class Behaviour:
    """The latent course of a recording."""

    mode: np.ndarray
    """int8 [T], one of ASLEEP .. QUIET."""
    stirs: np.ndarray
    """int64 [N], rows where a movement certainly begins, such as settling down before sleep."""
    nights: tuple[Night, ...]


def draw_behaviour(rng: np.random.Generator, person: Participant, clock: Clock) -> Behaviour:
    """Fill the days with bouts, then lay evenings, nights, mornings and naps over them."""
    mode = day_bouts(rng, person, clock)
    stirs: list[int] = []
    onsets, wakeups = _sleep_times(rng, person, clock)
    nights = []
    for onset, wakeup in zip(onsets, wakeups, strict=True):
        nights.append(_lay_night(rng, person, mode, stirs, int(onset), int(wakeup)))
        if rng.random() < person.nap:
            _lay_nap(rng, mode, stirs, int(wakeup))
        if rng.random() < 0.15:
            start = int(wakeup) + int(rng.uniform(1, 12) * HOUR)
            fill(mode, start, start + int(rng.uniform(8, 50) * MINUTE), TABLE)
    rows = np.array(stirs, dtype=np.int64)
    return Behaviour(mode, np.sort(rows[(rows >= 0) & (rows < clock.n_steps)]), tuple(nights))


def fill(mode: np.ndarray, start: int, end: int, value: int) -> None:
    """Set the rows from ``start`` to ``end`` that lie inside the recording."""
    mode[max(start, 0) : max(end, 0)] = value


def _sleep_times(rng: np.random.Generator, person: Participant, clock: Clock):
    """Rows of falling asleep and waking up of every night that can touch the recording."""
    n_nights = clock.n_steps // (24 * HOUR) + 3
    evening = clock.midnight + DAY * np.arange(-1, n_nights - 1, dtype=np.int64)
    weekday = (evening // DAY + 3) % 7  # 0 is Monday
    free = ((weekday == 4) | (weekday == 5)).astype(float)
    spread = np.sqrt(3 / rng.chisquare(3, (2, n_nights))).clip(max=3.2)  # a few nights are far off
    onset_noise, wake_noise = rng.normal(size=(2, n_nights)) * spread
    onset = person.onset_clock + free * person.weekend_onset + person.onset_sd * onset_noise
    wake = person.wake_clock + 24 + free * person.weekend_wake
    wake = wake + person.wake_sd * (0.35 * onset_noise + 0.94 * wake_noise)
    onset = np.clip(onset, 18.8, 30.0)
    wake = np.clip(wake, onset + rng.uniform(3.0, 5.0, n_nights), onset + 12.4)
    rows = clock.rows_at(evening + np.stack([onset, wake]) * 3600)
    return rows[0], rows[1]


# Chance of STILL, SITTING, LIGHT, ACTIVE when a bout begins, by the local hour.
_NIGHT_BOUTS = (0.10, 0.50, 0.34, 0.06)
_SCHOOL_BOUTS = (0.02, 0.44, 0.38, 0.16)
_AFTERNOON_BOUTS = (0.02, 0.34, 0.42, 0.22)
_EVENING_BOUTS = (0.05, 0.45, 0.37, 0.13)
_BOUTS = np.array(
    [_NIGHT_BOUTS] * 7 + [_SCHOOL_BOUTS] * 8 + [_AFTERNOON_BOUTS] * 4 + [_EVENING_BOUTS] * 5
)
_BOUT_MINUTES = np.array([9.0, 9.0, 5.0, 4.0])


def day_bouts(rng: np.random.Generator, person: Participant, clock: Clock) -> np.ndarray:
    """int8 [T]: bouts of sitting, light and full activity, as if nobody ever slept."""
    n_bouts = clock.n_steps // (4 * MINUTE) + 50
    first_hour = (clock.start + clock.offsets[0][1]) % DAY / 3600
    # What is done depends on the hour, and the hour on what was done before: guess, then refine.
    kind = np.ones(n_bouts, dtype=np.int64)
    odds = _BOUTS * np.exp(person.sedentary * np.array([1.0, 1.0, 0.0, -1.0]))
    cumulative = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
    uniform = rng.random(n_bouts)
    scale = rng.lognormal(0, 0.8, n_bouts)
    for _ in range(2):
        hour = (first_hour + np.cumsum(_bout_steps(kind, scale)) / HOUR).astype(np.int64) % 24
        kind = (uniform[:, None] > cumulative[hour]).sum(axis=1).clip(max=3)
    return np.repeat(kind + STILL, _bout_steps(kind, scale))[: clock.n_steps].astype(np.int8)


def _bout_steps(kind: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.maximum(6, _BOUT_MINUTES[kind] * scale * MINUTE).astype(np.int64)


def _lay_night(rng, person: Participant, mode, stirs: list[int], onset: int, wakeup: int) -> Night:
    """Write one night into ``mode`` and its certain movements into ``stirs``."""
    bed = onset - int(min(rng.lognormal(np.log(person.latency), 0.65), 90) * MINUTE) - 6
    rise = wakeup
    if rng.random() < person.lie_in:
        rise += int(min(rng.lognormal(np.log(12), 0.8), 100) * MINUTE)
    if rng.random() < person.quiet_evening:
        lay_quiet_evening(rng, mode, bed)
    fill(mode, bed, onset, IN_BED)
    fill(mode, onset, wakeup, ASLEEP)
    fill(mode, wakeup, rise, IN_BED)
    awakenings = _draw_awakenings(rng, person, onset, wakeup)
    for start, end in awakenings:
        kind = LIGHT if rng.random() < 0.25 else IN_BED
        fill(mode, start, end, kind)
        stirs += [start, start + 1, end - 2]
    for row, chance in ((bed, 1.0), (onset - 3, 0.95), (wakeup, 0.95), (rise, 1.0)):
        if rng.random() < chance:
            stirs += [row, row + int(rng.integers(1, 3))]
    return Night(bed, onset, wakeup, rise, tuple(awakenings))


def lay_quiet_evening(rng: np.random.Generator, mode: np.ndarray, bed: int) -> None:
    """Television before bed: long still stretches that look like sleep, with breaks."""
    row = bed - int(rng.uniform(0.3, 2.2) * HOUR)
    while row < bed:
        end = row + int(rng.lognormal(np.log(22), 0.7) * MINUTE)
        fill(mode, row, min(end, bed), STILL)
        row = end + int(rng.lognormal(np.log(6), 0.8) * MINUTE)


def _draw_awakenings(rng, person: Participant, onset: int, wakeup: int) -> list[tuple[int, int]]:
    """Awakenings under 30 minutes, now and then a longer one that splits the night, or many."""
    spans = []
    count = int(rng.poisson(person.awakenings))
    for where in rng.random(count):
        spans.append((where, min(rng.lognormal(np.log(4), 0.9), 29.0)))
    if rng.random() < 0.16:  # close to an end of the night, where it competes with that end
        edge = rng.uniform(0.01, 0.08)
        spans.append((edge if rng.random() < 0.5 else 1 - edge, rng.uniform(4, 28)))
    if rng.random() < person.split:
        spans.append((rng.uniform(0.1, 0.9), rng.lognormal(np.log(55), 0.4) + 5))
    if rng.random() < person.sleepless:
        spans += [(where, rng.uniform(35, 120)) for where in np.arange(0.02, 1, 0.05)]
    return separate(onset, wakeup, sorted(spans))


def separate(onset: int, wakeup: int, spans) -> list[tuple[int, int]]:
    """Turn (relative place, minutes) into rows that neither touch each other nor the ends."""
    result: list[tuple[int, int]] = []
    free = onset + 3 * MINUTE
    for where, minutes in spans:
        start = max(free, onset + int(where * (wakeup - onset)))
        end = min(start + max(6, int(minutes * MINUTE)), wakeup - 3 * MINUTE)
        if end <= start:
            break
        result.append((start, end))
        free = end + 3 * MINUTE
    return result


def _lay_nap(rng: np.random.Generator, mode: np.ndarray, stirs: list[int], wakeup: int) -> None:
    start = wakeup + int(rng.uniform(4.5, 9.5) * HOUR)
    end = start + int(np.clip(rng.lognormal(np.log(55), 0.5), 15, 180) * MINUTE)
    bed = start - int(rng.uniform(1, 15) * MINUTE)
    fill(mode, bed, start, IN_BED)
    fill(mode, start, end, ASLEEP)
    stirs += [bed, start - 3, end, end + 1]
