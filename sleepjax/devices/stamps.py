"""Times in tables of raw samples: text, datetimes or numbers -> ns, and whose clock they are."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from sleepjax.data import cells, clock
from sleepjax.devices.units import SECOND_NS
from sleepjax.devices.wall_clock import DeviceClock, offset_at
from sleepjax.types import InputError

_SINCE_1970 = ((1e11, SECOND_NS), (1e14, 1_000_000), (1e17, 1_000), (9.2e18, 1))
"""Numbers up to each bound are seconds, ms, us and ns since 1970 UTC."""
YEARS = (1970, 2200)
_NEAR = 120
"""Seconds by which a step of the clock may differ from that of daylight saving."""


@dataclass
class Stamps:
    """Reads the times of one table, batch by batch.

    Times with an offset, in UTC or in numbers are moments. Naive ones are those of a clock; where
    it steps as ``tz`` does for daylight saving, it is followed, so that ``time`` runs on.
    """

    source: str
    tz: str | None
    form: str | None = None
    """Of naive times, as `strptime` has it; None: ISO 8601."""
    naive: DeviceClock = DeviceClock()
    """What the file says of the clock of naive times."""
    kind: str = ""
    """"naive", "offset" or "number", once a batch was read."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """(UTC second, seconds ahead of UTC from then on) of times with an offset."""
    _ahead: int = 0
    _last: int | None = None

    def read(self, column: pl.Series) -> np.ndarray:
        """ns since 1970 [N]: of UTC, or by the clock of naive times as it stood at the first.

        Raises InputError for times that are empty, cannot be read, or differ in kind.
        """
        kind, time = self._parse(column)
        if self.kind and kind != self.kind:
            raise self._mixed()
        self.kind = kind
        return self._run_on(time) if kind == "naive" and self.tz else time

    def clock(self) -> DeviceClock:
        """What the times say of the clock."""
        if self.kind == "naive":
            return self.naive
        if self.kind == "number":
            return DeviceClock(0, None, "times are UTC, since 1970")
        return DeviceClock(0, self.changes[0][1], "UTC offsets of the times", tuple(self.changes))

    def _parse(self, column: pl.Series) -> tuple[str, np.ndarray]:
        if column.dtype in (pl.Categorical, pl.Enum):
            column = column.cast(pl.String)
        if isinstance(column.dtype, pl.Datetime):
            naive = column.dtype.time_zone is None
            if naive:
                self._check_years(_filled(column, self.source))
                return "naive", column.dt.epoch("ns").to_numpy()
            return "offset", self._moments(column)
        if column.dtype == pl.String:
            column = cells.present(column)
            if column.null_count() == len(column):
                raise InputError(f"{self.source}: the column of times is empty.")
            numbers = column.cast(pl.Float64, strict=False)
            if numbers.null_count() > column.null_count():
                return self._text(column)
            column = numbers
        if not column.dtype.is_numeric():
            raise InputError(
                f"{self.source}: times are {column.dtype}; they must be text like "
                "2018-08-14T15:30:00.010, date and time, or numbers since 1970."
            )
        return "number", _since_1970(_filled(column, self.source), self.source)

    def _text(self, column: pl.Series) -> tuple[str, np.ndarray]:
        stripped = _filled(column, self.source).str.strip_chars()
        if stripped[0].endswith("]"):  # the zone's name after the offset, as `accelerometer` writes
            stripped = stripped.str.replace(r" ?\[[^\[\]]*\]$", "")
        if self.form is None and _offset(stripped[0]):
            return "offset", self._moments(stripped)
        text = stripped if self.form else stripped.str.replace("T", " ", literal=True)
        form = self.form or "%Y-%m-%d %H:%M:%S%.f"
        time = text.str.to_datetime(form, time_unit="us", strict=False)
        if time.null_count():
            row = int(time.is_null().arg_max() or 0)
            if self.form is None and _offset(stripped[row]):
                raise self._mixed()
            raise InputError(
                f"{self.source}: time {column[row]!r} cannot be read; "
                + (
                    f"by its header it must be of the form {self.form}."
                    if self.form
                    else "write it like 2018-08-14T15:30:00.010, with or without a UTC offset."
                )
            )
        self._check_years(time)
        return "naive", time.dt.epoch("ns").to_numpy()

    def _check_years(self, time: pl.Series) -> None:
        """Raise InputError for datetimes that no watch shows, and that ns cannot hold."""
        years = time.dt.year()
        low, high = years.min(), years.max()
        if low < YEARS[0] or high > YEARS[1]:  # type: ignore[operator]
            row = int(((years < YEARS[0]) | (years > YEARS[1])).arg_max() or 0)
            raise InputError(
                f"{self.source}: time {str(time[row])!r} is not between {YEARS[0]} and {YEARS[1]}; "
                "was the clock set, or are the times written in another way?"
            )

    def _mixed(self) -> InputError:
        return InputError(
            f"{self.source}: some times have a UTC offset and others have none; write all in one "
            "way."
        )

    def _moments(self, column: pl.Series) -> np.ndarray:
        utc, offset = clock.parse(column, tz=self.tz, where=self.source)  # ms, seconds
        self._check_years(pl.Series(utc[[utc.argmin(), utc.argmax()]]).cast(pl.Datetime("ms")))
        turns = np.append(0, np.flatnonzero(np.diff(offset)) + 1)
        for row in turns.tolist():
            if not self.changes or self.changes[-1][1] != offset[row]:
                self.changes.append((int(utc[row] // 1000), int(offset[row])))
        return utc * 1_000_000

    def _run_on(self, time: np.ndarray) -> np.ndarray:
        """Take the steps out that daylight saving makes in a clock."""
        assert self.tz is not None
        before = time[0] if self._last is None else self._last
        step = np.diff(time, prepend=before)
        self._last = int(time[-1])
        ahead = np.zeros(len(time), np.int64)
        for row in np.flatnonzero(np.abs(step) > 1200 * SECOND_NS).tolist():
            shown = int(time[row] // SECOND_NS), int((time[row] - step[row]) // SECOND_NS)
            shift = _shift(self.tz, shown[1], shown[0])
            if shift and abs(step[row] // SECOND_NS - shift) < _NEAR:
                ahead[row] = shift
        total = self._ahead + np.cumsum(ahead)
        self._ahead = int(total[-1])
        return time - total * SECOND_NS


@dataclass
class Ticks:
    """Times of rows that have none: from a start on, at a rate."""

    source: str
    start: int
    """ns since 1970 by the device's clock."""
    rate: float
    """Samples per second."""
    _read: int = 0

    def read(self, column: pl.Series) -> np.ndarray:
        """ns [N] of the next N rows, of which any column is given."""
        rows = self._read + np.arange(len(column))
        self._read += len(column)
        return self.start + np.round(rows * (SECOND_NS / self.rate)).astype(np.int64)

    def clock(self) -> DeviceClock:
        """As `Stamps.clock`."""
        return DeviceClock()


def _shift(tz: str, before: int, after: int) -> int:
    """Seconds by which daylight saving sets a zone's clocks forward between two local times.

    Both passes of a repeated hour are near: three hours to either side are looked at.
    """
    return offset_at(tz, max(before, after) + 3 * 3600) - offset_at(tz, min(before, after) - 7200)


def _offset(text: str) -> bool:
    """Whether a text ends in a UTC offset, such as -0400."""
    tail = text[10:]
    return "+" in tail or "-" in tail or tail.endswith("Z")


def _filled(column: pl.Series, source: str) -> pl.Series:
    if column.null_count():
        raise InputError(f"{source}: a time is empty; is the file cut short?")
    return column


def _since_1970(column: pl.Series, source: str) -> np.ndarray:
    largest = float(column.abs().max() or 0)  # type: ignore[arg-type]
    unit = next((unit for bound, unit in _SINCE_1970 if largest < bound), None)
    if unit is None or largest < 1e8 or float(column.min()) < 0:  # type: ignore[arg-type]
        raise InputError(
            f"{source}: times reach {largest:g}, which are not seconds, ms, us or ns since 1970; "
            "write them like 2018-08-14T15:30:00.010."
        )
    if column.dtype.is_integer():
        return column.cast(pl.Int64).to_numpy() * unit
    return np.round(column.to_numpy() * unit).astype(np.int64)
