"""ActiGraph's .gt3x: the layouts that actfast does not know are put into the one that it does.

A .gt3x file is a zip archive of ``info.txt`` and, in the usual layout, ``log.bin``: records of one
second, type ACTIVITY with 12 bits a value or type ACTIVITY2 with 16. Older devices wrote
``activity.bin`` instead, 12 bits a value without records (as in NHANES). actfast reads ACTIVITY;
here the other two are packed into such records, so that there is one decoder.

Layout: https://github.com/actigraph/GT3X-File-Format.
"""

import functools
import io
import math
import operator
import struct
import zipfile
from collections.abc import Iterator

import numpy as np

SEPARATOR = 0x1E
ACTIVITY, METADATA, PARAMETERS, ACTIVITY2 = 0, 6, 21, 26
KEPT = (ACTIVITY, METADATA, PARAMETERS, ACTIVITY2)
OLD_SCALE = 341.0
"""Counts per g in ``activity.bin``."""
_HEADER = struct.Struct("<BBIH")
_ACCEL_SCALE, _SAMPLE_RATE = (55 << 16), (10 << 16) | 1
_TICKS_1970 = 621_355_968_000_000_000


class BadRecord(ValueError):
    """The chain of records is broken; ``offset`` is the first byte that is none."""

    def __init__(self, offset: int):
        super().__init__(f"no record begins at byte {offset} of log.bin")
        self.offset = offset


def walk(log: bytes | memoryview) -> Iterator[tuple[int, int, int, int]]:
    """(type, first byte, byte after the record, Unix second) of each record of a log, in order.

    Raises BadRecord where the next record does not begin or is cut short.
    """
    at, end, unpack = 0, len(log), _HEADER.unpack_from
    while end - at >= _HEADER.size:  # a few bytes more at the end are usual, and no record
        separator, kind, second, size = unpack(log, at)
        after = at + _HEADER.size + size + 1  # the last byte is a checksum
        if separator != SEPARATOR or after > end:
            raise BadRecord(at)
        yield kind, at, after, second
        at = after


def record(kind: int, second: int, payload: bytes) -> bytes:
    """A record of a log, with its checksum."""
    body = _HEADER.pack(SEPARATOR, kind, second, len(payload)) + payload
    return body + bytes([functools.reduce(operator.xor, body, 0xFF)])


def parameters(scale: float, rate: int) -> bytes:
    """The record that states counts per g and samples per second."""
    mantissa, exponent = math.frexp(scale)
    coded = (exponent & 0xFF) << 24 | int(mantissa * 2**23) & 0xFFFFFF
    return record(PARAMETERS, 0, struct.pack("<IIII", _ACCEL_SCALE, coded, _SAMPLE_RATE, rate))


def as_activity(log: bytes) -> bytes:
    """A log in which every ACTIVITY2 record is an ACTIVITY record; other kinds that matter stay."""
    records = [found for found in walk(log) if found[0] in KEPT]
    wide = [i for i, found in enumerate(records) if found[0] == ACTIVITY2]
    parts = [log[start:after] for _, start, after, _ in records]
    sizes = np.array([len(parts[i]) for i in wide])
    for size in np.unique(sizes).tolist():
        same = [wide[i] for i in np.flatnonzero(sizes == size)]
        whole = np.frombuffer(b"".join(parts[i] for i in same), np.uint8).reshape(len(same), size)
        count = (size - _HEADER.size - 1) // 6
        values = np.ascontiguousarray(whole[:, _HEADER.size : _HEADER.size + 6 * count])
        axes = values.view("<i2").reshape(len(same), count, 3)[:, :, [1, 0, 2]]
        for i, payload in zip(same, pack12(axes.reshape(len(same), -1)), strict=True):
            parts[i] = record(ACTIVITY, records[i][3], payload.tobytes())
    return b"".join(parts)


def pack12(values: np.ndarray) -> np.ndarray:
    """Whole numbers [R,N], cut to 12 bits with sign: two in three bytes, the high bits first.

    Returns uint8 [R, 1.5 N rounded up]; where N is odd, half a byte is left over and 0.
    """
    values = np.clip(values, -2048, 2047).astype(np.int16).view(np.uint16) & 0xFFF
    pairs = np.pad(values, ((0, 0), (0, values.shape[1] % 2))).reshape(len(values), -1, 2)
    first, second = pairs[..., 0], pairs[..., 1]
    packed = np.stack([first >> 4, (first & 0xF) << 4 | second >> 8, second & 0xFF], axis=-1)
    size = math.ceil(values.shape[1] * 12 / 8)
    return packed.astype(np.uint8).reshape(len(values), 3 * pairs.shape[1])[:, :size]


def log_of_old(activity: bytes, second: int, rate: int) -> bytes:
    """Records of one second each from the bytes of ``activity.bin``.

    Args:
      activity: 12 bits a value, axes in the order y, x, z as in ACTIVITY records.
      second: Unix second of the first sample.
      rate: samples per second; a multiple of 10, so that a second has whole bytes.
    """
    size = rate * 36 // 8
    seconds = range(math.ceil(len(activity) / size))
    return b"".join(
        record(ACTIVITY, second + i, activity[i * size : (i + 1) * size]) for i in seconds
    )


def info(text: bytes) -> dict[str, str]:
    """What ``info.txt`` says."""
    lines = text.decode("utf-8", errors="replace").splitlines()
    return {key.strip(): value.strip() for key, _, value in (ln.partition(":") for ln in lines)}


def unix_second(ticks: str) -> int:
    """Unix second of a number of 100 ns since the year 1."""
    return (int(ticks) - _TICKS_1970) // 10_000_000


def archive(text: bytes, log: bytes) -> bytes:
    """A .gt3x file in memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr("info.txt", text)
        file.writestr("log.bin", log)
    return buffer.getvalue()
