"""Features that are made faster than by their expression, and bit for bit as `features.compute`.

Those that are elementwise in a signal or in the local time of day are made where they are sliced:
cheaper than to read them, so a store holds no file of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import polars as pl

from sleepjax.data import features
from sleepjax.data.compact import Array, Sliced
from sleepjax.data.features import ENMO_CLIP, FEATURES, NORMALISERS, REPEAT_LAGS
from sleepjax.data.recording import SIGNALS, Recording
from sleepjax.types import STEP_SECONDS, STEPS_PER_DAY, STEPS_PER_HOUR, SeriesMeta

CLOCK = ("hour_sin", "hour_cos", "minute_sin", "minute_cos")

_DAY = STEPS_PER_DAY * STEP_SECONDS


def with_features(recording: Recording, names: Sequence[str]) -> Recording:
    """The recording with what a model sees of it; bit for bit what prepare stores."""
    made = {name: array for name in names if (array := _made(recording, name)) is not None}
    others = [name for name in features.check_names(names) if name not in made]
    if others:
        columns = features.frame(recording, others)
        made |= {name: columns[name].to_numpy() for name in others}
    return replace(recording, features={name: made[name] for name in names})


def _made(recording: Recording, name: str) -> Array | None:
    """A feature float32 [T] that the recording has or that is made fast; None for others."""
    if name in recording.features:
        return recording.features[name]
    if name == "repeat":
        return repeat(recording)
    return derived(name, recording.meta, recording.signals.__getitem__)


def repeat(recording: Recording) -> np.ndarray:
    """``repeat``, float32 [T]: the share of the hour around a step that equals an earlier day."""
    anglez, enmo = (np.asarray(recording.signals[name]) for name in SIGNALS)
    copied = np.zeros(len(anglez), bool)
    n, half = len(copied), STEPS_PER_HOUR // 2
    for first in range(STEPS_PER_DAY, n, STEPS_PER_DAY):  # a day stays in the processor's cache
        rows = slice(first, min(first + STEPS_PER_DAY, n))
        for lag in REPEAT_LAGS[: first // STEPS_PER_DAY]:
            earlier = slice(rows.start - lag, rows.stop - lag)
            same = anglez[rows] == anglez[earlier]
            if same.any():
                copied[rows] |= same & (enmo[rows] == enmo[earlier])
    copied &= np.asarray(recording.valid)
    if not copied.any():
        return np.zeros(len(copied), np.float32)
    # Copied steps before each step, and beyond both ends.
    before = np.empty(n + 2 * half + 1, np.int32)
    before[: half + 1] = 0
    np.cumsum(copied, out=before[half + 1 :][:n])
    before[half + 1 + n :] = before[half + n]
    rows = np.arange(n, dtype=np.int32)
    size = np.minimum(rows + half, n) - np.maximum(rows - half, 0)
    return (before[2 * half :][:n] - before[:n]).astype(np.float32) / size.astype(np.float32)


def derived(
    name: str, meta: SeriesMeta, signal: Callable[[str], Array]
) -> Standardised | OfClock | None:
    """The feature of that name, float32 [T], or None where it must be computed of the recording."""
    if name in SIGNALS:
        return Standardised(name, signal(name))
    return OfClock(name, meta) if name in CLOCK else None


@dataclass(frozen=True)
class Standardised(Sliced):
    """A signal in the competition's units, z-scored."""

    name: str
    signal: Array

    def __len__(self) -> int:
        return len(self.signal)

    def __getitem__(self, rows: slice) -> np.ndarray:
        values, scale = self.signal[rows], NORMALISERS[self.name]
        if self.name == "enmo":
            values = np.minimum(values, np.float32(ENMO_CLIP))
        # As polars divides by a constant: multiplied by its reciprocal, all in float32.
        reciprocal = np.float32(1) / np.float32(scale["std"])
        return (values - np.float32(scale["mean"])) * reciprocal


@dataclass(frozen=True)
class OfClock(Sliced):
    """A function of the local time of day, looked up."""

    name: str
    meta: SeriesMeta

    def __len__(self) -> int:
        return self.meta.n_steps

    def __getitem__(self, rows: slice) -> np.ndarray:
        """The rows of a slice: one stretch for each UTC offset in it."""
        start, stop, step = rows.indices(self.meta.n_steps)
        first = [row for row, _ in self.meta.offsets[1:]]
        parts = []
        for (_, offset), a, b in zip(
            self.meta.offsets, [0, *first], [*first, self.meta.n_steps], strict=True
        ):
            a, b = max(a, start), min(b, stop)
            if a < b:
                step_of_day, second = divmod((self.meta.start + offset) % _DAY, STEP_SECONDS)
                begin = (step_of_day + a) % STEPS_PER_DAY
                days = np.resize(of_day(self.name, second), begin + b - a)  # over and over
                parts.append(days[begin:])
        return np.concatenate(parts or [np.zeros(0, np.float32)])[::step]


@lru_cache
def of_day(name: str, second: int) -> np.ndarray:
    """The feature at the steps of a day of which the first is ``second`` seconds after midnight."""
    clock = pl.Series(np.arange(second, _DAY, STEP_SECONDS) * 1000).cast(pl.Datetime("ms"))
    return pl.DataFrame({"clock": clock}).select(FEATURES[name]).to_series().to_numpy()
