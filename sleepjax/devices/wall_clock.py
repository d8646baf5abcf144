"""The person's clock: from the time of a device's clock to UTC and the local time of each epoch."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from sleepjax.data import zones
from sleepjax.local_time import offset_text, texts
from sleepjax.types import InputError


@dataclass(frozen=True)
class DeviceClock:
    """What a file says of its clock; offsets are seconds ahead of UTC, None where it is silent."""

    offset: int | None = None
    """Of the times in the file, throughout."""
    home: int | None = None
    """Of the place where the device was set up; where its clock is UTC this is another one."""
    source: str = ""
    """Where the file says so."""
    changes: tuple[tuple[int, int], ...] = ()
    """(UTC second, offset of the person's clock from then on) where the file has several."""


@dataclass(frozen=True)
class WallClock:
    """How times of one recording become local times."""

    device_offset: int
    """Seconds that the device's clock is ahead of UTC, throughout."""
    tz: str | None
    """Zone of the person."""
    changes: tuple[tuple[int, int], ...]
    """(UTC second, seconds that the person's clock is ahead of it from then on), without a zone."""
    source: str
    """Where both come from."""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The zone, or ``UTC-0500`` where it is an offset."""
        return self.tz or f"UTC{offset_text(self.changes[0][1])}"

    def texts(self, seconds: np.ndarray) -> list[str]:
        """Local time with UTC offset of seconds since 1970 by the device's clock."""
        utc = seconds - self.device_offset
        if self.tz is not None:
            offset = zones.utc_offset(utc * 1000, self.tz)
        else:
            moments, offsets = np.array(self.changes, np.int64).T
            entry = np.searchsorted(moments, utc, side="right") - 1
            offset = offsets[entry.clip(min=0)]
        return texts(utc + offset, offset)


def wall_clock(
    name: str, clock: DeviceClock, first: int, *, tz: str | None, device_tz: str | None
) -> WallClock:
    """Choose the clocks of a recording in the file ``name``, of which the file says ``clock``.

    ``first`` is the first second by the device's clock since 1970, ``tz`` the zone of the person,
    ``device_tz`` that to which the device was set; it outranks the file. Raises InputError where
    nobody says in which zone the device was set, or a zone is unknown.
    """
    for zone in (tz, device_tz):
        if zone is not None:
            zones.check(zone)
    if device_tz is not None:
        offset = offset_at(device_tz, first)
        notes = ()
        if clock.offset is not None and offset != clock.offset:
            notes = (
                f"device_tz {device_tz!r} is at UTC{offset_text(offset)} when the recording "
                f"begins, the file says UTC{offset_text(clock.offset)}: device_tz was followed",
            )
        return WallClock(offset, tz or device_tz, ((0, offset),), f"device_tz {device_tz!r}", notes)
    if clock.offset is not None:
        changes = clock.changes or ((0, clock.home or 0),)
        if tz is None and clock.home is None:
            raise InputError(
                f"{name}: {clock.source}, which says nothing of the person's clock; name its zone, "
                "such as tz='Europe/London' (--tz)."
            )
        source = clock.source + (f"; tz {tz!r} for the person" if tz else "")
        return WallClock(clock.offset, tz, changes, source)
    if tz is None:
        raise InputError(
            f"{name}: the file does not say in which time zone its clock ({_text(first)} at the "
            "first sample) was set; name it, such as tz='Europe/London' (--tz), and device_tz "
            "(process --device_tz) where the device was set up in another zone."
        )
    offset = offset_at(tz, first)
    return WallClock(offset, tz, ((0, offset),), f"tz {tz!r}, for the device too")


def offset_at(zone: str, local: int) -> int:
    """Seconds that a zone is ahead of UTC when its clocks show a local second since 1970."""
    shown = datetime.fromtimestamp(local, ZoneInfo("UTC")).replace(tzinfo=ZoneInfo(zone))
    offset = shown.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _text(second: int) -> str:
    return datetime.fromtimestamp(second, ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M:%S")
