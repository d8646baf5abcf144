"""Converted: one recording of a file on the 5-second grid, with what is known of its quality."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sleepjax.data.compact import in_runs, true_runs
from sleepjax.devices.grid import Grid
from sleepjax.devices.wall_clock import WallClock
from sleepjax.types import STEP_SECONDS

LONG_GAP = 120
"""Epochs without samples that have rows of nulls; in longer gaps there are no rows."""


@dataclass(frozen=True)
class Converted:
    """One recording of a file, on the 5-second grid."""

    frame: pl.DataFrame
    """Columns of the competition: series_id, step, timestamp (local time with UTC offset, text),
    anglez (degrees) and enmo (g), null where they were not measured. ``step`` counts epochs."""
    nonwear: np.ndarray | None
    """bool [T], T one more than the last step: not worn by GGIR's rule of 2023, at the raw rate;
    None where the file holds epochs only."""
    quality: dict[str, Any]
    """What can be written as JSON: format, device, serial, rate_hz, tz, tz_source, calibration,
    counts of what was left out, partial, notes."""


def as_frame(name: str, grid: Grid, wall: WallClock) -> pl.DataFrame:
    """Rows of the grid, without those of long gaps."""
    gaps = [gap for gap in true_runs(~grid.occupied).tolist() if gap[1] - gap[0] > LONG_GAP]
    rows = np.flatnonzero(~in_runs(gaps, len(grid.occupied)))
    return pl.DataFrame(
        {
            "series_id": pl.Series([name]).new_from_index(0, len(rows)),
            "step": rows.astype(np.int64),
            "timestamp": wall.texts((grid.epoch + rows) * STEP_SECONDS),
            "anglez": grid.anglez[rows],
            "enmo": grid.enmo[rows],
        }
    ).with_columns(pl.col("anglez", "enmo").fill_nan(None))
