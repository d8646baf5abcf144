"""Constant clock time: everybody sleeps every night from one time of day to another.

The two times are medians over the true windows of the same nights, so this is what can be reached
without looking at a recording, with the best constants in hindsight.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from sleepjax.local_time import local_seconds
from sleepjax.types import STEPS_PER_MINUTE, InputError, SeriesMeta

DAY = 86_400
SHORTEST = 30 * STEPS_PER_MINUTE


def fit(truth: pl.DataFrame, metas: Mapping[str, SeriesMeta]) -> tuple[int, int]:
    """Median time of day of onset and of wakeup, whole seconds since local midnight.

    ``truth`` has series_id, onset and wakeup (steps). Raises InputError where none of its series
    was recorded.
    """
    known = truth.filter(pl.col("series_id").is_in(list(metas)))
    if known.is_empty():
        raise InputError(
            f"none of the {truth['series_id'].n_unique()} series of the truth is among the "
            f"recordings; their names begin with {next(iter(metas), None)!r}."
        )
    clocks = [
        local_seconds(metas[series_id], np.rint([onset, wakeup]) - metas[series_id].first_step)
        for series_id, onset, wakeup in known.select("series_id", "onset", "wakeup").iter_rows()
    ]
    onset, wakeup = np.array(clocks).T
    return time_of_day(onset), time_of_day(wakeup)


def time_of_day(clock: np.ndarray) -> int:
    """Median of local times [N] on the circle of the day: of the deviations from their mean."""
    angle = 2 * np.pi * clock / DAY
    mean = np.arctan2(np.sin(angle).sum(), np.cos(angle).sum()) * DAY / (2 * np.pi)
    deviation = (clock - mean + DAY / 2) % DAY - DAY / 2
    return round(float(mean + np.median(deviation))) % DAY


def periods(times: tuple[int, int], meta: SeriesMeta) -> np.ndarray:
    """Periods int64 [N,2], half-open in rows, of every night of which 30 minutes were recorded."""
    onset, wakeup = times
    # Where clocks go back, a time that is there twice is the first of them.
    clock = np.maximum.accumulate(local_seconds(meta, np.arange(meta.n_steps)))
    days = np.arange(clock[0] // DAY - 1, clock[-1] // DAY + 1) * DAY
    ends = np.stack([days + onset, days + onset + (wakeup - onset) % DAY], axis=-1)
    rows = np.searchsorted(clock, ends).astype(np.int64)
    return rows[rows[:, 1] - rows[:, 0] >= SHORTEST]
