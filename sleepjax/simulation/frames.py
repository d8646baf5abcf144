"""A simulated cohort as frames in memory, for notebooks and examples."""

from __future__ import annotations

import polars as pl

from sleepjax.simulation.cohort import EVENT_SCHEMA, check
from sleepjax.simulation.series import simulate_series


def simulate(
    *, series: int = 1, days: float = 7, seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Simulate recordings and their annotations; the same seed gives the same frames.

    Args:
      series: how many participants.
      days: length of each recording.
      seed: of all that is random.

    Returns:
      (recordings, events): frames with the columns of the competition's files, ``series_id, step,
      timestamp, anglez, enmo`` and ``series_id, night, event, step, timestamp``; a night that the
      simulated annotators left empty has null steps.

    Raises:
      InputError: a value out of its bounds.

    Examples:
      >>> recordings, events = simulate(series=2, days=3)
      >>> recordings["series_id"].n_unique(), recordings.columns
      (2, ['series_id', 'step', 'timestamp', 'anglez', 'enmo'])
      >>> events.columns
      ['series_id', 'night', 'event', 'step', 'timestamp']
    """
    check(series, days, seed)
    cohort = [simulate_series(seed, index, days) for index in range(series)]
    rows = [row for one in cohort for row in one.event_rows()]
    return pl.concat([one.frame() for one in cohort]), pl.DataFrame(rows, EVENT_SCHEMA)
