"""The clock of a simulated recording: start, daylight-saving changes, timestamps as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from sleepjax import local_time
from sleepjax.data import zones
from sleepjax.types import STEP_SECONDS, STEPS_PER_DAY

ZONE = ZoneInfo("America/New_York")
QUARTER_HOUR = 180
"""Steps per quarter of an hour: recordings start on one and last a whole number of them."""
DAY = 86_400


@dataclass(frozen=True)
class Clock:
    """When each row of a recording was measured; row i is at UTC second ``start + 5 * i``."""

    start: int
    n_steps: int
    offsets: tuple[tuple[int, int], ...]
    """(first row, local minus UTC in seconds), as in :class:`sleepjax.types.SeriesMeta`."""

    @property
    def midnight(self) -> int:
        """Local second (days since 1970 times 86,400) at which the day of row 0 began."""
        return (self.start + self.offsets[0][1]) // DAY * DAY

    def part(self, first: int, end: int) -> Clock:
        """Clock of rows ``first`` to ``end`` alone."""
        before = [offset for row, offset in self.offsets if row <= first][-1]
        later = [(row - first, offset) for row, offset in self.offsets if first < row < end]
        start = self.start + STEP_SECONDS * first
        return Clock(start, end - first, ((0, before), *later))

    def local_seconds(self) -> np.ndarray:
        """Local clock of every row in seconds since 1970 as the clock shows it, int64 [T]."""
        return local_time.local_seconds(self, np.arange(self.n_steps))

    def rows_at(self, local: np.ndarray) -> np.ndarray:
        """Row at a local clock time in seconds; may lie before or after the recording."""
        local = np.asarray(local, dtype=np.int64)
        rows = (local - self.start - self.offsets[0][1]) // STEP_SECONDS
        for row, offset in self.offsets[1:]:
            rows = np.where(rows >= row, (local - self.start - offset) // STEP_SECONDS, rows)
        return rows

    def timestamps(self) -> pl.Series:
        """One text per row like ``2018-08-14T15:30:00-0400``."""
        pieces = []
        bounds = [row for row, _ in self.offsets[1:]] + [self.n_steps]
        for (row, offset), end in zip(self.offsets, bounds, strict=True):
            while row < end:
                day, second = divmod(self.start + STEP_SECONDS * row + offset, DAY)
                first = second // STEP_SECONDS
                length = min(STEPS_PER_DAY - first, end - row)
                date = (datetime(1970, 1, 1) + timedelta(days=day)).strftime("%Y-%m-%d")
                times = _times_of_day(offset).slice(first, length)
                pieces.append(date + times)
                row += length
        return pl.concat(pieces).alias("timestamp")

    def timestamp(self, row: int) -> str:
        """The text of one row."""
        return local_time.timestamps(self, np.array([row]))[0]


@cache
def _times_of_day(offset: int) -> pl.Series:
    """``T00:00:00-0400`` and so on for the 17,280 steps of a day."""
    suffix = local_time.offset_text(offset)
    seconds = range(0, DAY, STEP_SECONDS)
    return pl.Series([f"T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}{suffix}" for s in seconds])


def make_clock(local_start: datetime, n_steps: int) -> Clock:
    """Clock of a recording that starts at a naive New York time and lasts ``n_steps`` rows."""
    start = int(local_start.replace(tzinfo=ZONE).timestamp())
    # US clocks change on the hour.
    hours = np.arange(start // 3600 + 1, -(-(start + STEP_SECONDS * n_steps) // 3600)) * 3600
    moments = np.append(start, hours)
    offset = zones.utc_offset(1000 * moments, ZONE.key)
    turns = [0, *(np.flatnonzero(np.diff(offset)) + 1)]
    rows = (moments - start) // STEP_SECONDS
    return Clock(start, n_steps, tuple((int(rows[i]), int(offset[i])) for i in turns))


def draw_clock(rng: np.random.Generator, days: float) -> Clock:
    """A start between August 2017 and June 2019 on a quarter hour of the day, sparing summers."""
    n_steps = max(QUARTER_HOUR, round(days * STEPS_PER_DAY / QUARTER_HOUR) * QUARTER_HOUR)
    last = 680 - int(days)
    date = datetime(2017, 8, 15) + timedelta(days=int(rng.integers(last)))
    if date.month in (6, 7) and rng.random() < 0.5:
        date = datetime(2017, 8, 15) + timedelta(days=int(rng.integers(last)))
    hour = float(np.clip(rng.normal(14.5, 3.0), 8.0, 20.0))
    return make_clock(date + timedelta(minutes=15 * round(4 * hour)), n_steps)
