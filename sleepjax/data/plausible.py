"""Plausible values of anglez and enmo: what a watch can measure, and what to say of the others."""

import numpy as np

from sleepjax.types import STEPS_PER_DAY, InputError

RANGES = {"anglez": (-90.0, 90.0), "enmo": (0.0, 13.0)}
"""Degrees; g (the norm of a device of ±8 g per axis ends at 12.9 g after gravity is taken off)."""

ROUNDING = 1e-3
"""Degrees or g that rounding may add to a value at the edge of its range."""


def check_degrees(anglez: np.ndarray, where: str) -> None:
    """Raise InputError for a day or more whose angles move as radians do, and no further."""
    if len(anglez) < STEPS_PER_DAY or max(-anglez.min(), anglez.max()) >= 1.58:
        return
    if anglez.std() > 0.3:
        raise InputError(
            f"{where}: anglez lies between {anglez.min():.2f} and {anglez.max():.2f}; units? "
            f"degrees vs radians: multiply anglez by 57.29578."
        )


def within_range(signals: np.ndarray) -> np.ndarray:
    """Which values of anglez and enmo, float32 [2,N], are numbers a watch measures: bool [2,N]."""
    low, high = np.array(list(RANGES.values()), np.float32).T[:, :, None]
    rounding = np.float32(ROUNDING)
    return (signals >= low - rounding) & (signals <= high + rounding)


def out_of_range(signals: np.ndarray) -> np.ndarray:
    """Which finite values of anglez and enmo, float32 [2,N], no watch measures: bool [2,N]."""
    return np.isfinite(signals) & ~within_range(signals)


def impossible(name: str, values: np.ndarray, n: int, share: str) -> str:
    """What to say of these values of a signal, out of n, and what may be the reason."""
    low, high = RANGES[name]
    unit = {"anglez": "degrees", "enmo": "g"}[name]
    hint = "is it an angle in degrees?"
    if name == "enmo":
        angles = RANGES["anglez"]
        if -high > values.min() >= angles[0] and values.max() <= angles[1]:
            hint = "are anglez and enmo swapped?"
        elif np.median(values) > high:
            hint = "units? mg vs g: divide enmo by 1000."
        else:
            hint = "ENMO is cut at 0 before it is averaged."
    return (
        f"{len(values)} of {n} values of {name} are outside {low:g} to {high:g} {unit}, "
        f"such as {values[0]:g} ({share}); {hint}"
    )
