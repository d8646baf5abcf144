"""People whose sleep is known to the step: recording, probabilities and windows made to measure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from sleepjax import postprocess
from sleepjax.data.recording import Recording
from sleepjax.types import STEP_SECONDS, STEPS_PER_HOUR, STEPS_PER_MINUTE, SeriesMeta

HOUR = STEPS_PER_HOUR
Found = tuple[Recording, np.ndarray, pl.DataFrame]


def meta(begin: str, hours: float, zone: str = "Europe/London", name: str = "s") -> SeriesMeta:
    """Of a recording that begins at a local time and whose clock follows the zone."""
    first = datetime.fromisoformat(begin).replace(tzinfo=ZoneInfo(zone))
    start, n = int(first.timestamp()), round(hours * HOUR)
    offsets: list[tuple[int, int]] = []
    for row in range(0, n, STEPS_PER_MINUTE):
        moment = datetime.fromtimestamp(start + STEP_SECONDS * row, ZoneInfo(zone))
        seconds = int((moment.utcoffset() or timedelta()).total_seconds())
        if not offsets or offsets[-1][1] != seconds:
            offsets.append((row, seconds))
    return SeriesMeta(name, n, 0, start, tuple(offsets), {})


def row_of(of: SeriesMeta, local: str, zone: str = "Europe/London") -> int:
    """The row at a local time of the zone."""
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    return (int(moment.timestamp()) - of.start) // STEP_SECONDS


def found(
    of: SeriesMeta,
    sleeps: Sequence[tuple[int, int]],
    *,
    awake: Sequence[tuple[int, int]] = (),
    valid: np.ndarray | None = None,
    worn: np.ndarray | None = None,
) -> Found:
    """What a perfect model finds in somebody who sleeps from row to row.

    The arm turns every 10 seconds awake and every 20 minutes asleep; ``awake`` are rows of moving
    inside of sleep. ``worn`` is the model's fourth output.
    """
    n = of.n_steps
    asleep = np.zeros(n, bool)
    for onset, wakeup in sleeps:
        asleep[onset:wakeup] = True
    moving = ~asleep
    for first, end in awake:
        moving[first:end] = True
    rows = np.arange(n)
    turns = np.where(moving, rows // 2, rows // (20 * STEPS_PER_MINUTE) + n)
    anglez = ((turns * 37) % 120 - 60).astype(np.float32)
    enmo = np.where(moving, 0.05, 0.001).astype(np.float32)
    valid = np.ones(n, bool) if valid is None else valid
    probs = np.zeros((n, 3 if worn is None else 4), np.float32)
    probs[:, 0] = np.where(asleep, 0.98, 0.02)
    for column, ends in ((1, [a for a, _ in sleeps]), (2, [b for _, b in sleeps])):
        for end in ends:
            if 0 < end < n:
                bell = np.exp(-0.5 * ((rows - end) / (5 * STEPS_PER_MINUTE)) ** 2)
                probs[:, column] = np.maximum(probs[:, column], bell)
    if worn is not None:
        probs[:, 3] = worn
    windows = postprocess.find_windows(probs, of, valid=valid)
    return Recording(of, valid, {"anglez": anglez, "enmo": enmo}), probs, windows


def days_of_sleep(of, zone, nights):
    """Sleeps from local times, as rows."""
    return [(row_of(of, a, zone), row_of(of, b, zone)) for a, b in nights]


def main_of(nights):
    """The only row of main sleep."""
    return nights.row(by_predicate=pl.col("kind") == "main", named=True)
