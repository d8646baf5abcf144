"""Tables: parquet, csv and frames of other libraries, read in one way or refused with a remedy."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import polars as pl

from sleepjax.config import nearest
from sleepjax.stdio import PanicError, quietly
from sleepjax.table_files import PARQUET, TABLES, check_table
from sleepjax.text import first_line
from sleepjax.types import InputError

_BATCH_ROWS = 262_144
_ANY_ZONE = ("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
"""Lets polars read ``+05:30``, for which it has no name, so that `_with_offset` can tell it."""
T = TypeVar("T")


def require_columns(have: Iterable[str], needed: Iterable[str], source: str) -> None:
    """Raise InputError naming the first missing column, the nearest existing one, and all."""
    have, needed = list(have), list(needed)
    missing = next((name for name in needed if name not in have), None)
    if missing is not None:
        shown = [column if len(column) <= 40 else f"{column[:37]}..." for column in have]
        more = f" and {len(have) - 20} more" if len(have) > 20 else ""
        raise InputError(
            f"{source}: column {missing!r} is missing{nearest(missing, shown)} "
            f"It has: {', '.join(shown[:20])}{more}; it needs: {', '.join(needed)}."
        )


def column_names(path: Path, skip: int = 0) -> list[str]:
    """Names of the columns of a table, in csv below ``skip`` lines; InputError where it is none."""
    check_table(path)
    with path.open("rb") as file, _readable(path):
        return list(_quietly(_scan(path, file, text=True, skip=skip).collect_schema))


def iter_table(
    path: Path,
    columns: Sequence[str],
    check: Callable[[pl.Schema, str], None],
    *,
    skip: int = 0,
    names: Sequence[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Stream the columns of a parquet or csv file, some 260,000 rows at a time.

    Columns of a csv file are text, and its blank lines are left out. Its first ``skip`` lines are
    no part of the table, and where ``names`` are given it has no line of them. Times with a fixed
    offset that polars has no zone for, as pandas writes, are text with that offset.

    Raises InputError for a file that is no table, is damaged, or whose schema ``check``
    refuses; it is given the name of the file too.
    """
    check_table(path)
    with path.open("rb") as file, _readable(path):
        scan = _scan(path, file, text=True, skip=skip, names=names)
        schema = _quietly(scan.collect_schema)
        check(schema, path.name)
        chosen = _selected(path, scan, schema, columns)
        yield from (_of_parquet if path.suffix.lower() in PARQUET else _batches)(chosen)


def read_table(
    path: str | Path,
    *,
    suffixes: tuple[str, ...] = TABLES,
    text: bool = False,
    line: str | None = None,
) -> pl.DataFrame:
    """Read a parquet or csv file.

    With ``text`` all columns of a csv file stay text. Otherwise their types are inferred, but
    series ids are text even if they look like numbers. ``line`` names a column in front for the
    line of each row, from 2; blank lines are left out, and count.

    Raises InputError when the file does not exist, is of another kind, or is damaged.
    """
    path = Path(path)
    check_table(path, suffixes)
    with path.open("rb") as file, _readable(path):
        scan = _scan(path, file, text=text)
        schema = _quietly(scan.collect_schema)
        chosen = _selected(path, scan, schema, list(schema), line)
        if path.suffix.lower() not in PARQUET:
            return _quietly(chosen.collect)
        return _slice(chosen, 0, _n_rows(chosen))


def _scan(
    path: Path, file: IO[bytes], *, text: bool, skip: int = 0, names: Sequence[str] | None = None
) -> pl.LazyFrame:
    """Open a table. An open file has no name that polars would take for a pattern or refuse."""
    if path.suffix.lower() in PARQUET:
        os.environ.setdefault(*_ANY_ZONE)
        return pl.scan_parquet(file, glob=False)
    if text:
        return pl.scan_csv(
            file,
            glob=False,
            infer_schema=False,
            skip_lines=skip,
            has_header=names is None,
            new_columns=None if names is None else list(names),
        )
    types = {"series_id": pl.String, "event": pl.String}
    return pl.scan_csv(file, glob=False, schema_overrides=types, infer_schema_length=None)


def _selected(
    path: Path,
    scan: pl.LazyFrame,
    schema: pl.Schema,
    columns: Sequence[str],
    line: str | None = None,
) -> pl.LazyFrame:
    chosen = scan.select(_with_offset(name, schema[name]) for name in columns)
    blank = pl.all_horizontal(pl.col(columns).is_null())
    if line is not None:
        chosen = chosen.with_row_index(line, offset=2)  # line 1 names the columns
    return chosen if path.suffix.lower() in PARQUET else chosen.filter(~blank)


def _with_offset(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column; as ISO text where its zone is a fixed offset, ``+05:30``."""
    zone = str(getattr(dtype, "time_zone", None))
    if not isinstance(dtype, pl.Datetime) or not re.fullmatch(r"[+-]\d\d:\d\d", zone):
        return pl.col(name)
    minutes = int(zone[:3]) * 60 + int(zone[0] + zone[-2:])
    utc = pl.col(name).to_physical().cast(pl.Datetime(dtype.time_unit))
    return (utc + pl.duration(minutes=minutes)).dt.to_string(f"%Y-%m-%dT%H:%M:%S%.3f{zone}")


def _batches(scan: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    batches = scan.collect_batches(chunk_size=_BATCH_ROWS)
    while (batch := _quietly(lambda: next(batches, None))) is not None:
        yield batch


def _of_parquet(scan: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Batches of all rows, or ComputeError: a panic in a thread of polars may raise nothing.

    A small file is read a slice at a time. Of a large one polars reads ahead, so that no row group
    is decoded twice; what a panic says between two batches is then heard.
    """
    n_rows = _n_rows(scan)
    if n_rows <= 4 * _BATCH_ROWS:
        for start in range(0, n_rows, _BATCH_ROWS):
            yield _slice(scan, start, min(_BATCH_ROWS, n_rows - start))
        return
    n_read = 0
    for batch in _batches(scan):
        n_read += batch.height
        yield batch
    _check_complete(n_read, n_rows)


def _n_rows(scan: pl.LazyFrame) -> int:
    return _quietly(lambda: scan.select(pl.len()).collect().item())


def _slice(scan: pl.LazyFrame, start: int, n_rows: int) -> pl.DataFrame:
    table = _quietly(scan.slice(start, n_rows).collect)
    _check_complete(start + table.height, start + n_rows)
    return table


def _check_complete(n_read: int, n_rows: int) -> None:
    if n_read != n_rows:
        raise pl.exceptions.ComputeError(f"only {n_read} of {n_rows} rows can be read")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what polars says of a damaged file into one line that names it."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = first_line(error)
        if path.suffix.lower() == ".csv" and re.search("utf-?8", reason, re.IGNORECASE):
            raise InputError(
                f"{path.name}: it is not UTF-8 text (is it Latin-1 or Windows-1252?); save it as "
                "'CSV UTF-8'."
            ) from None
        if "found more fields" in reason:
            raise InputError(
                f"{path.name}: a row has more cells than the first line has names; put a text or "
                "number that holds a comma in quotes."
            ) from None
        raise InputError(
            f"{path.name}: the file cannot be read, is it damaged or cut short? ({reason})"
        ) from None


def _quietly(call: Callable[[], T]) -> T:
    """The result of a call of polars; ComputeError where its Rust code panics."""
    try:
        return quietly(call)
    except PanicError:
        raise pl.exceptions.ComputeError("its contents contradict its header") from None


Frame = Any
"""A table of polars, pandas or Arrow; see `as_polars`."""


def as_polars(frame: Frame, name: str) -> pl.DataFrame:
    """The frame itself, or that of an Arrow table or of pandas, whose index is left.

    Neither is imported: anything that exports an Arrow stream, or has columns that turn into
    NumPy arrays, will do. Raises InputError, with ``name`` in the text, for anything else.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "iloc"):  # not pandas
        return _from_arrow(frame, name)
    kind = type(frame).__name__
    if isinstance(frame, pl.LazyFrame) or not (
        hasattr(frame, "columns") and hasattr(frame, "__getitem__")
    ):
        raise InputError(
            f"{name} is a {kind}; give a polars DataFrame (collect a LazyFrame), a "
            "pandas one or an Arrow table."
        )
    columns = [str(column) for column in frame.columns]
    if len(set(columns)) < len(columns):
        raise InputError(f"{name} has two columns of one name: {', '.join(columns)}.")
    return pl.DataFrame([_column(str(name), frame[name]) for name in frame.columns])


def _from_arrow(table: Any, name: str) -> pl.DataFrame:
    """The frame of an Arrow table, such as pyarrow's."""
    os.environ.setdefault(*_ANY_ZONE)
    try:
        frame = _quietly(lambda: pl.DataFrame(table))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{name} cannot be read as an Arrow table ({error}).") from None
    return frame.select(_with_offset(*column) for column in frame.schema.items())


def _column(name: str, values: Any) -> pl.Series:
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.dtype.kind in "biuf":
        return pl.Series(name, array)
    if array.dtype.kind == "M":
        return pl.Series(name, array.astype("datetime64[ms]"))
    # Text, times with a zone, and numbers with gaps. NaN and NaT differ from themselves.
    missing = lambda v: v is None or type(v).__name__ == "NAType" or bool(v != v)
    present = [None if missing(v) else v for v in array.tolist()]
    if all(v is None or isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        return pl.Series(name, present, dtype=pl.Float64)
    text = [getattr(v, "isoformat", lambda v=v: v)() for v in present]
    return pl.Series(name, [None if v is None else str(v) for v in text], dtype=pl.String)
