"""Raw samples of a simulated arm: what a watch with three axes would have stored.

The arm points where the 5-second recording says, in a posture that turns around the arm whenever
the angle changes. Movement is a vibration along gravity of the size that gives the recording's
enmo, so the angle does not depend on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.io import replacing
from sleepjax.simulation.cohort import FIRST_TEST_INDEX, TEST_SERIES, Cohort
from sleepjax.simulation.cohort_files import stream_parquet
from sleepjax.simulation.recording_clock import ZONE
from sleepjax.simulation.series import SimulatedSeries
from sleepjax.types import STEP_SECONDS, STEPS_PER_HOUR, InputError

_SCHEMA = pl.Schema({"time": pl.Datetime("us", ZONE.key), **dict.fromkeys("xyz", pl.Float32)})
_NEW_POSTURE = 5.0
"""Degrees from step to step with which the arm also turns around itself."""


@dataclass(frozen=True)
class Watch:
    """A watch with errors; what it stores is (true - offset) / scale + noise."""

    rate: float = 50.0
    """Samples per second."""
    scale: tuple[float, float, float] = (1.02, 0.985, 1.01)
    offset: tuple[float, float, float] = (0.020, -0.015, 0.030)
    """g."""
    noise: float = 0.003
    """SD in g of each axis."""


def raw_blocks(
    series: SimulatedSeries, watch: Watch, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Samples of a simulated recording, an hour at a time.

    Yields (seconds since the recording's first moment, float64 [N]; g, float32 [3,N]); what the
    watch of the recording did not measure is left out.
    """
    rng = np.random.default_rng(seed)
    n_steps = len(series.anglez)
    turned = np.abs(np.diff(series.anglez, prepend=series.anglez[:1])) > _NEW_POSTURE
    roll = np.cumsum(np.where(turned, rng.normal(0, 1.0, n_steps), 0)).astype(np.float32)
    centres = (np.arange(n_steps) + 0.5) * STEP_SECONDS
    frequency = rng.uniform(1.2, 3.0, n_steps).astype(np.float32)
    scale, offset = (np.array(x, np.float32)[:, None] for x in (watch.scale, watch.offset))
    for first in range(0, n_steps, STEPS_PER_HOUR):
        end = min(first + STEPS_PER_HOUR, n_steps) * STEP_SECONDS
        begin = int(np.ceil(first * STEP_SECONDS * watch.rate - 1e-9))
        second = np.arange(begin, int(np.ceil(end * watch.rate - 1e-9))) / watch.rate
        step = (second / STEP_SECONDS).astype(np.int64)
        angle = np.deg2rad(np.interp(second, centres, series.anglez)).astype(np.float32)
        length = np.pi * series.enmo[step]  # the mean positive part of a sine is 1/pi
        length *= np.sin(2 * np.pi * (frequency[step] * second % 1)).astype(np.float32)
        length += 1
        across = length * np.cos(angle)
        turn = roll[step]
        xyz = np.stack([across * np.cos(turn), across * np.sin(turn), length * np.sin(angle)])
        xyz = (xyz - offset) / scale
        xyz += np.float32(watch.noise) * rng.standard_normal(xyz.shape, dtype=np.float32)
        measured = np.isfinite(xyz).all(axis=0)
        yield (second, xyz) if measured.all() else (second[measured], xyz[:, measured])


def write_raw(path: Path, series: SimulatedSeries, watch: Watch, seed: int = 0) -> None:
    """Write a parquet file of raw samples: time (with the recording's UTC offset), x, y, z in g."""
    start = np.datetime64(int(series.clock.start), "s")

    def hours() -> Iterator[pl.DataFrame]:
        for second, xyz in raw_blocks(series, watch, seed):
            time = start + np.round(second * 1e6).astype("timedelta64[us]")
            frame = pl.DataFrame({"time": time, **dict(zip("xyz", xyz, strict=True))})
            yield frame.with_columns(
                pl.col("time").dt.replace_time_zone("UTC").cast(_SCHEMA["time"])
            )

    stream_parquet(path, hours(), _SCHEMA)


def write_raw_folder(folder: Path, cohort: Cohort, rate: float) -> list[Path]:
    """Write raw samples of a cohort's recordings for testing; the files.

    Raises InputError for a rate that no watch has.
    """
    if not 5 <= rate <= 200:
        raise InputError(f"raw_hz={rate:g} must be between 5 and 200 samples per second.")
    folder.mkdir(exist_ok=True)
    paths = []
    for i in range(TEST_SERIES):
        series = cohort.recording(FIRST_TEST_INDEX + i)
        paths.append(folder / f"{series.series_id}.parquet")
        with replacing(paths[-1]) as path:
            write_raw(path, series, Watch(rate=rate), seed=i)
    return paths
