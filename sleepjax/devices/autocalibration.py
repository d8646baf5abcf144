"""Autocalibration by gravity: what a watch at rest measures should lie on a sphere of 1 g.

van Hees et al. 2014, doi 10.1152/japplphysiol.00421.2014, as in GGIR's ``g.calibrate`` without the
term for temperature.
"""

from dataclasses import dataclass

import numpy as np

MIN_WINDOWS = 50
SPHERE = 0.3
"""g: at rest each axis must have been beyond this on both sides."""
MAX_ERROR = 0.010
"""g: a larger error after calibration means that it failed."""
_ITERATIONS, _TOLERANCE, _MAX_WEIGHT = 1000, 1e-10, 100.0


@dataclass(frozen=True)
class Calibration:
    """``offset + scale * x`` per axis, and how far the length of gravity is from 1 g on average."""

    scale: np.ndarray
    """float64 [3]."""
    offset: np.ndarray
    """float64 [3], g."""
    error_before: float | None
    """g; None without any stillness."""
    error_after: float | None
    """g; None where nothing was fitted."""
    reason: str
    """Why it was not applied; empty where it was."""

    def as_json(self) -> dict:
        """Numbers for a report; errors in g."""
        rounded = lambda value: None if value is None else round(value, 5)
        return {
            "applied": not self.reason,
            "error_before_g": rounded(self.error_before),
            "error_after_g": rounded(self.error_after),
            "scale": [round(float(x), 5) for x in self.scale],
            "offset_g": [round(float(x), 5) for x in self.offset],
            "reason": self.reason,
        }

    def __call__(self, xyz: np.ndarray) -> np.ndarray:
        """Calibrated float32 [3,N] of float32 [3,N]."""
        if self.reason:
            return xyz
        scale, offset = (x.astype(np.float32)[:, None] for x in (self.scale, self.offset))
        return xyz * scale + offset


def calibrate(still: np.ndarray) -> Calibration:
    """Fit scale and offset of each axis to the means [S,3] in g of windows of stillness."""
    neutral = np.ones(3), np.zeros(3)
    if not len(still):
        return Calibration(*neutral, None, None, "the watch was never still for ten seconds")
    still = still.astype(np.float64)
    before = _error(still)
    reason = _too_little(still)
    if reason:
        return Calibration(*neutral, before, None, reason)
    scale, offset = fit(still)
    after = _error(still * scale + offset)
    if after >= before:
        reason = f"the error did not shrink ({1000 * before:.1f} to {1000 * after:.1f} mg)"
    elif after > MAX_ERROR:
        reason = f"an error of {1000 * after:.1f} mg remained (at most {1000 * MAX_ERROR:.0f})"
    if reason:
        scale, offset = neutral
    return Calibration(scale, offset, before, after, reason)


def _too_little(still: np.ndarray) -> str:
    if len(still) < MIN_WINDOWS:
        return f"{len(still)} still windows of ten seconds (at least {MIN_WINDOWS} are needed)"
    for name, axis in zip("xyz", still.T, strict=True):
        if axis.min() > -SPHERE or axis.max() < SPHERE:
            return (
                f"too few postures at rest: {name} from {axis.min():.2f} to {axis.max():.2f} g "
                f"(beyond {-SPHERE:g} and {SPHERE:g} are needed)"
            )
    return ""


def fit(still: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(scale, offset), each [3]: weighted fits to the nearest points of the sphere, repeated."""
    scale, offset = np.ones(3), np.zeros(3)
    weights, before = np.ones(len(still)), np.inf
    for _ in range(_ITERATIONS):
        now = still * scale + offset
        nearest = now / np.linalg.norm(now, axis=1, keepdims=True)
        slope, shift = _lines(now, nearest, weights)
        fitted = now * slope + shift
        scale, offset = scale * slope, offset * slope + shift
        apart = ((fitted - nearest) ** 2).sum(axis=1)
        residual = float((weights * apart).sum() / weights.sum())
        weights = np.minimum(1 / np.maximum(np.sqrt(apart), 1e-12), _MAX_WEIGHT)
        if abs(residual - before) < _TOLERANCE:
            break
        before = residual
    return scale, offset


def _lines(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept [3] of a weighted straight line per column."""
    weights = (weights / weights.sum())[:, None]
    x_mean, y_mean = (weights * x).sum(axis=0), (weights * y).sum(axis=0)
    slope = (weights * (x - x_mean) * (y - y_mean)).sum(axis=0)
    slope /= (weights * (x - x_mean) ** 2).sum(axis=0)
    return slope, y_mean - slope * x_mean


def _error(still: np.ndarray) -> float:
    return float(np.abs(np.linalg.norm(still, axis=1) - 1).mean())
