"""A .gt3x file in each of ActiGraph's layouts."""

from __future__ import annotations

import json
import math
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np

from sleepjax.devices import gt3x


def write(
    path: Path,
    xyz: np.ndarray,
    rate: int,
    start: datetime,
    *,
    layout: str = "activity",
    zone: str = "-05:00:00",
    utc: bool = False,
    asleep: tuple[int, int] = (0, 0),
) -> Path:
    """Write g [3,N], N a multiple of the rate.

    Args:
      layout: "activity" (12 bits in records), "activity2" (16 bits in records), or "old"
        (12 bits in activity.bin).
      zone: of info.txt.
      utc: whether the file says that its clock is UTC.
      asleep: first second of idle sleep and the one after the last, without records.
    """
    second = int((start - datetime(1970, 1, 1)).total_seconds())
    counts = np.round(xyz * (341 if layout == "old" else 256)).astype(np.int64).T
    seconds = counts.reshape(-1, rate, 3)
    text = {
        "Serial Number": "TEST1",
        "Device Type": "wGT3XBT",
        "Sample Rate": rate,
        "Start Date": second * 10_000_000 + 621_355_968_000_000_000,
        "Acceleration Scale": "256.0",
        "Acceleration Min": "-8.0",
        "Acceleration Max": "8.0",
        "TimeZone": zone,
    }
    info = "".join(f"{key}: {value}\r\n" for key, value in text.items()).encode()
    packed = [_pack(one[:, [1, 0, 2]]) for one in seconds]
    if layout == "old":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("info.txt", info)
            file.writestr("activity.bin", b"".join(packed))
            file.writestr("lux.bin", b"")
        return path
    said = json.dumps({"MetadataType": "LocalTimeLog", "UsedUtc": utc}).encode()
    log = [gt3x.record(gt3x.METADATA, second, said), gt3x.parameters(256.0, rate)]
    for i, one in enumerate(seconds):
        if asleep[0] <= i < asleep[1]:
            continue
        if layout == "activity2":
            payload = one.astype("<i2").tobytes()
            log.append(gt3x.record(gt3x.ACTIVITY2, second + i, payload))
        else:
            log.append(gt3x.record(gt3x.ACTIVITY, second + i, packed[i]))
    path.write_bytes(gt3x.archive(info, b"".join(log)))
    return path


def _pack(values: np.ndarray) -> bytes:
    """12 bits a value, bit by bit."""
    bits = "".join(f"{int(value) & 0xFFF:012b}" for value in values.ravel())
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(math.ceil(len(bits) / 8), "big")
