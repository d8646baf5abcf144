"""The population ``world``: any watch, any adult or child, any night, any length of recording."""

from collections.abc import Sequence

from sleepjax.data.compact import in_runs
from sleepjax.simulation.annotation import annotate, sleep_windows, true_windows
from sleepjax.simulation.bedtime import draw_world_behaviour
from sleepjax.simulation.behaviour import (
    ASLEEP,
    HOUR,
    LIGHT,
    MINUTE,
    QUIET,
    SITTING,
    Behaviour,
    Night,
    fill,
    lay_quiet_evening,
)
from sleepjax.simulation.movement import draw_motion
from sleepjax.simulation.nonwear import Unworn, fill_with_copies
from sleepjax.simulation.people import draw_person
from sleepjax.simulation.recording_clock import QUARTER_HOUR, Clock, draw_clock
from sleepjax.simulation.series import SimulatedSeries, series_id, stream
from sleepjax.simulation.sleepers import Sleepers
from sleepjax.simulation.truth import StepTruth
from sleepjax.simulation.watches import draw_device, report
from sleepjax.simulation.wear import after_the_night, draw_wear, lay_down

RECORDINGS = {"months": 0.02, "weeks": 0.38, "laboratory": 0.53, "hours": 0.07}
"""Fraction of participants by kind of recording: one in a laboratory has one night, others many."""

DAYS = {"months": (28.0, 75.0), "weeks": (5.0, 16.0), "laboratory": (2.5, 2.5), "hours": (2.5, 2.5)}
"""Drawn length in days; of those in a laboratory, and of some hours, a part is kept."""


def simulate_world(
    sleepers: Sleepers, seed: int, index: int, days: float | None, devices: Sequence[str]
) -> SimulatedSeries:
    """Simulate participant ``index``; ``days`` fixes the length of weeks and months.

    ``devices`` are the kinds of watch that occur; with none given all do.
    """
    traits = stream(seed, index, 0)
    recording = str(traits.choice(list(RECORDINGS), p=list(RECORDINGS.values())))
    at_home = recording in ("months", "weeks")
    person = draw_person(traits, sleepers, laboratory=recording == "laboratory")
    length = traits.uniform(*DAYS[recording])
    clock = draw_clock(traits, days if at_home and days is not None else length)
    behaviour, in_bed = draw_world_behaviour(stream(seed, index, 1), person, clock)
    wear = stream(seed, index, 3)
    first, end = 0, clock.n_steps
    if recording == "laboratory":
        first, end = _one_night(wear, behaviour, sleepers)
    elif recording == "hours":
        first = int(wear.integers(clock.n_steps - 8 * HOUR)) // QUARTER_HOUR * QUARTER_HOUR
        end = first + int(wear.uniform(1.5, 8) * HOUR)
    clock, behaviour = clock.part(first, end), _part(behaviour, first, end)
    in_bed = in_bed[first:end]
    habit, unworn = _wear(wear, recording, clock, behaviour)

    motion = draw_motion(stream(seed, index, 2), person.traits, behaviour)
    lay_down(wear, motion, unworn)
    device = draw_device(stream(seed, index, 5), sleepers, devices)
    anglez, enmo = report(stream(seed, index, 6), device, motion)
    copied = [(span.start, span.end) for span in unworn if span.place == "copy"]
    fill_with_copies(wear, (anglez, enmo), copied)
    nonwear = tuple((span.start, span.end) for span in unworn)
    worn = ~in_runs(nonwear, clock.n_steps)
    # Annotators look at movements: lying awake without any is sleep to them.
    looks_asleep = (behaviour.mode == ASLEEP) | (behaviour.mode == QUIET)
    windows = sleep_windows(looks_asleep, clock, by_day=True)
    truth = true_windows(windows, worn)
    labels = annotate(stream(seed, index, 4), behaviour, windows, truth, clock)
    return SimulatedSeries(
        series_id=series_id(seed, index),
        participant=person.traits,
        clock=clock,
        anglez=anglez,
        enmo=enmo,
        labels=tuple(labels),
        truth=tuple(truth),
        behaviour=behaviour,
        nonwear=nonwear,
        steps=StepTruth(behaviour.mode == ASLEEP, in_bed, worn),
        facts=dict(
            device=device.kind,
            person=person.kind,
            schedule=person.schedule,
            recording=recording,
            wear=habit,
        ),
    )


def _one_night(rng, behaviour: Behaviour, sleepers: Sleepers) -> tuple[int, int]:
    """(first row, row after the last) of one night, of more than two hours where there is one."""
    inside = [night for night in behaviour.nights if 3 * HOUR < night.bed < len(behaviour.mode)]
    asleep = lambda night: night.wakeup - night.onset
    night = next((n for n in inside if asleep(n) > 2 * HOUR), max(inside, key=asleep))
    if rng.random() < sleepers.quiet_evening:
        lay_quiet_evening(rng, behaviour.mode, night.bed)
    else:  # electrodes are put on, and somebody talks to them
        start = night.bed - int(rng.uniform(20, 90) * MINUTE)
        fill(behaviour.mode, start, night.bed, SITTING if rng.random() < 0.6 else LIGHT)
    before = rng.uniform(0.2, 2.0) * HOUR
    after = rng.uniform(2, 30) * MINUTE if rng.random() < 0.75 else rng.uniform(0.5, 9) * HOUR
    first = int(night.bed - before) // QUARTER_HOUR * QUARTER_HOUR
    return first, min(int(night.rise + after), len(behaviour.mode))


def _part(behaviour: Behaviour, first: int, end: int) -> Behaviour:
    """Rows ``first`` to ``end`` alone, with every night, which may lie outside them."""
    inside = (behaviour.stirs >= first) & (behaviour.stirs < end)
    nights = [
        Night(
            night.bed - first,
            night.onset - first,
            night.wakeup - first,
            night.rise - first,
            tuple((start - first, stop - first) for start, stop in night.awakenings),
        )
        for night in behaviour.nights
    ]
    return Behaviour(behaviour.mode[first:end], behaviour.stirs[inside] - first, tuple(nights))


def _wear(rng, recording: str, clock: Clock, behaviour: Behaviour) -> tuple[str, list[Unworn]]:
    """(habit, stretches without the watch)."""
    if recording != "laboratory":
        copies = 0.0 if recording == "hours" else 0.1
        return draw_wear(rng, clock.n_steps, behaviour.nights, copies=copies)
    rises = [night.rise for night in behaviour.nights if 0 < night.rise < clock.n_steps]
    rise = max(rises, default=clock.n_steps)
    if clock.n_steps - rise > 0.5 * HOUR:
        return "laboratory", after_the_night(rng, clock.n_steps, rise)
    return "laboratory", []
