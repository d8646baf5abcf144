"""The features a model can see: one polars expression each, float32, from a validated recording.

Clock features follow the local wall clock of the recording (its own UTC offsets, DST included) and
are continuous in time. Samples that are not valid hold the mean of their signal, so that their
z-scored value is exactly 0.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from sleepjax.config import nearest
from sleepjax.data.recording import Recording
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, InputError

NORMALISERS = {
    "anglez": {"mean": -8.810476, "std": 35.521877},
    "enmo": {"mean": 0.041315, "std": 0.101829},
}
"""Mean and standard deviation of the 127,946,340 training rows of the competition (degrees, g)."""

ENMO_CLIP = 1.0
"""g; a 5-s mean above it is brief and says nothing more about sleep, yet would reach z = 112."""

_HOUR = 3600
_DAY = 24 * _HOUR
_YEAR = 31_556_952
"""Seconds of the mean Gregorian year: the season is within a day of the calendar's."""


def _zscore(name: str, value: pl.Expr) -> pl.Expr:
    return ((value - NORMALISERS[name]["mean"]) / NORMALISERS[name]["std"]).cast(pl.Float32)


def _phase(period: int) -> pl.Expr:
    """Radians through a period of the local clock, such as a day; 0 at its beginning."""
    seconds = pl.col("clock").dt.epoch("s") % period
    return (seconds * (2 * math.pi / period)).cast(pl.Float32)


REPEAT_LAGS = tuple(k * STEPS_PER_DAY for k in range(1, 8))
"""Steps back at which a copy may have its source: the same clock time of the last seven days."""


def _repeat() -> pl.Expr:
    """Share of the hour around a step in which the signal repeats an earlier day exactly.

    Stretches in which the watch was not worn are filled with copies of other days in the
    competition's data; measured signals never repeat for long.
    """

    def same(lag: int) -> pl.Expr:
        equal = [pl.col(name) == pl.col(name).shift(lag) for name in ("anglez", "enmo")]
        return equal[0] & equal[1]

    anywhere = pl.any_horizontal(same(lag) for lag in REPEAT_LAGS).fill_null(False)
    hour = {"window_size": STEPS_PER_HOUR, "min_samples": 1, "center": True}
    return (anywhere & pl.col("valid")).cast(pl.Float32).rolling_mean(**hour)


FEATURES: dict[str, pl.Expr] = {
    "anglez": _zscore("anglez", pl.col("anglez")),
    "enmo": _zscore("enmo", pl.col("enmo").clip(upper_bound=ENMO_CLIP)),
    "anglez_sin": pl.col("anglez").radians().sin(),
    "anglez_cos": pl.col("anglez").radians().cos(),
    "hour_sin": _phase(_DAY).sin(),
    "hour_cos": _phase(_DAY).cos(),
    "minute_sin": _phase(_HOUR).sin(),
    "minute_cos": _phase(_HOUR).cos(),
    "month_sin": _phase(_YEAR).sin(),
    "month_cos": _phase(_YEAR).cos(),
    "repeat": _repeat(),
    "step": (pl.int_range(pl.len()) / pl.len()).cast(pl.Float32),
}
"""Name -> expression over ``Recording.frame``. ``step`` is the share of the recording gone by."""

DEFAULT_FEATURES = tuple(FEATURES)
"""What prepare stores: everything, 48 bytes a step; a config then picks what the model sees."""


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple; InputError for an unknown, repeated or missing one."""
    for name in names:
        if name not in FEATURES:
            raise InputError(
                f"feature {name!r} is unknown{nearest(name, FEATURES)} "
                f"Known: {', '.join(FEATURES)}."
            )
    if not names or len(set(names)) != len(names):
        raise InputError(f"features {tuple(names)} must name at least one, and each only once.")
    return tuple(names)


def frame(recording: Recording, names: Sequence[str]) -> pl.DataFrame:
    """Features of one recording as float32 columns of T rows, in the order of the names."""
    return recording.frame.select(FEATURES[name].alias(name) for name in check_names(names))


def compute(recording: Recording, names: Sequence[str]) -> np.ndarray:
    """Features of one recording, float32 [T,F]; bit for bit what prepare stores."""
    columns = frame(recording, names)
    return np.stack([columns[name].to_numpy() for name in names], axis=-1)


def definitions(names: Sequence[str]) -> dict[str, str]:
    """Hash of each feature's definition: it changes with the expression and every constant in it.

    Raises InputError for an unknown name. The text that is hashed is that of polars, so a hash of
    another version of polars may differ where nothing else does.
    """
    # str(expression) would leave out options such as the window of a rolling mean.
    text = lambda name: FEATURES[name].meta.serialize(format="json")
    return {
        name: hashlib.sha256(text(name).encode()).hexdigest()[:16] for name in check_names(names)
    }
