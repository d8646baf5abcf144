"""Signals that the baselines see of a recording: the same prepared features as a model."""

from __future__ import annotations

import numpy as np

from sleepjax.data.features import NORMALISERS
from sleepjax.data.windows import Series

FEATURES = ("anglez", "enmo", "hour_sin", "hour_cos", "repeat")
"""Names of ``Series.features`` for every function of this package."""


def feature(one: Series, name: str) -> np.ndarray:
    """float32 [T]."""
    return np.asarray(one.features[FEATURES.index(name)])


def measured(one: Series, name: str) -> np.ndarray:
    """``anglez`` in degrees or ``enmo`` in g, float64 [T]; NaN where it was not measured."""
    scale = NORMALISERS[name]
    values = feature(one, name).astype(np.float64) * scale["std"] + scale["mean"]
    return np.where(np.asarray(one.valid), values, np.nan)


def worn(one: Series) -> np.ndarray:
    """bool [T]: measured, and no copy of another day."""
    return np.asarray(one.valid) & (feature(one, "repeat") < 0.5)
