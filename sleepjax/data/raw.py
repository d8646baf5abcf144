"""Find and read series files: check their columns, stream one series at a time.

The competition's columns are ``series_id, step, timestamp, anglez, enmo``, in parquet or csv. Rows
of a series stand together. Memory is bounded by the largest series, whatever the files' size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sleepjax.config import nearest
from sleepjax.data.recording import Recording
from sleepjax.data.repair import make_recording
from sleepjax.io import TABLES, as_polars, check_table
from sleepjax.types import InputError

COLUMNS = {
    "series_id": pl.String,
    "step": pl.Int64,
    "timestamp": pl.String,
    "anglez": pl.Float32,
    "enmo": pl.Float32,
}
PHASES = ("train", "test")
_BATCH_ROWS = 262_144
_EMPTY_WORDS = ["NA", "N/A", "null", "None"]


@dataclass(frozen=True)
class CohortFiles:
    """The competition's files of one phase."""

    series: tuple[Path, ...]
    events: Path | None
    nonwear: Path | None
    simulated: bool
    """True where the folder holds a simulator's ``simulation.json``."""


def find_files(root: str | Path, phase: str) -> CohortFiles:
    """Find ``{phase}_series*.parquet`` or ``.csv``, and for ``train`` ``train_events.csv``.

    Beside it ``train_nonwear.csv`` may stand (`sleepjax.data.nonwear`).

    Raises InputError when the folder, a file, or the choice between two of them is missing.
    """
    root = Path(root)
    if phase not in PHASES:
        raise InputError(f"phase {phase!r} is unknown; it must be 'train' or 'test'.")
    if not root.is_dir():
        wrong = "is a file" if root.exists() else "does not exist"
        raise InputError(
            f"data folder {str(root)!r} {wrong}; give the folder that holds {phase}_series.parquet."
        )
    series = sorted(p for s in TABLES for p in root.glob(f"{phase}_series*{s}"))
    if not series:
        here = sorted(p.name for p in root.iterdir())
        holds = ", ".join(here[:10]) or "nothing"
        hint = nearest(f"{phase}_series.parquet", here)
        raise InputError(
            f"{root}: no {phase}_series.parquet or {phase}_series.csv{hint} It holds: {holds}."
        )
    if len({p.stem for p in series}) < len(series):
        names = ", ".join(p.name for p in series)
        raise InputError(f"{root}: the same series in two formats ({names}); keep one of them.")
    events = root / "train_events.csv" if phase == "train" else None
    if events and not events.is_file():
        raise InputError(
            f"{events}: the events of the train phase are missing; recordings without events are "
            f"prepared with phase 'test'."
        )
    nonwear = root / "train_nonwear.csv"
    known = nonwear if phase == "train" and nonwear.exists() else None
    return CohortFiles(tuple(series), events, known, (root / "simulation.json").is_file())


def iter_recordings(
    paths: str | Path | Sequence[str | Path], *, tz: str | None = None
) -> Iterator[Recording]:
    """Yield one validated `Recording` after the other from one or several series files.

    Args:
      paths: parquet or csv files.
      tz: IANA zone of timestamps that carry no UTC offset.

    Raises InputError naming the file, the place and the remedy for whatever cannot be used.
    """
    for path, rows in iter_rows(paths):
        yield make_recording(rows, source=path.name, tz=tz)


def recordings_from_frame(frame: pl.DataFrame, *, tz: str | None = None) -> list[Recording]:
    """Validate an in-memory frame with the competition's columns; series may be interleaved."""
    source = "the given frame"
    frame = as_polars(frame, source)
    frame = _checked(frame, source, 0)
    if not frame.height:
        raise InputError(f"{source}: it has no rows.")
    parts = frame.partition_by("series_id", maintain_order=True)
    return [make_recording(rows, source=source, tz=tz) for rows in parts]


def iter_rows(paths: str | Path | Sequence[str | Path]) -> Iterator[tuple[Path, pl.DataFrame]]:
    """Yield (file, rows of one series) with checked columns and types; values are not checked."""
    done: dict[str, Path] = {}
    for path in [Path(paths)] if isinstance(paths, str | Path) else map(Path, paths):
        for rows in _whole_series(_batches(path)):
            _check_fresh(rows["series_id"][0], path, done)
            yield path, rows


def _check_fresh(series_id: str, path: Path, done: dict[str, Path]) -> None:
    """Note where the rows of a series begin; InputError where they did so before."""
    if series_id in done:
        place = "again" if done[series_id] == path else f"and in {done[series_id].name}"
        raise InputError(
            f"{path.name}: rows of series {series_id!r} stand apart: they begin {place} after "
            f"other series; sort the file by series_id and step, and keep a series in one file."
        )
    done[series_id] = path


def count_rows(paths: Iterable[Path]) -> int:
    """Rows of all files, from a first pass over the series ids alone.

    Raises InputError for files without the columns, and for series whose rows do not stand
    together: better known before hours of work than after.
    """
    total, done, before = 0, {}, None
    for path in paths:
        scan = _scan(path).select(pl.col("series_id").cast(pl.String))
        with _readable(path):
            for batch in scan.collect_batches(chunk_size=_BATCH_ROWS):
                total += batch.height
                for series_id in batch["series_id"].rle().struct["value"]:
                    if series_id is not None and (series_id, path) != before:
                        _check_fresh(series_id, path, done)
                    before = series_id, path
    return total


def _whole_series(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut a stream of rows where the series id changes."""
    parts: list[pl.DataFrame] = []
    for batch in batches:
        ids = batch["series_id"]
        cuts = [0, *(ids != ids.shift(1)).arg_true().to_list(), batch.height]
        for low, high in zip(cuts, cuts[1:], strict=False):
            if low == high:
                continue
            if parts and parts[-1]["series_id"][0] != ids[low]:
                yield pl.concat(parts)
                parts = []
            parts.append(batch[low:high])
    if parts:
        yield pl.concat(parts)


def _batches(path: Path) -> Iterator[pl.DataFrame]:
    """Stream a file in checked batches of rows; errors name the file."""
    scan = _scan(path)
    row = 0
    with _readable(path):
        for batch in scan.select(list(COLUMNS)).collect_batches(chunk_size=_BATCH_ROWS):
            if batch.height:
                yield _checked(batch, path.name, row)
                row += batch.height
    if not row:
        raise InputError(f"{path.name}: it has no rows.")


def _scan(path: Path) -> pl.LazyFrame:
    """Open a file that has the columns; errors name it.

    Csv is read as text, so that a value of the wrong type is reported by its row.
    """
    check_table(path)
    with _readable(path):
        if path.suffix.lower() == ".parquet":
            scan = pl.scan_parquet(path)
        else:
            scan = pl.scan_csv(path, infer_schema=False, null_values=_EMPTY_WORDS)
        have = scan.collect_schema()
    _check_columns(have, path.name)
    return scan


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what polars says of a damaged file into one line that names it."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path.name}: the file cannot be read, is it damaged or cut short? ({reason})"
        ) from None


def _check_columns(have: Iterable[str], source: str) -> None:
    have = list(have)
    for name in COLUMNS:
        if name not in have:
            raise InputError(
                f"{source}: column {name!r} is missing{nearest(name, have)} "
                f"It has: {', '.join(have)}; it needs: {', '.join(COLUMNS)}."
            )


def _checked(batch: pl.DataFrame, source: str, first_row: int) -> pl.DataFrame:
    """Give every column its type; InputError for a value that does not fit it.

    Integers serve as numbers and as ids; text serves as a number where it is one (csv).
    """
    _check_columns(batch.columns, source)
    columns = []
    for name, want in COLUMNS.items():
        column = batch[name]
        if not _fits(column.dtype, name):
            raise InputError(
                f"{source}: column {name!r} is {column.dtype}; it must be {want}, for example "
                f"pl.col({name!r}).cast(pl.{want})."
            )
        if name == "timestamp" and isinstance(column.dtype, pl.Datetime):
            columns.append(column)
            continue
        typed = column.cast(want, strict=False)
        wrong = typed.is_null() & column.is_not_null()
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            kind = "a whole number" if name == "step" else "a number"
            raise InputError(
                f"{source}, row {first_row + row} (series {batch['series_id'][row]!r}): {name} is "
                f"{column[row]!r}; it must be {kind}."
            )
        if name in ("series_id", "step") and typed.null_count():
            row = first_row + int(typed.is_null().arg_max() or 0)
            raise InputError(f"{source}, row {row}: {name} is empty; is the file cut short?")
        columns.append(typed)
    return pl.DataFrame(columns)


def _fits(dtype: pl.DataType, name: str) -> bool:
    """Whether a column of this type can be read as what its name asks for."""
    text = dtype in (pl.String, pl.Categorical, pl.Enum)
    if name in ("anglez", "enmo"):
        return dtype.is_numeric() or dtype in (pl.String, pl.Null)
    if name == "timestamp":
        return dtype == pl.String or isinstance(dtype, pl.Datetime)
    return dtype.is_integer() or (dtype == pl.String if name == "step" else text)
