"""Signals as the baselines see them: NaN where nothing was measured."""

import numpy as np

from sleepjax.data.recording import Recording

FEATURES = ("anglez", "enmo", "hour_sin", "hour_cos", "repeat")
"""Features that a recording needs for every function of this package."""


def measured(one: Recording, name: str) -> np.ndarray:
    """``anglez`` in degrees or ``enmo`` in g, float64 [T]; NaN where it was not measured."""
    values = np.asarray(one.signals[name]).astype(np.float64)
    return np.where(np.asarray(one.valid), values, np.nan)


def worn_steps(one: Recording) -> np.ndarray:
    """bool [T]: measured, and no copy of another day."""
    valid = np.asarray(one.valid)
    return valid if one.copied is None else valid & ~np.asarray(one.copied)
