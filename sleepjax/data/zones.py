"""Wall clocks of named zones: naive times are placed, UTC is converted, offsets are checked."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl

from sleepjax.local_time import offset_text
from sleepjax.types import InputError

EXAMPLE = "2018-08-14T15:30:00-0400"
_DAY_MS = 86_400_000
_UTC = ("UTC", "Etc/UTC", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "GMT", "Etc/GMT", "+00:00")
DISORDER_MS = 5 * 60_000
"""Rows that step back by less have changed places; by more, the clock was set back."""
MAX_TWICE = 0.1
"""Share of the rows in a repeated hour that may fall on the instant of another one."""

Place = Callable[[int], str]
"""Row -> file, series and row, for the error text."""


def check(tz: str) -> None:
    """Raise InputError for a zone that polars or the system's zone files do not know.

    The files know more: ``localtime``, ``posix/Europe/London``, ``Factory``.
    """
    try:
        ZoneInfo(tz)
        moment = pl.Series([0]).cast(pl.Datetime("ms"))
        moment.dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null")
    except (ZoneInfoNotFoundError, TypeError, ValueError, OSError, pl.exceptions.PolarsError):
        raise InputError(f"time zone {tz!r} is unknown; name one like 'Europe/London'.") from None


def utc_offset(utc: np.ndarray, zone: str) -> np.ndarray:
    """Local minus UTC in seconds, int64 [T], of a zone at UTC in ms [T]."""
    moments = pl.Series(utc, dtype=pl.Datetime("ms", "UTC")).dt.convert_time_zone(zone)
    offset = moments.dt.base_utc_offset() + moments.dt.dst_offset()
    return offset.dt.total_seconds().to_numpy()


def on_wall_clock(
    stamps: pl.Series, utc: np.ndarray, offset: np.ndarray, tz: str | None, place: Place
) -> tuple[np.ndarray, np.ndarray]:
    """Timestamps with offsets by the clock of ``tz``: UTC is converted, other offsets checked."""
    zone = getattr(stamps.dtype, "time_zone", None)
    if tz is None:
        return utc, offset
    wanted = utc_offset(utc, tz)
    if zone in _UTC if zone else not offset.any():
        return utc, wanted
    if (offset != wanted).any():
        row = int((offset != wanted).argmax())
        its = f"{_name(offset[row])}{f' ({zone})' if zone else ''}"
        raise InputError(
            f"{place(row)}: timestamp '{stamps[row]}' is at {its}, but tz={tz!r} is at "
            f"{_name(wanted[row])} then; leave tz out to keep the clock that was "
            "recorded, or name the zone it was set to (--tz in scripts, --config.data.tz in "
            "training)."
        )
    return utc, offset


def localise(
    stamps: pl.Series, tz: str | None, place: Place, near: np.ndarray | None
) -> np.ndarray:
    """UTC in ms [T] of wall-clock times in a zone."""
    if tz is None:
        raise InputError(
            f"{place(0)}: timestamp {str(stamps[0])!r} has no UTC offset, so the "
            f"local clock is unknown; write it like {EXAMPLE}, or name the zone, "
            f"such as tz='America/New_York' (--tz in scripts, --config.data.tz in training)."
        )
    early, late = (
        stamps.dt.replace_time_zone(tz, ambiguous=which, non_existent="null")
        for which in ("earliest", "latest")
    )
    if early.null_count():
        row = int(early.is_null().arg_max() or 0)
        raise InputError(
            f"{place(row)}: {stamps[row]} does not exist in {tz}, where clocks go forward "
            f"then; if the device kept its clock, name a fixed offset: tz='Etc/GMT+5' is UTC-5."
        )
    local, first, second = (x.dt.epoch("ms").to_numpy() for x in (stamps, early, late))
    twice = first != second
    if not twice.any():
        later = twice
    elif near is None:
        later = _second_pass(local, second - first)
    else:
        later = np.abs(second - near) < np.abs(first - near)
    utc = np.where(later, second, first)
    _check_repeated_hour(stamps, utc, twice, tz, place)
    return utc


def _second_pass(local: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Which rows lie in the second pass of an hour that a clock set back repeats, bool [T].

    The second pass begins where the rows step back in time, by more than rows that changed places
    would. A row that then steps forward by nearly the whole shift is a late one of the first pass.
    ``shift`` is by how many ms the clock is set back, 0 outside of the repeated hours.
    """
    day = local // _DAY_MS
    later = np.zeros(len(local), bool)
    for one in np.unique(day[shift > 0]):
        rows = np.flatnonzero(day == one)
        step = np.diff(local[rows], prepend=local[rows[0]])
        back = step < -DISORDER_MS
        forth = step > shift[rows].max() - DISORDER_MS
        last = np.maximum.accumulate(np.where(back | forth, np.arange(len(rows)), 0))
        later[rows] = back[last]
    return later & (shift > 0)


def _check_repeated_hour(
    stamps: pl.Series, utc: np.ndarray, twice: np.ndarray, tz: str, place: Place
) -> None:
    """Raise InputError where the two passes cannot be told apart, or there is only one of them."""
    inside = utc[twice]
    n_same = len(inside) - len(np.unique(inside))
    if n_same > max(MAX_TWICE * len(inside), 1) and (np.diff(utc) < 0).any():
        row = int(twice.argmax())
        raise InputError(
            f"{place(row)}: clocks go back in {tz} then, and the rows are in no order that tells "
            f"the two passes of the hour apart ({n_same} of {len(inside)} would fall on the same "
            f"time as another); put them into the order of recording, or write timestamps like "
            f"{EXAMPLE}."
        )
    passed = np.diff(utc)
    recorded = np.diff(stamps.dt.epoch("ms").to_numpy())
    ran_on = (passed > recorded) & (recorded > 0) & (recorded <= 60_000)
    if ran_on.any():
        row = int(ran_on.argmax()) + 1
        kept = _name(utc_offset(utc[row - 1 : row], tz)[0])
        began = "; or the recording began in the second pass, and needs timestamps with UTC offset"
        raise InputError(
            f"{place(row)}: the recorded time runs on to {stamps[row]} where clocks go back in "
            f"{tz}, and no hour is there twice: the device kept its clock, at {kept}; name that "
            f"fixed offset: tz='Etc/GMT-1' is UTC+1{began if twice[0] else ''}."
        )


def _name(seconds: int) -> str:
    """``UTC-04:00`` of -14,400 seconds."""
    text = offset_text(int(seconds))
    return f"UTC{text[:3]}:{text[3:]}"
