"""Local time of a recording's rows: from UTC and offsets to what the wall clock showed.

Local seconds are seconds since 1970-01-01 00:00 as the wall clock shows them; they jump where the
clock is changed.
"""

from typing import Protocol

import numpy as np

from sleepjax.types import STEP_SECONDS


class Clocked(Protocol):
    """Anything whose row ``i`` is at UTC second ``start + 5 * i``, such as `SeriesMeta`."""

    @property
    def start(self) -> int:
        """Seconds since 1970-01-01 UTC of row 0."""
        ...

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """(first row, local minus UTC in seconds)."""
        ...


def utc_offset(clocked: Clocked, rows: np.ndarray) -> np.ndarray:
    """Local minus UTC in seconds at each of N rows, int64 [N]; before row 0 that of row 0."""
    first, seconds = np.array(clocked.offsets, np.int64).reshape(-1, 2).T
    entry = np.searchsorted(first, rows, side="right") - 1
    return seconds[entry.clip(min=0)]


def local_seconds(clocked: Clocked, rows: np.ndarray) -> np.ndarray:
    """Local clock of each of N rows in seconds since 1970-01-01 local, int64 [N]."""
    return clocked.start + STEP_SECONDS * np.asarray(rows, np.int64) + utc_offset(clocked, rows)


def timestamps(clocked: Clocked, rows: np.ndarray) -> list[str]:
    """Text of each of N rows, like 2018-08-14T22:26:00-0400."""
    return texts(local_seconds(clocked, rows), utc_offset(clocked, rows))


def texts(local: np.ndarray, offset: np.ndarray) -> list[str]:
    """Text, as of `timestamps`, of local seconds [N] and UTC offsets [N] in seconds."""
    names = {value: offset_text(value) for value in np.unique(offset).tolist()}
    stamps = np.datetime_as_string(local.astype("datetime64[s]"), unit="s").tolist()
    return [f"{stamp}{names[value]}" for stamp, value in zip(stamps, offset.tolist(), strict=True)]


def offset_text(seconds: int) -> str:
    """``-0400`` of -14,400 seconds."""
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}{minutes:02d}"
