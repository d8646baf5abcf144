"""Kinds of people of the population ``world``, and how one person of a kind is drawn."""

from dataclasses import dataclass, replace

import numpy as np

from sleepjax.simulation.participant import Participant, draw_participant
from sleepjax.simulation.sleepers import Range, Sleepers


@dataclass(frozen=True)
class PersonKind:
    """From what a person is drawn. Pairs of factors are ends of a uniform distribution."""

    home: float
    """Fraction of those who wear a watch at home."""
    laboratory: float
    """Fraction of those who sleep in a laboratory."""
    onset: Range
    """Mean and SD over people of the usual clock time of falling asleep, hours."""
    hours: Range
    """Mean and SD over people of the usual sleep, hours."""
    latency: Range = (0.5, 3.0)
    """Factor on the minutes from lying down to sleep; the median person takes seven."""
    calm: Range = (0.4, 1.5)
    """Factor on the movements of somebody who lies awake."""
    restless: Range = (0.5, 2.0)
    """Factor on the movements in sleep."""
    awakenings: Range = (0.6, 2.0)
    """Factor on the number of awakenings."""
    periodic: Range = (0.0, 0.05)
    """Fraction of sleep in which movements return every 15 to 90 s."""
    nap: Range = (0.0, 0.15)
    """Chance of a nap per day."""
    fidgeting: Range | None = None
    """Factor on the movements of the day, where it is not that of the population's adults."""
    activity: float = -0.2
    """Mean log of the intensity of movements relative to the competition's children."""
    sedentary: float = 0.3
    """Mean log odds of sitting relative to the competition's children."""


PEOPLE = {
    "child": PersonKind(
        0.15, 0.08, (20.8, 0.6), (9.6, 0.6), nap=(0.0, 0.3), fidgeting=(0.7, 1.3), activity=0.1,
        sedentary=0.0,
    ),
    "teenager": PersonKind(0.10, 0.04, (23.2, 1.0), (8.0, 0.8), fidgeting=(0.5, 1.2), activity=0.0),
    "adult": PersonKind(0.27, 0.12, (23.1, 0.9), (7.3, 0.8)),
    "sedentary": PersonKind(
        0.10, 0.08, (23.3, 1.0), (7.4, 0.9), nap=(0.0, 0.4), activity=-0.5, sedentary=1.4,
    ),
    "old": PersonKind(
        0.14, 0.12, (22.6, 0.9), (6.8, 0.9), latency=(0.8, 5.0), awakenings=(1.0, 4.0),
        nap=(0.1, 0.7), activity=-0.5, sedentary=0.9,
    ),
    "insomnia": PersonKind(
        0.10, 0.20, (23.8, 1.2), (6.0, 1.0), latency=(2.0, 8.0), calm=(0.15, 1.0),
        awakenings=(1.5, 5.0),
    ),
    "apnoea": PersonKind(
        0.09, 0.28, (22.9, 1.0), (6.8, 0.9), latency=(0.5, 5.0), calm=(0.15, 1.0),
        restless=(1.0, 6.0), awakenings=(1.0, 5.0), periodic=(0.05, 0.5), nap=(0.0, 0.5),
        activity=-0.4, sedentary=0.9,
    ),
    "restless_legs": PersonKind(
        0.05, 0.08, (23.5, 1.0), (6.5, 0.9), latency=(1.5, 7.0), calm=(0.8, 3.0),
        restless=(1.0, 5.0), awakenings=(1.0, 4.0), periodic=(0.1, 0.6),
    ),
}  # fmt: skip


SCHEDULES = {
    "regular": 0.70,
    "irregular": 0.08,
    "rotating": 0.06,
    "night_shift": 0.05,
    "siesta": 0.05,
    "polyphasic": 0.03,
    "free_running": 0.03,
}
"""Fraction of those who wear a watch at home; `schedule` says what each means."""


@dataclass(frozen=True)
class Person:
    """One person: the traits that the competition has too, and those that it has not."""

    kind: str
    schedule: str
    traits: Participant
    hours: float
    """Usual sleep in 24 hours."""
    quiet: float
    """Fraction of lying awake that is spent nearly motionless."""
    periodic: float
    """Fraction of sleep in which movements return periodically."""
    period: float
    """Seconds between them."""
    dozing: float
    """Chance that a night begins, or ends, with minutes of sleep between minutes awake."""
    stirring: float
    """Chance that waking up or falling asleep shows in a movement."""


def draw_person(rng: np.random.Generator, sleepers: Sleepers, *, laboratory: bool) -> Person:
    """Draw somebody who sleeps at home or in a laboratory."""
    shares = np.array([k.laboratory if laboratory else k.home for k in PEOPLE.values()])
    name = list(PEOPLE)[int(rng.choice(len(PEOPLE), p=shares / shares.sum()))]
    kind = PEOPLE[name]
    schedule = "regular"
    if not laboratory:
        schedule = str(rng.choice(list(SCHEDULES), p=list(SCHEDULES.values())))
    base = draw_participant(rng, days=10)
    factor = lambda pair: float(rng.uniform(*pair)) if pair[0] < pair[1] else pair[0]
    onset = float(rng.normal(*kind.onset))
    hours = float(np.clip(rng.normal(*kind.hours), 3.5, 12))
    irregular = 2.5 if schedule == "irregular" else 1.0
    latency = base.latency * factor(kind.latency)
    traits = replace(
        base,
        onset_clock=onset,
        wake_clock=onset + hours - 24,
        onset_sd=base.onset_sd * irregular,
        wake_sd=base.wake_sd * irregular,
        latency=latency * (sleepers.laboratory_latency if laboratory else 1.0),
        awakenings=base.awakenings * factor(kind.awakenings) * (2.5 if laboratory else 1.2),
        split=min(0.4, base.split * (3.0 if laboratory else 1.0)),
        nap=factor(kind.nap),
        lie_in=float(rng.beta(3, 2)) if laboratory else base.lie_in,
        quiet_evening=float(rng.beta(2, 2 if kind.sedentary > 0.5 else 4)),
        stillness=base.stillness * factor(kind.calm),
        fidgeting=base.fidgeting
        * max(
            factor(kind.fidgeting or sleepers.fidgeting),
            sleepers.laboratory_fidgeting if laboratory else 0.0,
        ),
        restlessness=sleepers.movements
        * base.restlessness
        * factor(kind.restless)
        * (float(rng.lognormal(0, sleepers.first_night)) if laboratory else 1.0),
        activity=base.activity + kind.activity,
        sedentary=base.sedentary + kind.sedentary,
        awake_angle=float(rng.normal(-12, 18)),
        shifts=float(rng.uniform(0.1, 0.8)),
        clusters=factor(sleepers.clusters),
        tossing=factor(sleepers.tossing),
        wakeful=sleepers.wakeful and float(np.exp(rng.uniform(*np.log(sleepers.wakeful)))),
        palm=sleepers.palm,
        # The watch adds its own error and noise.
        device_offset=(0.0, 0.0, 0.0),
        device_noise=0.0,
        angle_noise=0.0,
    )
    return Person(
        kind=name,
        schedule=schedule,
        traits=traits,
        hours=hours,
        quiet=float(rng.beta(*sleepers.quiet)),
        periodic=factor(kind.periodic),
        period=float(rng.uniform(15, 90)),
        dozing=float(rng.beta(*sleepers.dozing)),
        stirring=float(rng.beta(2, 1.2)),
    )
