"""Sleepers: two versions of how people move in bed, because nobody knows which one is right.

Restless sleepers move as often as the competition's children, and lie awake more quietly than they
sleep; calm ones move a quarter as often, in clusters, and lie awake as they sleep. The calm ones
are nearer to published figures (docs/simulation.md), models of the restless ones agree better with
the stages of real nights (docs/release.md). A model learns what holds in its own version only; the
shipped weights are the mean of models of both.
"""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Sleepers:
    """Pairs are ends of a uniform distribution, or the parameters of a beta distribution."""

    movements: float
    """Movements in sleep as a fraction of those of the competition's people."""
    clusters: Range
    """How much more movements in bed come in clusters than in the competition."""
    tossing: Range
    """Factor on the length and the sway of a movement in bed."""
    wakeful: Range | None
    """Movements of somebody who lies awake nearly motionless, relative to those in sleep; their log
    is uniform. None: as those of somebody who sits still."""
    palm: float
    """Radians towards palm down or palm up by which a roll is moved halfway between them."""
    quiet: Range
    """Beta: fraction of lying awake that is spent nearly motionless."""
    dozing: Range
    """Beta: chance that a night begins, or ends, with minutes of sleep between minutes awake."""
    fidgeting: Range
    """Factor on the movements of adults by day."""
    first_night: float
    """SD of the log of what wires and a strange bed do to the movements in sleep."""
    laboratory_latency: float
    """Factor on the minutes to sleep in a laboratory."""
    laboratory_fidgeting: float
    """Least factor on movements by day in a laboratory, where electrodes are put on."""
    quiet_evening: float
    """Chance of two hours of stillness before bed in a laboratory."""
    turned_watches: float
    """Fraction of watches that are turned by up to a right angle."""
    flicker: float
    """Median SD of enmo in mg between steps at rest, of coarse sensors."""
    coarse_enmo: Range
    """Steps in which coarse sensors report enmo, as a fraction of their count."""


RESTLESS = Sleepers(
    movements=1.0,
    clusters=(0.0, 0.0),
    tossing=(1.0, 1.0),
    wakeful=None,
    palm=0.0,
    quiet=(2.5, 1.2),
    dozing=(1.5, 10),
    fidgeting=(0.25, 1.1),
    first_night=0.5,
    laboratory_latency=0.8,
    laboratory_fidgeting=0.0,
    quiet_evening=0.12,
    turned_watches=0.2,
    flicker=0.3,
    coarse_enmo=(0.05, 0.25),
)

CALM = Sleepers(
    movements=0.25,
    clusters=(0.0, 0.8),
    tossing=(1.0, 2.2),
    wakeful=(0.7, 4.0),
    palm=0.45,
    quiet=(2.5, 1.5),
    dozing=(1.3, 12),
    fidgeting=(0.12, 1.0),
    first_night=0.3,
    laboratory_latency=0.85,
    laboratory_fidgeting=0.5,
    quiet_evening=0.05,
    turned_watches=0.4,
    flicker=1.0,
    coarse_enmo=(0.01, 0.15),
)
