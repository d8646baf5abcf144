"""Non-wear of the population ``world``: times without the watch, and what it measures meanwhile."""

from dataclasses import dataclass

import numpy as np

from sleepjax.simulation.behaviour import HOUR, MINUTE, Night
from sleepjax.simulation.movement import Motion
from sleepjax.simulation.nonwear import Unworn, merged
from sleepjax.types import STEPS_PER_DAY


@dataclass(frozen=True)
class Habit:
    """How often, and when, somebody takes the watch off. Chances per night or day."""

    share: float
    shower: float = 0.0
    """For 10 to 40 minutes after waking or before bed."""
    charging: float = 0.0
    """For one to three hours of the evening."""
    night: float = 0.0
    """On a charger or a table from before bed until after waking."""
    morning: float = 0.0
    """For some hours, beginning within 90 minutes after waking."""
    before_bed: float = 0.0
    """For some hours of the evening, until before sleep."""
    day: float = 0.0
    gaps: float = 0.0
    """Breaks of a day or more, mean number per month."""


HABITS = {
    "always": Habit(0.28, day=0.03),
    "shower": Habit(0.20, shower=0.8, day=0.05),
    "evening_charger": Habit(0.12, charging=0.7, day=0.05),
    "night_charger": Habit(0.08, night=0.6, day=0.05),
    "careless": Habit(0.20, shower=0.2, morning=0.25, before_bed=0.15, night=0.1, day=0.15),
    "breaks": Habit(0.12, night=0.15, morning=0.1, before_bed=0.05, day=0.15, gaps=3.0),
}


def draw_wear(rng, n_steps: int, nights: tuple[Night, ...], *, copies: float):
    """(name of the habit, stretches without the watch) of a recording at home.

    ``copies`` is the chance that all of the person's stretches were filled with copies of other
    days, as in the competition.
    """
    name = str(rng.choice(list(HABITS), p=[habit.share for habit in HABITS.values()]))
    habit = HABITS[name]
    spans: list[tuple[float, float, str]] = []
    for night in nights:
        spans += _around_night(rng, habit, night)
    for _ in range(rng.poisson(habit.gaps * n_steps / (30 * STEPS_PER_DAY))):
        start = rng.uniform(0, n_steps)
        length = rng.lognormal(np.log(1.3), 0.6) * STEPS_PER_DAY
        spans.append((start, start + length, _place(rng, bag=0.2)))
    if rng.random() < 0.25:  # the recording begins before somebody wears the watch
        spans.append((0, rng.uniform(0.1, 6) * HOUR, _place(rng, bag=0.4)))
    if rng.random() < 0.35:  # and records after they gave it back
        mornings = [night.rise for night in nights if night.rise < n_steps - HOUR]
        start = mornings[-1] + rng.uniform(0, 3) * HOUR if mornings else 0.7 * n_steps
        spans.append((start, n_steps, _place(rng, bag=0.4)))
    return name, merged(spans, n_steps, copied=rng.random() < copies)


def after_the_night(rng, n_steps: int, rise: int) -> list[Unworn]:
    """The watch of a laboratory, from soon after the night to the end of its recording."""
    start = rise + int(rng.uniform(0.5, 20) * MINUTE)
    return merged([(start, n_steps, _place(rng, bag=0.3))], n_steps, copied=False)


def _place(rng, bag: float) -> str:
    return "bag" if rng.random() < bag else "table"


def _around_night(rng, habit: Habit, night: Night) -> list[tuple[float, float, str]]:
    """What one night and the day after it hold."""
    spans: list[tuple[float, float, str]] = []
    shower, charging, off, morning, before_bed, day = rng.random(6)
    if shower < habit.shower:
        when = night.rise + rng.uniform(2, 60) * MINUTE
        if rng.random() < 0.4:
            when = night.bed - rng.uniform(15, 90) * MINUTE
        spans.append((when, when + rng.uniform(8, 40) * MINUTE, "table"))
    if charging < habit.charging:
        start = night.bed - rng.uniform(1.5, 5) * HOUR
        spans.append((start, min(start + rng.uniform(0.7, 3) * HOUR, night.bed), "charger"))
    if off < habit.night:
        end = night.rise + rng.exponential(0.7) * HOUR
        spans.append((night.bed - rng.exponential(0.7) * HOUR, end, "charger"))
    if morning < habit.morning:
        start = night.rise + rng.uniform(0.03, 1.5) * HOUR
        spans.append((start, start + rng.uniform(0.3, 4) * HOUR, _place(rng, bag=0.1)))
    if before_bed < habit.before_bed:
        start = night.bed - rng.uniform(0.5, 4) * HOUR
        end = night.bed + rng.uniform(-0.3, 1.0) * (night.onset - night.bed)
        spans.append((start, end, "table"))
    if day < habit.day:
        start = night.rise + rng.uniform(0.5, 13) * HOUR
        length = min(rng.lognormal(np.log(1.2), 0.8), 8.0) * HOUR
        spans.append((start, start + length, _place(rng, bag=0.25)))
    return spans


def lay_down(rng: np.random.Generator, motion: Motion, spans: list[Unworn]) -> None:
    """Replace the movements, in place, by those of a watch that nobody wears; copies are kept."""
    charger = _posture(rng)
    for span in spans:
        if span.place == "copy":
            continue
        posture = charger if span.place == "charger" else _posture(rng)
        motion.enmo[span.start : span.end] = 0
        motion.moving[span.start : span.end] = False
        row = span.start
        while row < span.end:
            stop = min(row + 1 + int(rng.exponential(4.0) * HOUR), span.end)
            motion.angle[row:stop], motion.roll[row:stop] = posture
            row = stop
            if row < span.end and span.place == "table":
                _jolt(rng, motion, row, min(row + int(rng.integers(1, 4)), span.end))
                posture = _posture(rng) if rng.random() < 0.6 else posture
        if span.place == "bag":
            _carry(rng, motion, span)
        for edge in (span.start, span.end - 4):  # a hand takes it off, and puts it on
            _jolt(rng, motion, max(edge, span.start), min(edge + 4, span.end))


def _posture(rng) -> tuple[float, float]:
    """Angle in degrees and roll of a watch at rest: on its face or back, on its edge, or anyhow."""
    kind = rng.random()
    if kind < 0.4:
        angle = float(rng.choice((-1, 1)) * rng.uniform(72, 90))
    elif kind < 0.7:
        angle = float(rng.normal(0, 8))
    else:
        angle = float(rng.uniform(-90, 90))
    return angle, float(rng.uniform(0, 2 * np.pi))


def _jolt(rng, motion: Motion, start: int, end: int) -> None:
    """Somebody moves the watch for some steps."""
    n = end - start
    motion.enmo[start:end] = rng.lognormal(np.log(0.03), 0.9, n)
    motion.angle[start:end] = rng.uniform(-80, 80, n)
    motion.moving[start:end] = True


def _carry(rng, motion: Motion, span: Unworn) -> None:
    """A bag that is carried for some minutes now and then."""
    row = span.start + int(rng.exponential(0.3) * HOUR)
    while row < span.end:
        stop = min(row + 1 + int(rng.exponential(12) * MINUTE), span.end)
        n = stop - row
        motion.enmo[row:stop] = rng.lognormal(np.log(0.03), 0.3) * rng.lognormal(0, 0.6, n)
        motion.angle[row:stop] = np.clip(_posture(rng)[0] + rng.normal(0, 7, n), -90, 90)
        motion.moving[row:stop] = True
        motion.angle[stop : span.end], motion.roll[stop : span.end] = _posture(rng)
        row = stop + int(rng.exponential(1.5) * HOUR) + 1
