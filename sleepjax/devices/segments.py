"""Segments of samples in time order: the first of two passes over a recording.

A piece of a file becomes one segment, or several where the clock was reset inside it. What the
second pass needs of a segment lies in two files: its samples, and those that stand for tenths of a
second.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sleepjax.devices.samples import Samples
from sleepjax.devices.units import EPOCH_NS, SECOND_NS, TICK_NS, TICKS_PER_EPOCH

RESET_NS = 3600 * SECOND_NS
"""A clock that steps back by as much was reset: another recording begins."""
ABSENCE_NS = 30 * 24 * 3600 * SECOND_NS
"""A clock that jumps ahead by more was reset too (the longest gap that a recording may have)."""
GAP_NS = SECOND_NS // 4
STILL_SECONDS = 10
STILL_SD = 0.013
"""SD in g of each axis over ten seconds below which the watch did not move (van Hees 2014)."""
HELD_NS = 60 * SECOND_NS
"""A value that never changes for as long was held, not measured."""
MOST_G = 1e6
"""More, which damaged files and tables may say, no sensor measures in any unit."""


@dataclass(frozen=True)
class Setup:
    """What is known of a recording before its samples are looked at."""

    folder: Path
    """Where the files of the segments are written."""
    rate: float
    """Samples per second."""
    limit: float
    """Largest acceleration in g that the device can measure on an axis."""
    drop_held: bool = False
    """Whether values that never change for a minute are left out, as tables hold in idle sleep."""


@dataclass(frozen=True)
class Segment:
    """N samples in time order that cover E epochs; times are those of the device's clock."""

    name: str
    folder: Path
    first: int
    """ns of the first sample."""
    last: int
    starts: np.ndarray
    """int64 [E+1]: sample with which each epoch begins, and N."""
    epoch: int
    """5-s epochs from 1970 to the first one."""
    still: np.ndarray
    """float32 [S,3], g: mean of each ten seconds in which the watch did not move."""
    counts: dict[str, int]
    """``samples, duplicates, unsorted, zeros, held, nonfinite, gaps, gap_ns, longest_gap_ns``."""

    @property
    def end(self) -> int:
        """The epoch after the last one."""
        return self.epoch + len(self.starts) - 1

    def samples(self) -> np.ndarray:
        """float32 [3,N], g."""
        return np.load(self.folder / f"{self.name}.samples.npy")

    def ticks(self) -> np.ndarray:
        """float32 [3,50E], g: the sample at each tenth of a second, NaN where there is none."""
        return np.load(self.folder / f"{self.name}.ticks.npy")


def segments(samples: Samples, setup: Setup, name: str) -> list[Segment]:
    """Put samples, in the order of the file, into that of time and write them as segments.

    There is none where no sample is left. Their files are called ``name`` and a number.
    """
    step = np.diff(samples.time)
    cuts = np.flatnonzero((step <= -RESET_NS) | (step > ABSENCE_NS)) + 1
    edges = [0, *cuts.tolist(), len(samples.time)]
    found = []
    for i, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        time, xyz, counts = _clean(samples.time[low:high], samples.xyz[:, low:high], setup)
        if len(time):
            found.append(_write(time, xyz, counts, setup, f"{name}-{i}"))
    return found


def _clean(time: np.ndarray, xyz: np.ndarray, setup: Setup):
    """(times that increase, their samples, counts); what is no measurement is left out."""
    finite = (np.abs(xyz) <= MOST_G).all(axis=0)  # NaN is not
    zeros = ~xyz.any(axis=0)  # idle sleep mode
    held = _held(time, xyz) if setup.drop_held else np.zeros(len(time), bool)
    held &= ~zeros
    counts = {"nonfinite": int((~finite).sum()), "zeros": int(zeros.sum()), "held": int(held.sum())}
    if any(counts.values()):
        keep = finite & ~zeros & ~held
        time, xyz = time[keep], xyz[:, keep]
    step = np.diff(time)
    counts["unsorted"] = int((step < 0).sum())
    if counts["unsorted"]:
        order = np.argsort(time, kind="stable")
        time, xyz = time[order], xyz[:, order]
        step = np.diff(time)
    same = step == 0
    counts["duplicates"] = int(same.sum())
    if counts["duplicates"]:
        fresh = np.append(True, ~same)
        time, xyz = time[fresh], xyz[:, fresh]
        step = np.diff(time)
    gaps = step[step > max(GAP_NS, 1.5 * SECOND_NS / setup.rate)]
    counts |= {"samples": len(time), "gaps": len(gaps), "gap_ns": int(gaps.sum())}
    return time, xyz, counts | {"longest_gap_ns": int(gaps.max(initial=0))}


def _held(time: np.ndarray, xyz: np.ndarray) -> np.ndarray:
    """Samples after the first of each series of equal ones that lasts `HELD_NS`, bool [N]."""
    if not len(time):
        return np.zeros(0, bool)
    changed = (xyz[:, 1:] != xyz[:, :-1]).any(axis=0)
    starts = np.concatenate([[0], np.flatnonzero(changed) + 1])
    stops = np.append(starts[1:], len(time))
    lasting = time[stops - 1] - time[starts] >= HELD_NS
    held = np.repeat(lasting, stops - starts)
    held[starts] = False
    return held


def _write(time: np.ndarray, xyz: np.ndarray, counts: dict, setup: Setup, name: str) -> Segment:
    epoch, last = int(time[0] // EPOCH_NS), int(time[-1] // EPOCH_NS)
    edges = np.arange(epoch, last + 2, dtype=np.int64)
    starts = np.searchsorted(time, edges * EPOCH_NS)
    np.save(setup.folder / f"{name}.samples.npy", xyz)
    np.save(setup.folder / f"{name}.ticks.npy", ticks(time, xyz, epoch, last + 1, setup.rate))
    still = still_windows(time, xyz, setup.rate)
    return Segment(name, setup.folder, int(time[0]), int(time[-1]), starts, epoch, still, counts)


def ticks(time: np.ndarray, xyz: np.ndarray, first: int, end: int, rate: float) -> np.ndarray:
    """The newest sample at each tenth of a second of the epochs from ``first`` to ``end``.

    Args:
      time: ns, increasing, int64 [N].
      xyz: float32 [3,N].
      rate: samples per second. A sample counts up to half a period before its time, and no longer
        than a tenth of a second or one and a half periods after it.

    Returns float32 [3,50E], NaN where no sample is that new.
    """
    moments = np.arange(first * TICKS_PER_EPOCH, end * TICKS_PER_EPOCH, dtype=np.int64) * TICK_NS
    period = SECOND_NS / rate
    ahead = int(min(period, TICK_NS) / 2)
    newest = np.searchsorted(time, moments + ahead, side="right") - 1
    fresh = (newest >= 0) & (moments - time[newest] <= max(TICK_NS, 1.5 * period))
    return np.where(fresh, xyz[:, newest], np.float32("nan"))


def still_windows(time: np.ndarray, xyz: np.ndarray, rate: float) -> np.ndarray:
    """Mean of each ten seconds, of the clock, in which no axis moves: float32 [S,3].

    Windows with less than nine tenths of their samples are left out, and so are those with an axis
    beyond 2 g.
    """
    window = time // (STILL_SECONDS * SECOND_NS)
    edges = np.arange(window[0], window[-1] + 2) * (STILL_SECONDS * SECOND_NS)
    starts = np.searchsorted(time, edges)
    size = np.diff(starts)
    starts, size = starts[:-1][size > 0], size[size > 0]
    origin = xyz[:, starts]
    moved = xyz - np.repeat(origin, size, axis=1)  # small numbers, so that float32 is exact enough
    mean = np.add.reduceat(moved, starts, axis=1) / size
    square = np.add.reduceat(moved * moved, starts, axis=1) / size
    variance = (square - mean * mean) * size / np.maximum(size - 1, 1)
    mean += origin
    still = (variance < STILL_SD**2).all(axis=0) & (np.abs(mean) < 2).all(axis=0)
    still &= size >= 0.9 * STILL_SECONDS * rate
    return mean[:, still].T.astype(np.float32)
