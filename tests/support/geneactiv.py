"""A GENEActiv .bin file as the device writes it: a header of text and pages of hexadecimal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

GAIN, OFFSET = (25_000, 25_100, 24_900), (-100, 50, 300)
PAGE = 300
"""Samples of a page."""
_HEADER = """\
Device Identity
Device Unique Serial Code:012345
Device Type:GENEActiv
Device Model:1.1
Device Firmware Version:Ver4.08a date14Jul14
Calibration Date:2018-01-08 11:14:03:000

Device Capabilities
Accelerometer Range:-8 to 8
Accelerometer Resolution:0.0039
Accelerometer Units:g
Light Meter Range:0 to 5000
Light Meter Resolution:5
Light Meter Units:lux
Temperature Sensor Range:0 to 70
Temperature Sensor Resolution:0.1
Temperature Sensor Units:deg. C

Configuration Info
Measurement Frequency:{rate:g} Hz
Measurement Period:168 Hours
Start Time:{start}
Time Zone:GMT {zone}

Trial Info
Study Centre:simulated
Study Code:
Investigator ID:
Exercise Type:
Config Operator ID:
Config Time:{start}
Config Notes:
Extract Operator ID:
Extract Time:{start}
Extract Notes:

Subject Info
Device Location Code:
Subject Code:
Date of Birth:1900-01-01
Sex:
Height:
Weight:
Handedness Code:
Subject Notes:

Calibration Data
x gain:{gain[0]}
x offset:{offset[0]}
y gain:{gain[1]}
y offset:{offset[1]}
z gain:{gain[2]}
z offset:{offset[2]}
Volts:48
Lux:911

Memory Status
Number of Pages:{pages}

"""
_PAGE = """\
Recorded Data
Device Unique Serial Code:012345
Sequence Number:{number}
Page Time:{time}
Unassigned:
Temperature:21.3
Battery voltage:4.0896
Device Status:Recording
Measurement Frequency:{rate:.1f}
"""


def header(start: datetime, rate: float, pages: int, zone: str = "+00:00") -> str:
    fields = {"start": _text(start), "zone": zone, "gain": GAIN, "offset": OFFSET}
    return _HEADER.format(rate=rate, pages=pages, **fields)


def pages(xyz: np.ndarray, rate: float, start: datetime, first: int = 0) -> str:
    """Pages of 300 samples of g [3,N], of which the first begins at a time; a rest is left out."""
    gain, offset = (np.array(x, float)[:, None] for x in (GAIN, OFFSET))
    counts = np.clip(np.round((xyz * gain + offset) / 100), -2048, 2047).astype(np.int64) & 0xFFF
    words = (counts[0] << 36) | (counts[1] << 24) | (counts[2] << 12)
    packed = words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    text = []
    for i in range(packed.shape[0] // PAGE):
        time = start + timedelta(seconds=i * PAGE / rate)
        text.append(_PAGE.format(number=first + i, time=_text(time), rate=rate))
        text.append(packed[i * PAGE : (i + 1) * PAGE].tobytes().hex().upper() + "\n")
    return "".join(text)


def write(
    path: Path,
    blocks: Iterable[np.ndarray],
    rate: float,
    start: datetime,
    *,
    zone: str = "+00:00",
    n_samples: int,
) -> Path:
    """Write blocks of g [3,N], each a whole number of pages, one after the other."""
    done = 0
    with path.open("w", newline="\r\n") as file:
        file.write(header(start, rate, n_samples // PAGE, zone))
        for xyz in blocks:
            file.write(pages(xyz, rate, start + timedelta(seconds=done / rate), done // PAGE))
            done += xyz.shape[1]
    return path


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S:") + f"{time.microsecond // 1000:03d}"
