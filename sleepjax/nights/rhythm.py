"""The rhythm of rest and activity over 24 hours, without a model, from hourly means of ENMO.

Interdaily stability, intradaily variability, L5, M10 and relative amplitude as van Someren 1999
(doi:10.3109/07420529908998724) defines them. Hours are those of the local clock. An hour counts if
at least half of it was measured with the watch on.

    IS = sum over clock hours h of n_h (mean_h - mean)^2 / sum over hours i of (x_i - mean)^2
    IV = mean of (x_i - x_(i-1))^2 over hours that follow each other / mean of (x_i - mean)^2

With whole days n_h is n/24 and IS is van Someren's formula; with missing hours the weights n_h keep
it between 0 and 1. GGIR computes IS and IV of the same hours, by default after it has turned ENMO
into active or not at 20 mg, and finds L5 and M10 on a finer grid and per day: its values differ.
"""

import numpy as np

from sleepjax.data.recording import Recording
from sleepjax.types import STEPS_PER_HOUR

HOURS = 24
MIN_STEPS = STEPS_PER_HOUR // 2
MIN_DAYS = 2
"""Values that each hour of the clock needs."""


def hourly(recording: Recording, worn: np.ndarray) -> tuple[np.ndarray, int]:
    """(mean ENMO in mg of each hour float64 [N], NaN where too little was worn; first clock hour).

    An hour of the clock that comes twice, where summer time ends, is one hour here; one that
    does not exist is NaN.
    """
    hour = recording.clock // 3600
    first = int(hour.min())
    hour = hour[worn] - first
    enmo = np.asarray(recording.signals["enmo"])[worn].astype(np.float64)
    steps = np.bincount(hour)
    total = np.bincount(hour, weights=enmo)
    mean = np.full(len(steps), np.nan)
    enough = steps >= MIN_STEPS
    mean[enough] = 1000 * total[enough] / steps[enough]
    return mean, first % HOURS


def rhythm(mean: np.ndarray, first: int) -> dict[str, float | None]:
    """Columns of a recording from hourly means [N], NaN where missing, and the first clock hour.

    All None where an hour of the clock has fewer than `MIN_DAYS` values, and without movement.
    """
    known = np.isfinite(mean)
    of_day = (first + np.arange(len(mean))) % HOURS
    n = np.bincount(of_day[known], minlength=HOURS)
    result: dict[str, float | None] = {"rhythm_h": float(known.sum())}
    result |= dict.fromkeys(("is", "iv", "ra", "l5_mg", "l5_start_h", "m10_mg", "m10_start_h"))
    if n.min() < MIN_DAYS:
        return result
    x = mean[known]
    profile = np.bincount(of_day[known], weights=x, minlength=HOURS) / n
    spread = ((x - x.mean()) ** 2).sum()
    steps = np.diff(mean)  # NaN beside a missing hour
    steps = steps[np.isfinite(steps)]
    l5, m10 = (_runs(profile, hours) for hours in (5, 10))
    low, high = float(l5.min()), float(m10.max())
    result |= {"l5_mg": low, "l5_start_h": float(l5.argmin())}
    result |= {"m10_mg": high, "m10_start_h": float(m10.argmax())}
    result["ra"] = (high - low) / (high + low) if high + low > 0 else None
    if spread > 1e-12 * max(1.0, float((x**2).sum())) and len(steps):
        stability = float((n * (profile - x.mean()) ** 2).sum() / spread)
        result["is"] = min(1.0, stability)  # of days that are all alike rounding makes a bit more
        result["iv"] = float((steps**2).mean() / (spread / len(x)))
    return result


def _runs(profile: np.ndarray, hours: int) -> np.ndarray:
    """Mean [24] of that many successive hours of the day from each hour on, across midnight."""
    around = np.concatenate([profile, profile[: hours - 1]])
    return np.convolve(around, np.ones(hours) / hours, mode="valid")
