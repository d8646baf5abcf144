"""anglez and enmo of 5-second epochs, by GGIR's definitions: the second pass over a recording.

enmo is the mean over the epoch's samples of the part of |acceleration| above 1 g. anglez is the
mean over the epoch of atan(z / sqrt(x² + y²)), where each axis is its median over five seconds,
taken at ten values a second (GGIR's ``g.applymetrics``).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from sleepjax.devices.autocalibration import Calibration
from sleepjax.devices.segments import Segment, Setup
from sleepjax.devices.units import EPOCHS_PER_BLOCK, TICKS_PER_EPOCH

MEDIAN_TICKS = 51
CLIPPED = 0.9375
"""Share of the device's range from which a value may be clipped: 7.5 of 8 g (GGIR)."""
_LENT = MEDIAN_TICKS - 1
"""Ticks of the segments beside one: half a median, and as far again to where a gap is filled."""
_STRIDE = 2
"""Non-wear looks at five values a second."""


@dataclass(frozen=True)
class Sums:
    """Sums over the E epochs of a segment, and over the B quarter hours that they touch."""

    epoch: int
    count: np.ndarray
    """int64 [E]: samples."""
    enmo: np.ndarray
    """float64 [E], g."""
    clipped: np.ndarray
    """int64 [E]: samples with an axis at the edge of the device's range."""
    ticks: np.ndarray
    """int64 [E]: tenths of a second that were measured."""
    anglez: np.ndarray
    """float64 [E], degrees, summed over them."""
    block: int
    low: np.ndarray
    """float64 [3,B], g: smallest value of each axis; inf where there is none."""
    high: np.ndarray
    moments: np.ndarray
    """float64 [3,3,B]: number, sum and sum of squares of each axis."""


Neighbours = tuple[Segment, Segment | None, Segment | None]
"""A segment, the one before it and the one after it."""


def measure(segments: Neighbours, calibration: Calibration, setup: Setup) -> Sums:
    """Sums over the epochs of a segment; those beside it lend 5 s to the medians at its edges."""
    segment, _, after = segments
    samples = segment.samples()
    count = np.diff(segment.starts)
    filled = np.flatnonzero(count)
    clipped = np.zeros(len(count), np.int64)
    edge = CLIPPED * setup.limit
    if max(samples.max(), -samples.min()) > edge:
        beyond = (np.abs(samples) > edge).any(axis=0)
        clipped[filled] = np.add.reduceat(beyond.astype(np.int64), segment.starts[filled])
    enmo = np.zeros(len(count))
    enmo[filled] = np.add.reduceat(above_gravity(calibration(samples)), segment.starts[filled])
    del samples

    own = _own_ticks(segment, after, calibration)
    measured = np.isfinite(own[0])
    angle = np.where(measured, _angles(segments, own, calibration), 0)
    by_epoch = lambda values: values.reshape(-1, TICKS_PER_EPOCH).sum(axis=1)
    block = segment.epoch // EPOCHS_PER_BLOCK
    return Sums(
        segment.epoch,
        count,
        enmo,
        clipped,
        by_epoch(measured),
        by_epoch(angle.astype(np.float64)),
        block,
        *_blocks(own, segment.epoch - block * EPOCHS_PER_BLOCK),
    )


def above_gravity(xyz: np.ndarray) -> np.ndarray:
    """max(|acceleration| - 1, 0) in g of each sample, float32 [N], of float32 [3,N]."""
    x, y, z = xyz
    length = x * x
    length += y * y
    length += z * z
    np.sqrt(length, out=length)
    length -= 1
    return np.maximum(length, 0, out=length)


def angles(ticks: np.ndarray) -> np.ndarray:
    """Angle to the horizontal in degrees [M] of axes at ten values a second, [3,M].

    Ticks that are NaN take the nearest one that is not, for the sake of the medians beside them.
    """
    x, y, z = (median_filter(axis, MEDIAN_TICKS, mode="nearest") for axis in _nearest(ticks))
    return np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def _nearest(ticks: np.ndarray) -> np.ndarray:
    """Each column that is NaN replaced by the nearest that is not; the earlier one of two."""
    known = np.flatnonzero(np.isfinite(ticks[0]))
    if len(known) in (0, ticks.shape[1]):
        return ticks
    column = np.arange(ticks.shape[1])
    after = np.searchsorted(known, column).clip(max=len(known) - 1)
    before = (after - 1).clip(min=0)
    earlier = np.abs(column - known[before]) <= np.abs(known[after] - column)
    return ticks[:, np.where(earlier, known[before], known[after])]


def _own_ticks(segment: Segment, after: Segment | None, calibration: Calibration) -> np.ndarray:
    """Ticks of a segment without those for which the next one, begun in its last epoch, has a newer
    sample."""
    own = calibration(segment.ticks())
    if after is not None and after.epoch == segment.end - 1:
        newer = np.isfinite(after.ticks()[0, :TICKS_PER_EPOCH])
        own[:, -TICKS_PER_EPOCH:][:, newer] = np.nan
    return own


def _angles(segments: Neighbours, own: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Angle of each tick of a segment, whose own ticks are given, degrees [50E]."""
    segment, before, after = segments
    first, end = segment.epoch * TICKS_PER_EPOCH, segment.end * TICKS_PER_EPOCH
    wide = np.full((3, end - first + 2 * _LENT), np.float32("nan"))
    lent = [
        (calibration(other.ticks()), other.epoch * TICKS_PER_EPOCH) if other is not None else None
        for other in (before, after)
    ]
    for ticks in (lent[0], (own, first), lent[1]):  # a later sample is the newer one
        if ticks is not None:
            _lay(wide, first - _LENT, *ticks)
    return angles(wide)[_LENT:-_LENT]


def _lay(wide: np.ndarray, at: int, ticks: np.ndarray, first: int) -> None:
    """Write the ticks that are known, from tick ``first`` on, into those from tick ``at`` on."""
    low, high = max(at, first), min(at + wide.shape[1], first + ticks.shape[1])
    if low < high:
        part = ticks[:, low - first : high - first]
        place = wide[:, low - at : high - at]
        np.copyto(place, part, where=np.isfinite(part))


def _blocks(ticks: np.ndarray, skipped: int):
    """(low, high, moments) of the quarter hours, the first of which lacks ``skipped`` epochs."""
    lead = skipped * TICKS_PER_EPOCH
    size = EPOCHS_PER_BLOCK * TICKS_PER_EPOCH
    number = -(-(lead + ticks.shape[1]) // size)
    padded = np.full((3, number * size), np.nan)
    padded[:, lead : lead + ticks.shape[1]] = ticks
    values = padded[:, ::_STRIDE].reshape(3, number, -1)
    known = np.isfinite(values)
    zeroed = np.where(known, values, 0)
    moments = np.stack([known.sum(axis=2), zeroed.sum(axis=2), (zeroed**2).sum(axis=2)])
    low = np.where(known, values, np.inf).min(axis=2)
    high = np.where(known, values, -np.inf).max(axis=2)
    return low, high, moments.astype(np.float64)
