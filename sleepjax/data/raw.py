"""Series files: found, their columns checked, read one series at a time.

The competition's columns are ``series_id, step, timestamp, anglez, enmo``, in parquet or csv. Rows
of a series stand together. Memory is bounded by the largest series, not by the files' size. What
is wrong with a file as such is an error at once; a value that cannot be used is an error of its
series, and the others are still read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sleepjax.config import nearest
from sleepjax.data import cells
from sleepjax.data.recording import Recording
from sleepjax.data.repair import make_recording
from sleepjax.data.stretches import KINDS
from sleepjax.table_files import PARQUET, TABLES
from sleepjax.tables import as_polars, iter_table, require_columns
from sleepjax.types import InputError

COLUMNS = {
    "series_id": pl.String,
    "step": pl.Int64,
    "timestamp": pl.String,
    "anglez": pl.Float32,
    "enmo": pl.Float32,
}
PHASES = ("train", "test")
_EPOCH = (
    "pl.from_epoch('timestamp', time_unit='s').dt.replace_time_zone('UTC')"
    ".dt.convert_time_zone('America/New_York') for seconds since 1970"
)


@dataclass(frozen=True)
class CohortFiles:
    """The competition's files of one phase."""

    series: tuple[Path, ...]
    events: Path | None
    stretches: dict[str, Path]
    """Those of `sleepjax.data.stretches.KINDS` that are there."""
    simulated: bool
    """True where the folder holds a simulator's ``simulation.json``."""


def find_files(root: str | Path, phase: str) -> CohortFiles:
    """Find ``{phase}_series*.parquet`` or ``.csv``, and for ``train`` ``train_events.csv``.

    Beside it ``train_nonwear.csv`` and ``train_awake.csv`` may stand (`sleepjax.data.stretches`).

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
    beside = {name: root / kind.file for name, kind in KINDS.items() if phase == "train"}
    known = {name: path for name, path in beside.items() if path.exists()}
    return CohortFiles(tuple(series), events, known, (root / "simulation.json").is_file())


class Rows(NamedTuple):
    """The rows of one series as a file holds them; values are not checked."""

    path: Path
    frame: pl.DataFrame
    first: int
    """Row of the file, from 0."""
    series_id: str

    def recording(self, tz: str | None = None) -> Recording:
        """Validate and repair; InputError naming the place for a series that cannot be used."""
        rows = _typed(self.frame, self.path.name, self.first, self.series_id)
        return make_recording(rows, source=self.path.name, tz=tz)


def iter_recordings(
    paths: str | Path | Sequence[str | Path],
    *,
    tz: str | None = None,
    refused: list[str] | None = None,
) -> Iterator[Recording]:
    """Yield one validated `Recording` after the other from one or several series files.

    Args:
      paths: parquet or csv files.
      tz: IANA zone of the wall clock, needed where timestamps carry no UTC offset.
      refused: receives what is wrong with each series that cannot be used, and the others follow;
        without it the first one raises.

    Raises InputError naming the file, the place and the remedy for what cannot be used.
    """
    yield from usable(iter_rows(paths), tz=tz, refused=refused)


def usable(
    series: Iterable[Rows], *, tz: str | None, refused: list[str] | None
) -> Iterator[Recording]:
    """The recordings of rows; ``tz`` and ``refused`` as of `iter_recordings`."""
    for rows in series:
        try:
            recording = rows.recording(tz)
        except InputError as error:
            if refused is None:
                raise
            refused.append(str(error))
        else:
            yield recording


def recordings_from_frame(
    frame: pl.DataFrame, *, tz: str | None = None, source: str = "the given frame"
) -> list[Recording]:
    """Validate an in-memory frame with the competition's columns; series may be interleaved.

    ``source`` is how errors call it.
    """
    frame = typed_frame(frame, source)
    if not frame.height:
        raise InputError(f"{source}: it has no rows.")
    parts = frame.partition_by("series_id", maintain_order=True)
    return [make_recording(rows, source=source, tz=tz) for rows in parts]


def typed_frame(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """The competition's columns of a frame, each of its type; InputError where that cannot be."""
    frame = as_polars(frame, source)
    _check_columns(frame.schema, source)
    return _typed(frame, source, 0)


def iter_rows(paths: str | Path | Sequence[str | Path]) -> Iterator[Rows]:
    """Yield the rows of one series after the other, with checked columns and unchecked values."""
    done: dict[str, Path] = {}
    for path in [Path(paths)] if isinstance(paths, str | Path) else map(Path, paths):
        first = 0
        for series_id, frame in _whole_series(_batches(path), path.name):
            _check_fresh(series_id, path, done)
            yield Rows(path, frame, first, series_id)
            first += frame.height


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
        # A line of csv is blank where all of its cells are, so one more is read.
        columns = ("series_id",) if path.suffix.lower() in PARQUET else ("series_id", "step")
        for batch in iter_table(path, columns, _check_columns):
            total += batch.height
            ids = batch["series_id"].cast(pl.String)
            for series_id in ids.gather(_edges(ids)[:-1]):
                if series_id is not None and (series_id, path) != before:
                    _check_fresh(series_id, path, done)
                    before = series_id, path
    return total


def _whole_series(
    batches: Iterable[pl.DataFrame], source: str
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Cut a stream of rows where the series id changes; yields (id, rows).

    A row without an id belongs to the series before it, at the beginning to the one after it.
    """
    parts: list[pl.DataFrame] = []
    current = None
    for batch in batches:
        ids = batch["series_id"]
        if ids.null_count():
            before = pl.Series("series_id", [current], dtype=pl.String)
            ids = pl.concat([before, ids]).forward_fill()[1:]
        for low, high in pairwise(_edges(ids)):
            if current is not None and ids[low] != current:
                yield current, pl.concat(parts)
                parts = []
            current = ids[high - 1]
            parts.append(batch[low:high])
    if parts and current is None:
        raise InputError(f"{source}, row 0: series_id is empty, and so are all others.")
    if parts:
        yield str(current), pl.concat(parts)


def _edges(ids: pl.Series) -> list[int]:
    """Rows at which runs of equal ids begin, and the number of rows."""
    if len(ids) and not ids.null_count():  # of one series mostly, or two
        second = int((ids == ids[0]).arg_min() or 0)
        if (ids[second:] == ids[second]).all():
            return sorted({0, second, len(ids)})
    return [0, *ids.rle().struct["len"].cum_sum().to_list()]


def _batches(path: Path) -> Iterator[pl.DataFrame]:
    """Stream a file in batches of rows with the columns; errors name the file."""
    empty = True
    for batch in iter_table(path, tuple(COLUMNS), _check_columns):
        if batch.height:
            empty = False
            yield batch.with_columns(pl.col("series_id").cast(pl.String))
    if empty:
        raise InputError(f"{path.name}: it has no rows.")


def _check_columns(have: Mapping[str, pl.DataType], source: str) -> None:
    """Raise InputError for a column that is missing, or of a type that cannot be read."""
    require_columns(have, COLUMNS, source)
    for name, want in COLUMNS.items():
        if not _fits(have[name], name):
            raise InputError(
                f"{source}: column {name!r} is {have[name]}; it must be {want}, for example "
                f"{_EPOCH if name == 'timestamp' else f'pl.col({name!r}).cast(pl.{want})'}."
            )


def _typed(rows: pl.DataFrame, source: str, first_row: int, series_id: str = "") -> pl.DataFrame:
    """Give every column its type; InputError for a value that does not fit it.

    Integers serve as numbers and as ids; text serves as a number where it is one (csv).
    """
    columns = []
    for name in COLUMNS:
        column = rows[name]
        if name == "timestamp" and isinstance(column.dtype, pl.Datetime):
            columns.append(column)
            continue
        column, typed = cells.cast(column, COLUMNS[name])
        needed = name in ("series_id", "step")
        if typed.null_count() > (0 if needed else column.null_count()):
            wrong = typed.is_null() if needed else typed.is_null() & column.is_not_null()
            row = int(wrong.arg_max() or 0)
            name_of_series = series_id or rows["series_id"][row]
            place = f"{source}, row {first_row + row}"
            place += f" (series {name_of_series!r})" if name_of_series is not None else ""
            if column[row] is None:
                raise InputError(f"{place}: {name} is empty; is the file cut short?")
            kind = "a whole number" if name == "step" else "a number"
            raise InputError(f"{place}: {name} is {column[row]!r}; it must be {kind}.")
        columns.append(typed)
    return pl.DataFrame(columns)


def _fits(dtype: pl.DataType, name: str) -> bool:
    """Whether a column of this type can be read as what its name asks for."""
    text = dtype in (pl.String, pl.Categorical, pl.Enum)
    if name in ("anglez", "enmo"):
        return dtype.is_numeric() or dtype in (pl.String, pl.Null)
    if name == "timestamp":
        return dtype == pl.String or isinstance(dtype, pl.Datetime)
    if name == "step":
        return dtype.is_numeric() or dtype == pl.String
    return dtype.is_integer() or text
