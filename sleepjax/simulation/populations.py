"""The populations that can be simulated, by name."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sleepjax.simulation.competition import simulate_competition
from sleepjax.simulation.series import SimulatedSeries
from sleepjax.simulation.sleepers import CALM, RESTLESS
from sleepjax.simulation.world import simulate_world


def _one_of_each(seed: int, index: int, *rest: Any) -> SimulatedSeries:
    """Restless sleepers have even indices, calm ones odd."""
    return simulate_world((RESTLESS, CALM)[index % 2], seed, index, *rest)


POPULATIONS: dict[str, Callable[..., SimulatedSeries]] = {
    "competition": simulate_competition,
    "world": partial(simulate_world, RESTLESS),
    "calm_world": partial(simulate_world, CALM),
    "both_worlds": _one_of_each,
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
