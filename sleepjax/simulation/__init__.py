"""A simulated cohort in the competition's files; docs/simulation.md says what is modelled."""

from sleepjax.simulation.cohort import is_simulated, simulate_cohort
from sleepjax.simulation.frames import simulate
from sleepjax.simulation.series import VERSION, SimulatedSeries, simulate_series

__all__ = [
    "VERSION",
    "SimulatedSeries",
    "is_simulated",
    "simulate",
    "simulate_cohort",
    "simulate_series",
]
