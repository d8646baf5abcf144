"""Headers of device files: rate, range, serial number of the device, and the zone of its clock.

Each format's timestamps are those of a clock that was set once, when the device was configured, and
never follows daylight saving: UTC is the device's time minus one offset for the whole recording.
"""

import json
import re
from dataclasses import dataclass, field

from sleepjax.devices.kinds import AXIVITY, GENEACTIV, GT3X
from sleepjax.devices.wall_clock import DeviceClock

Metadata = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Header:
    """Facts of a recording before its samples; None where the file does not say."""

    format: str
    device: str = ""
    serial: str = ""
    rate: float | None = None
    """Samples per second."""
    limit: float = 8.0
    """g."""
    clock: DeviceClock = DeviceClock()
    idle_sleep: bool = False
    notes: tuple[str, ...] = field(default=())


def read_header(kind: str, metadata: Metadata) -> Header:
    """The facts in what actfast reports."""
    return _READERS[kind](metadata)


def _gt3x(metadata: Metadata) -> Header:
    said = metadata.get("info", {})
    home = clock_offset(said.get("TimeZone", ""))
    clock = DeviceClock(home, home, "info.txt: TimeZone")
    if _used_utc(metadata):
        clock = DeviceClock(0, home, "the file says UsedUtc; info.txt: TimeZone")
    features = metadata.get("device_feature_enabled", {})
    return Header(
        GT3X,
        said.get("Device Type", ""),
        said.get("Serial Number", ""),
        number(said.get("Sample Rate", "")),
        number(said.get("Acceleration Max", "")) or 8.0,
        clock,
        features.get("sleep_mode") == "true",
    )


def _used_utc(metadata: Metadata) -> bool:
    """Whether the device was set to UTC, as ActiGraph's CentrePoint does."""
    for text in metadata.get("metadata", {}).values():
        try:
            said = json.loads(text)
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("UsedUtc") is True:
            return True
    return False


def _geneactiv(metadata: Metadata) -> Header:
    device = metadata.get("Device Identity", {})
    configured = metadata.get("Configuration Info", {})
    offset = clock_offset(configured.get("Time Zone", ""))
    capable = metadata.get("Device Capabilities", {}).get("Accelerometer Range", "")
    notes = []
    kind = device.get("Device Type", "").strip()
    if kind != "GENEActiv":
        notes.append(f"the file calls its device {kind!r}, not GENEActiv")
    set_at = metadata.get("Trial Info", {}).get("Config Time", "")[:10]
    began = configured.get("Start Time", "")[:10]
    if set_at[:4].isdigit() and began[:4].isdigit() and abs(int(began[:4]) - int(set_at[:4])) > 1:
        notes.append(f"configured on {set_at} but begun on {began}: was the clock reset?")
    return Header(
        GENEACTIV,
        kind,
        device.get("Device Unique Serial Code", "").strip(),
        number(configured.get("Measurement Frequency", "")),
        number(capable.rpartition(" to ")[2]) or 8.0,
        DeviceClock(offset, offset, "header: Time Zone"),
        notes=tuple(notes),
    )


def _axivity(metadata: Metadata) -> Header:
    device, configured = metadata.get("device", {}), metadata.get("configuration", {})
    minutes = number(device.get("time_zone", ""))
    if minutes is None or minutes == -1 or abs(minutes) > 14 * 60:  # -1: not set
        clock = DeviceClock()
    else:
        clock = DeviceClock(int(minutes) * 60, int(minutes) * 60, "header: time zone")
    return Header(
        AXIVITY,
        device.get("hardware_type", ""),
        device.get("device_id", ""),
        number(configured.get("sample_rate_hz", "")),
        number(configured.get("accelerometer_range_g", "")) or 8.0,
        clock,
    )


def number(text: str) -> float | None:
    """The number that a text begins with, if it is positive or negative and finite."""
    found = re.match(r"\s*(-?\d{1,9}(?:\.\d+)?)", text)
    return float(found[1]) if found else None


def clock_offset(text: str) -> int | None:
    """Seconds ahead of UTC of ``-05:00:00`` or ``GMT +01:00``."""
    found = re.fullmatch(r"\s*(?:GMT|UTC)?\s*([+-]?)(\d{1,2}):(\d\d)(?::\d\d)?\s*", text)
    if not found:
        return None
    seconds = int(found[2]) * 3600 + int(found[3]) * 60
    return None if seconds > 14 * 3600 else (-seconds if found[1] == "-" else seconds)


_READERS = {GT3X: _gt3x, GENEACTIV: _geneactiv, AXIVITY: _axivity}
