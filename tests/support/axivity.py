"""An Axivity .cwa file: a header of 1,024 bytes and sectors of 512 with 120 packed samples.

Layout: https://github.com/digitalinteraction/openmovement/blob/master/Docs/ax3/ax3-technical.md
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

SECTOR = 80
"""Samples of a sector with 16 bits a value."""


def write(path: Path, xyz: np.ndarray, rate: int, start: datetime, zone: int = -1) -> Path:
    """Write g [3,N], a whole number of sectors, as an AX3 of +-8 g does.

    Args:
      zone: minutes from UTC; -1: not set.
    """
    code = {12: 7, 25: 8, 50: 9, 100: 10, 200: 11}[rate]
    header = bytearray(b"\xff" * 1024)
    header[0:4] = struct.pack("<2sH", b"MD", 1020)
    header[4:13] = struct.pack("<BHIH", 0, 12345, 7, 0xFFFF)
    header[36] = code | 0x40
    header[41:44] = struct.pack("<Bh", 45, zone)
    counts = np.round(xyz * 256).astype("<i2").T
    sectors = []
    for i in range(len(counts) // SECTOR):
        time = start + timedelta(seconds=i * SECTOR / rate)
        sector = bytearray(512)
        sector[0:4] = struct.pack("<2sH", b"AX", 508)
        sector[4:6] = struct.pack("<H", 0x8000 | time.microsecond * 32768 // 1_000_000)
        sector[10:14] = struct.pack("<I", i)
        # With fractions of a second, the sample that they belong to is counted back from.
        sector[14:18] = struct.pack("<I", _packed(time))
        sector[20:24] = struct.pack("<HBB", 240, 0, 200)
        sector[24:26] = bytes([code | 0x40, 0x32])
        shift = -(time.microsecond * 65536 // 1_000_000 * rate >> 16)
        sector[26:30] = struct.pack("<hH", shift, SECTOR)
        sector[30:510] = counts[i * SECTOR : (i + 1) * SECTOR].tobytes()
        total = int(np.frombuffer(bytes(sector[:510]), "<u2").sum())
        sector[510:512] = struct.pack("<H", -total & 0xFFFF)
        sectors.append(bytes(sector))
    path.write_bytes(bytes(header) + b"".join(sectors))
    return path


def _packed(time: datetime) -> int:
    date = (time.year - 2000) << 26 | time.month << 22 | time.day << 17
    return date | time.hour << 12 | time.minute << 6 | time.second
