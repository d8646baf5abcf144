"""The participant: habits, device and compliance of one simulated person."""

from dataclasses import dataclass

import numpy as np

LENGTH_QUANTILES = (
    (0.0, 0.02, 0.10, 0.25, 0.50, 0.75, 0.95, 0.985, 1.0),
    (2.15, 5.0, 15.5, 20.6, 23.9, 34.5, 41.8, 55.0, 83.0),
)
"""Recording length in days: minimum, median, 95 % and maximum are the competition's; its mean of
26.7 fixes the rest."""


@dataclass(frozen=True)
class Participant:
    """Traits that stay the same over a recording. Clock times in hours, durations in minutes."""

    onset_clock: float
    """Mean clock time of falling asleep on school nights, hours after midnight minus 24 allowed."""
    wake_clock: float
    weekend_onset: float
    weekend_wake: float
    onset_sd: float
    wake_sd: float
    latency: float
    """Median minutes from lying down to sleep."""
    awakenings: float
    """Mean number of awakenings per night."""
    split: float
    """Chance that a night is split by more than half an hour awake."""
    lie_in: float
    """Chance of lying still after waking."""
    nap: float
    quiet_evening: float
    sleepless: float
    """Chance of a night too fragmented to hold a sleep window."""
    restlessness: float
    """Movements in sleep relative to the cohort's median."""
    stillness: float
    """Movements in quiet wakefulness relative to the cohort's median."""
    fidgeting: float
    """Movements while sitting or active relative to the cohort's median."""
    activity: float
    """Log of movement intensity relative to the cohort's median."""
    sedentary: float
    """Log odds of sitting relative to the cohort's median."""
    awake_angle: float
    asleep_spread: float
    """Standard deviation of postures in sleep, degrees."""
    device_offset: tuple[float, float, float]
    """Error of the device's gravity in g: constant, along the arm's z axis, across it."""
    device_noise: float
    angle_noise: float
    """Noise of the angle of a still arm, degrees."""
    night_off: float
    """Chance of taking the watch off for a night."""
    day_off: float
    """Chance of taking it off for some hours of a day."""
    gaps: float
    """Mean number of breaks of several days per month."""
    worn_share: float
    """Fraction of the recording after which the watch is not put on again."""
    shifts: float = 0.0
    """Fraction of the turns of the arm that are small: a shift within one posture."""
    clusters: float = 0.0
    """How much more movements in bed come in clusters, their number unchanged."""
    wakeful: float | None = None
    """Movements of somebody who lies awake nearly motionless, relative to those in sleep; None: as
    those in other quiet wakefulness."""
    tossing: float = 1.0
    """Factor on the length of movements in bed, and on the sway of the arm during them."""
    palm: float = 0.0
    """Radians towards palm down or palm up by which a drawn roll is moved."""


def draw_days(rng: np.random.Generator) -> float:
    """Recording length in days, 2.15 to 83, distributed as in the competition."""
    return float(np.interp(rng.random(), *LENGTH_QUANTILES))


def draw_participant(rng: np.random.Generator, days: float) -> Participant:
    """Draw the traits of somebody whose recording lasts ``days`` where nothing fixes the length."""
    chronotype = rng.normal(0, 0.85) + (rng.uniform(1.0, 4.5) if rng.random() < 0.11 else 0.0)
    irregular = rng.lognormal(0, 0.35)
    noisy = rng.random() < 0.04
    free = rng.random() < 0.15  # no school or work to get up for
    return Participant(
        onset_clock=21.9 + chronotype + 0.7 * free,
        wake_clock=6.6
        + 0.3 * chronotype
        + 0.5 * max(chronotype - 1.2, 0.0)
        + rng.normal(0, 0.35)
        + free * rng.uniform(0.5, 3.5),
        weekend_onset=rng.normal(0.6, 0.4) * (1 - free),
        weekend_wake=rng.normal(1.2, 0.7) * (1 - free),
        onset_sd=0.70 * irregular,
        wake_sd=0.48 * irregular,
        latency=rng.lognormal(np.log(7), 0.5),
        awakenings=rng.lognormal(np.log(1.3), 0.5),
        split=min(0.25, rng.lognormal(np.log(0.04), 0.8)),
        lie_in=rng.beta(2, 4),
        nap=rng.beta(1, 12),
        quiet_evening=rng.beta(2, 6),
        sleepless=min(0.1, rng.lognormal(np.log(0.007), 1.0)),
        restlessness=rng.lognormal(0, 0.4),
        stillness=rng.lognormal(0, 0.3),
        fidgeting=rng.lognormal(0, 0.45),
        activity=rng.normal(0, 0.35),
        sedentary=rng.normal(0, 0.7),
        awake_angle=rng.normal(-12, 8),
        asleep_spread=rng.uniform(30, 62),
        device_offset=(
            float(rng.normal(0.0002, 0.0015) + (rng.uniform(0.01, 0.03) if noisy else 0.0)),
            float(rng.normal(0, 0.003)),
            float(rng.normal(0, 0.003)),
        ),
        device_noise=rng.lognormal(np.log(0.0006), 0.4) * (3.0 if noisy else 1.0),
        angle_noise=rng.lognormal(np.log(0.035), 0.4) * (3.0 if noisy else 1.0),
        **_draw_compliance(rng, days),
    )


def _draw_compliance(rng: np.random.Generator, days: float) -> dict[str, float]:
    """A third always wears the watch; the rest take it off at night, by day, for days, for good."""
    # The longest recordings are those of watches that came back late, unworn for the last weeks.
    forgotten = 0.12 if days < 26 else 0.25
    kind = rng.choice(4, p=(0.28, 0.55 - forgotten, 0.17, forgotten))
    if kind == 0:
        return dict(night_off=0.0, day_off=0.0, gaps=0.0, worn_share=1.0)
    if kind == 1:
        night, day = rng.beta(1.2, 8), rng.beta(1, 16)
        return dict(night_off=night, day_off=day, gaps=0.0, worn_share=1.0)
    if kind == 2:
        night, day = rng.beta(2, 3), rng.beta(1, 16)
        worn = rng.uniform(0.65, 1.1)
        return dict(night_off=night, day_off=day, gaps=rng.uniform(0.0, 1.2), worn_share=worn)
    worn = 0.0 if rng.random() < 0.15 else rng.uniform(0.05, 0.6)
    return dict(night_off=rng.beta(1.5, 3), day_off=rng.beta(1, 16), gaps=0.3, worn_share=worn)
