"""Rows of a recording that has no end: the same 5-second grid and masks as those of a file.

A row of the grid is complete as soon as no later sample can belong to it, which is with the next
sample. Only complete rows are kept, and of those only the last ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sleepjax.data import rest
from sleepjax.data.repair import Samples, last_row, newest
from sleepjax.types import STEP_SECONDS, STEPS_PER_HOUR, SeriesMeta


@dataclass(frozen=True)
class Still:
    """The stretch without a turn of the arm (`rest`) that the kept rows may continue."""

    count: int = 0
    """Its measured steps, at most `rest.NOT_WORN`: more say nothing more."""
    angle: float = 0.0
    """Degrees at its last measured row."""
    row: int = -1
    """That row."""

    def before(self, first: int) -> np.ndarray:
        """Angles to put before row ``first`` so that the stretch continues in the rows after it."""
        if not self.count:
            return np.zeros(0, np.float32)
        gap = min(first - self.row - 1, rest.BRIDGED + 1)
        return np.repeat(np.array([self.angle, np.nan], np.float32), [self.count, gap])


@dataclass(frozen=True)
class Rows:
    """Complete rows ``first`` to ``stop`` - 1 of a recording, and what is known of those before."""

    start: int
    """Seconds since 1970-01-01 UTC of row 0."""
    last: Samples
    """The newest sample alone: its row is not complete."""
    first: int = 0
    signals: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), np.float32))
    """float32 [2,N]: anglez and enmo, NaN where nothing usable was measured."""
    offsets: tuple[tuple[int, int], ...] = ()
    """(row, local minus UTC in seconds): the clock at row ``first``, and its changes."""
    still: Still = Still()
    measured: int = 0
    """Rows with both signals, since row 0."""
    low: tuple[float, ...] = (np.inf, np.inf)
    """Lowest anglez and enmo since row 0."""
    high: tuple[float, ...] = (-np.inf, -np.inf)

    @property
    def stop(self) -> int:
        """Number of complete rows since the beginning."""
        return self.first + self.signals.shape[1]

    def placed(self, samples: Samples) -> tuple[Samples, np.ndarray, np.ndarray]:
        """What later samples complete: (newest sample, signals float32 [2,N], offset int64 [N])."""
        pairs = zip(_arrays(self.last), _arrays(samples), strict=True)
        every = Samples(*(np.concatenate(pair, axis=-1) for pair in pairs))
        elapsed = every.utc - self.start * 1000
        rows = np.arange(self.stop, last_row(elapsed[-1]))
        source = newest(elapsed, rows)
        signals = np.where(source >= 0, every.signals[:, source], np.float32("nan"))
        # A gap keeps the offset before it. The first of these rows has a sample: the newest before.
        return every[-1:], signals, every.offset[np.maximum.accumulate(source)]

    def extended(self, signals: np.ndarray, offset: np.ndarray) -> Rows:
        """With these rows at the end."""
        good = signals[:, np.isfinite(signals).all(axis=0)]
        turned = np.append(True, offset[1:] != offset[:-1])
        turned[0] = not self.offsets or self.offsets[-1][1] != offset[0]
        turns = tuple((self.stop + int(i), int(offset[i])) for i in np.flatnonzero(turned))
        return replace(
            self,
            signals=np.concatenate([self.signals, signals], axis=1),
            offsets=self.offsets + turns,
            measured=self.measured + good.shape[1],
            low=tuple(np.minimum(self.low, good.min(axis=1, initial=np.inf)).tolist()),
            high=tuple(np.maximum(self.high, good.max(axis=1, initial=-np.inf)).tolist()),
        )

    def since(self, row: int) -> Rows:
        """Without the rows before ``row``."""
        count = min(row, self.stop) - self.first
        if count <= 0:
            return self
        before = self.still.before(self.first)
        gone = np.concatenate([before, self.signals[0, :count]])
        rows, edges = rest.stretches(gone)
        still = self.still
        if len(rows):
            size = min(int(edges[-1] - edges[-2]), rest.NOT_WORN)
            last = int(rows[-1])
            still = Still(size, float(gone[last]), self.first + last - len(before))
        clock = [offset for offset in self.offsets if offset[0] <= self.first + count]
        later = tuple(offset for offset in self.offsets if offset[0] > self.first + count)
        return replace(
            self,
            first=self.first + count,
            signals=self.signals[:, count:].copy(),
            offsets=(clock[-1], *later),
            still=still,
        )

    def known(self) -> tuple[np.ndarray, int]:
        """(which rows are valid by now, bool [N]; from which row on later samples may change that).

        Rows that the watch measured lying still are masked when the stretch is long enough.
        """
        before = self.still.before(self.first)
        anglez = np.concatenate([before, self.signals[0]])
        valid = np.isfinite(self.signals).all(axis=0) & ~rest.at_rest(anglez)[len(before) :]
        steady = min(high - low for high, low in zip(self.high, self.low, strict=True)) < 1e-6
        if steady and self.measured >= STEPS_PER_HOUR:  # a sensor that does not work
            valid[:] = False
        rows, edges = rest.stretches(anglez)
        if not len(rows) or len(anglez) - 1 - rows[-1] > rest.BRIDGED:
            return valid, self.stop
        if edges[-1] - edges[-2] >= rest.NOT_WORN:
            return valid, self.stop
        return valid, max(self.first, self.first + int(rows[edges[-2]]) - len(before))

    def meta(self, series_id: str, first: int, stop: int) -> SeriesMeta:
        """Of rows ``first`` to ``stop`` - 1."""
        clock = [(max(row - first, 0), seconds) for row, seconds in self.offsets if row < stop]
        start = self.start + STEP_SECONDS * first
        return SeriesMeta(series_id, stop - first, first, start, tuple(dict(clock).items()), {})


def _arrays(samples: Samples) -> tuple[np.ndarray, ...]:
    return samples.utc, samples.offset, samples.step, samples.signals
