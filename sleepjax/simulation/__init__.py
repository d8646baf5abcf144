"""Simulated cohorts in the competition's files; docs/simulation.md says what is modelled."""

from sleepjax.simulation.cohort import Cohort, is_simulated, simulate, simulate_cohort
from sleepjax.simulation.populations import POPULATIONS, simulate_series
from sleepjax.simulation.series import VERSIONS, SimulatedSeries

__all__ = [
    "POPULATIONS",
    "VERSIONS",
    "Cohort",
    "SimulatedSeries",
    "is_simulated",
    "simulate",
    "simulate_cohort",
    "simulate_series",
]
