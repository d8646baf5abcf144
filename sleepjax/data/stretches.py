"""Files of stretches: when nobody wore the watch, and when a person was awake within a night.

Each has one row for each stretch, from ``start_step`` up to, not including, ``end_step``. A series
with a single row whose steps are empty has no such stretch; of a series without a row nothing is
known. Steps are those of the series file.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.data import cells
from sleepjax.types import InputError, SeriesMeta

COLUMNS = {"series_id": pl.String, "start_step": pl.Int64, "end_step": pl.Int64}
_REMEDY = (
    "correct the row, or count the whole series as unknown with --drop_bad (--config.data.drop_bad)"
)


@dataclass(frozen=True)
class Kind:
    """One kind of stretch."""

    file: str
    """Name of the csv beside the training series."""
    stored: str
    """Name of the table in a feature store."""
    state: str
    """What a person is in a stretch, for error texts: "without their watch"."""
    never: str
    """What an empty row says of a series: "the watch was worn throughout"."""


KINDS = {
    "nonwear": Kind(
        "train_nonwear.csv", "nonwear.parquet", "without the watch", "the watch was worn throughout"
    ),
    "awake": Kind("train_awake.csv", "awake.parquet", "awake", "nobody woke up within a night"),
}


def read_stretches(path: str | Path, kind: str, *, drop_bad: bool = False) -> pl.DataFrame:
    """Read a csv of one of the `KINDS`: its three columns, and ``line``, the line of the file.

    With ``drop_bad`` a cell that is no step is -1, which `locate_stretches` refuses for its series,
    and a row that does not name one is left out. Otherwise they raise InputError naming the file
    and line.
    """
    path = Path(path)
    table = cells.read_text(path, COLUMNS)
    nameless = table["series_id"].is_null()
    steps = ("start_step", "end_step")
    if drop_bad:
        columns = [cells.whole_numbers(table[name]) for name in steps]
        wrong = [cells.not_whole(table, name) for name in steps]
        filled = [column.set(bad, -1) for column, bad in zip(columns, wrong, strict=True)]
        table = table.with_columns(filled)
    else:
        empty = f", or empty where {KINDS[kind].never}"
        table = cells.whole_number_columns(table, dict.fromkeys(steps, empty), path.name)
        if nameless.any():
            row = int(nameless.arg_max() or 0)
            raise InputError(f"{path.name}, line {table[cells.LINE][row]}: series_id is empty.")
    return table.filter(~nameless).cast(COLUMNS)  # type: ignore


def locate_stretches(
    table: pl.DataFrame,
    metas: Mapping[str, SeriesMeta],
    kind: str,
    *,
    left_out: Collection[str] = (),
    drop_bad: bool = False,
    counts: Counter | None = None,
) -> pl.DataFrame:
    """The rows of `read_stretches` that fit the recordings, as series_id, start_step and end_step.

    Args:
      left_out: series whose recordings could not be used; their rows are left out too.
      drop_bad: treat a series with an unusable row as one without a row, instead of raising.
      counts: receives ``n_{kind}_series``, the series of which such stretches are known, and
        ``n_{kind}_dropped``, those that ``drop_bad`` made unknown.
    """
    counts = Counter() if counts is None else counts
    table = table.filter(~pl.col("series_id").is_in(list(left_out)))
    bad: set[str] = set()
    for (series_id,), rows in table.group_by("series_id", maintain_order=True):
        fault = _fault(rows, metas.get(str(series_id)), KINDS[kind])
        if fault and not drop_bad:
            line, text = fault
            raise InputError(
                f"{KINDS[kind].file}, line {line}: series {series_id!r} {text}; {_REMEDY}."
            )
        if fault:
            bad.add(str(series_id))
    table = table.filter(~pl.col("series_id").is_in(list(bad)))
    counts[f"n_{kind}_series"] += table["series_id"].n_unique()
    counts[f"n_{kind}_dropped"] += len(bad)
    return table.select(list(COLUMNS))


def _fault(rows: pl.DataFrame, meta: SeriesMeta | None, kind: Kind) -> tuple[int, str] | None:
    """(line, what is wrong) of the first row of one series that cannot be used."""
    line = int(rows["line"][0])
    if meta is None:
        return line, "has no recording"
    if meta.qc.get("n_step_mismatch", 0) or meta.qc.get("sampling_seconds", 5) != 5:
        return line, "has a recording whose steps disagree with its clock, so no step has a place"
    first, last = meta.first_step, meta.first_step + meta.n_steps
    for line, _, start, end in rows.select("line", *COLUMNS).rows():
        if (start is None) != (end is None):
            return line, "has only one of start_step and end_step"
        if start is None and rows.height > 1:
            return line, f"has an empty row ({kind.never}) beside other rows"
        if start is not None and not first <= start < end <= last:
            return line, (
                f"is listed as {kind.state} from step {start} to {end}; a stretch must lie "
                f"within steps {first} to {last} of the recording and end after its start"
            )
    return None


def rows_of(located: pl.DataFrame, meta: SeriesMeta) -> np.ndarray | None:
    """Rows [N,2] of a recording at which each stretch begins and ends; None where unknown."""
    own = located.filter(series_id=meta.series_id).select("start_step", "end_step")
    if not own.height:
        return None
    return own.drop_nulls().to_numpy().astype(np.int64).reshape(-1, 2) - meta.first_step
