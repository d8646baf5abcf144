"""Files and tables: what can be read, why not, where results may be written; frames of pandas."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax.types import InputError

TABLES = (".parquet", ".csv")
_EXCEL = "it is an Excel workbook: save the sheet as 'CSV UTF-8 (comma delimited)'"
_PACKED = "unpack it first"
_DEVICE = "it is a device's own file: turn it into anglez and enmo first, for example with GGIR"
_REMEDIES = {
    **dict.fromkeys((".xlsx", ".xls"), _EXCEL),
    **dict.fromkeys((".gz", ".zip", ".zst"), _PACKED),
    **dict.fromkeys((".gt3x", ".cwa", ".bin"), _DEVICE),
}
_BEGINNINGS = {
    b"PAR1": "it is a parquet file; let its name end in .parquet",
    b"PK\x03\x04": "it is a zip archive or an Excel workbook; unpack it, or save it as CSV UTF-8",
    b"\x1f\x8b": "it is compressed (gzip); unpack it first",
}


def check_table(path: Path, suffixes: tuple[str, ...] = TABLES) -> None:
    """Raise InputError, naming the remedy, for a file that is no parquet or comma-separated table.

    Looks at the name and at the two ends of the file; what stands between them is not read.
    """
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in suffixes)
        holds = f": {', '.join(inside[:6])}" if inside else ""
        raise InputError(f"{path}: it is a folder; give a file inside it{holds}.")
    if not path.exists():
        raise InputError(f"{path}: the file does not exist.")
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        remedy = _REMEDIES.get(suffix, "convert other formats")
        raise InputError(f"{path.name}: the name must end in {' or '.join(suffixes)}; {remedy}.")
    if not path.stat().st_size:
        raise InputError(f"{path.name}: the file is empty (0 bytes); copy it again.")
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(-min(4, path.stat().st_size), 2)
        tail = file.read()
    if suffix == ".csv":
        _check_text(head, path.name)
    elif head[:4] != b"PAR1":
        raise InputError(f"{path.name}: it is not a parquet file (it begins with {head[:4]!r}).")
    elif tail != b"PAR1":
        raise InputError(f"{path.name}: the parquet file is cut short; copy it again.")


def _check_text(head: bytes, name: str) -> None:
    """Raise InputError for the beginning of a file that is no comma-separated UTF-8 text."""
    for beginning, remedy in _BEGINNINGS.items():
        if head.startswith(beginning):
            raise InputError(f"{name}: it is not a csv file: {remedy}.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise InputError(
            f"{name}: it is not UTF-8 text (is it UTF-16, as some spreadsheets write?); save it as "
            "'CSV UTF-8'."
        )
    first = head.split(b"\n", 1)[0].decode(errors="replace")
    others = [mark for mark in (";", "\t", "|") if mark in first]
    if "," not in first and others:
        raise InputError(
            f"{name}: columns are separated by {others[0]!r}; write it with ',' between columns "
            "and '.' in numbers."
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to; it takes the place of ``path`` once written, all or nothing."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one piece; what no encoding has, from odd file names, is escaped."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON in one piece."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def check_output(option: str, *paths: Path, suffix: str, overwrite: bool) -> None:
    """Raise InputError, before any work is done, where results could not be written.

    The paths share one folder. A file is really written to it and removed again: permissions do
    not tell of a read-only or full disk.
    """
    if paths[0].suffix != suffix:
        raise InputError(f"{option} {str(paths[0])!r} must end in {suffix}.")
    parent = paths[0].parent
    folder = f"folder {str(parent)!r} of {option}"
    if not parent.is_dir():
        raise InputError(f"{folder} does not exist; create it.")
    existing = [str(path) for path in paths if path.exists()]
    if existing and not overwrite:
        raise InputError(f"{', '.join(existing)} exists; give another {option}, or --overwrite.")
    try:
        with tempfile.TemporaryFile(dir=parent) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise InputError(f"{folder} cannot be written to ({error.strerror}).") from None


def as_polars(frame: Any, name: str) -> pl.DataFrame:
    """The frame itself, or the polars frame with the columns of a pandas one; its index is left.

    pandas is not imported: anything with columns that turn into NumPy arrays will do. Raises
    InputError, with ``name`` in the text, for anything else.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    kind = type(frame).__name__
    if isinstance(frame, pl.LazyFrame) or not (
        hasattr(frame, "columns") and hasattr(frame, "__getitem__")
    ):
        raise InputError(
            f"{name} is a {kind}; give a polars DataFrame (collect a LazyFrame) or a pandas one."
        )
    columns = [str(column) for column in frame.columns]
    if len(set(columns)) < len(columns):
        raise InputError(f"{name} has two columns of one name: {', '.join(columns)}.")
    return pl.DataFrame([_column(str(name), frame[name]) for name in frame.columns])


def _column(name: str, values: Any) -> pl.Series:
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.dtype.kind in "biuf":
        return pl.Series(name, array)
    if array.dtype.kind == "M":
        return pl.Series(name, array.astype("datetime64[ms]"))
    # Text, times with a zone, and numbers with gaps; what is missing differs from itself.
    present = [None if _missing(v) else v for v in array.tolist()]
    if all(v is None or isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        return pl.Series(name, present, dtype=pl.Float64)
    text = [getattr(v, "isoformat", lambda v=v: v)() for v in present]
    return pl.Series(name, [None if v is None else str(v) for v in text], dtype=pl.String)


def _missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)
