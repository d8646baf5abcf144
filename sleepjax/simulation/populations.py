"""The populations that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from sleepjax.simulation.competition import simulate_competition
from sleepjax.simulation.series import SimulatedSeries
from sleepjax.simulation.sleepers import CALM, RESTLESS
from sleepjax.simulation.world import simulate_world

POPULATIONS: dict[str, Callable[..., SimulatedSeries]] = {
    "competition": simulate_competition,
    "world": partial(simulate_world, RESTLESS),
    "calm_world": partial(simulate_world, CALM),
}
"""(seed, index, days, devices) -> recording; participant ``index`` depends on these alone."""


def simulate_series(
    seed: int,
    index: int,
    days: float | None = None,
    population: str = "competition",
    devices: Sequence[str] = (),
) -> SimulatedSeries:
    """Simulate participant ``index`` of a population; ``days=None`` draws the length."""
    return POPULATIONS[population](seed, index, days, tuple(devices))
