"""Row groups of a parquet file: how many rows each of them has, which polars does not say.

Polars decodes a row group whole, however few of its rows are asked for. Source: the structure
FileMetaData of the Parquet format, in the Thrift compact protocol.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_ROW_GROUPS, _NUM_ROWS = 4, 3
"""Numbers of the fields in FileMetaData and in RowGroup."""


def row_groups(path: Path) -> list[int]:
    """Rows of each row group, in order; ValueError for a file whose footer is damaged."""
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            length = int.from_bytes(file.read(4), "little")
            file.seek(-8 - length, os.SEEK_END)
            footer = _struct(io.BytesIO(file.read(length)))
        return [int(group[_NUM_ROWS]) for group in footer[_ROW_GROUPS]]
    except (OSError, LookupError, TypeError, RecursionError, struct.error) as error:
        raise ValueError(f"{path.name}: the footer cannot be read ({error!r})") from None


def _struct(data: IO[bytes]) -> dict[int, Any]:
    """Field number -> value; a boolean is part of the head of its field."""
    fields, number = {}, 0
    while head := data.read(1)[0]:
        number = number + (head >> 4) if head >> 4 else _integer(data)
        kind = head & 15
        fields[number] = kind if kind in _BOOLEANS else _VALUES[kind](data)
    return fields


def _list(data: IO[bytes]) -> list[Any]:
    head = data.read(1)[0]
    size = _unsigned(data) if head >> 4 == 15 else head >> 4
    return [_VALUES[head & 15](data) for _ in range(size)]


def _integer(data: IO[bytes]) -> int:
    number = _unsigned(data)
    return number >> 1 ^ -(number & 1)


def _unsigned(data: IO[bytes]) -> int:
    byte = data.read(1)[0]
    return byte if byte < 128 else byte - 128 + (_unsigned(data) << 7)


_BOOLEANS = (1, 2)
_VALUES: dict[int, Callable[[IO[bytes]], Any]] = {
    **dict.fromkeys((*_BOOLEANS, 3), lambda data: data.read(1)[0]),
    **dict.fromkeys((4, 5, 6), _integer),
    7: lambda data: struct.unpack("<d", data.read(8)),
    8: lambda data: data.read(_unsigned(data)),
    **dict.fromkeys((9, 10), _list),
    12: _struct,
}
"""Kind of a value in the protocol -> how it is read."""
