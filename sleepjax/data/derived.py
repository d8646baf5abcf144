"""Features of a stored recording that need no file of their own: made where they are sliced.

They are elementwise in a signal or in the local time of day, cheaper to make than to read, and bit
for bit those of `features.compute`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from sleepjax.data.compact import Sliced
from sleepjax.data.features import ENMO_CLIP, FEATURES, NORMALISERS
from sleepjax.data.recording import SIGNALS
from sleepjax.types import STEP_SECONDS, STEPS_PER_DAY, SeriesMeta

CLOCK = ("hour_sin", "hour_cos", "minute_sin", "minute_cos")

_DAY = STEPS_PER_DAY * STEP_SECONDS


def derived(
    name: str, meta: SeriesMeta, signal: Callable[[str], Sliced]
) -> Standardised | OfClock | None:
    """The feature of that name, float32 [T], or None where it must be computed of the recording."""
    if name in SIGNALS:
        return Standardised(name, signal(name))
    return OfClock(name, meta) if name in CLOCK else None


@dataclass(frozen=True)
class Standardised(Sliced):
    """A signal in the competition's units, z-scored."""

    name: str
    signal: Sliced

    def __len__(self) -> int:
        """T."""
        return len(self.signal)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """The rows of a slice."""
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
        """T."""
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
                place = np.arange(step_of_day + a, step_of_day + b)
                parts.append(of_day(self.name, second).take(place, mode="wrap"))
        return np.concatenate(parts or [np.zeros(0, np.float32)])[::step]


@lru_cache
def of_day(name: str, second: int) -> np.ndarray:
    """The feature at the steps of a day of which the first is ``second`` seconds after midnight."""
    clock = pl.Series(np.arange(second, _DAY, STEP_SECONDS) * 1000).cast(pl.Datetime("ms"))
    return pl.DataFrame({"clock": clock}).select(FEATURES[name]).to_series().to_numpy()
