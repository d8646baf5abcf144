"""A simulated cohort in the competition's files; docs/simulation.md says what is modelled."""

from sleepjax.data.simulate.cohort import is_simulated, simulate_cohort
from sleepjax.data.simulate.frames import simulate
from sleepjax.data.simulate.series import VERSION, SimulatedSeries, simulate_series

__all__ = [
    "VERSION",
    "SimulatedSeries",
    "is_simulated",
    "simulate",
    "simulate_cohort",
    "simulate_series",
]
