"""The file of detections that gets scored: row_id, series_id, step, event, score."""

from pathlib import Path

import polars as pl

from sleepjax.io import write_table
from sleepjax.tables import require_columns
from sleepjax.types import EVENTS, InputError

SCHEMA = {
    "series_id": pl.String,
    "step": pl.Int64,
    "event": pl.String,
    "score": pl.Float64,
}


def submission(events: pl.DataFrame) -> pl.DataFrame:
    """Events in the form that is scored: row_id, series_id, step, event, score, in that order.

    Rows are ordered by series, step, event and falling score and numbered from 0; other columns
    are dropped. Raises InputError for missing columns, missing values, scores that are not
    finite, steps that are negative or no whole numbers, and unknown events.
    """
    require_columns(events.columns, SCHEMA, "submission")
    for column in ("step", "score"):
        dtype = events.schema[column]
        if not dtype.is_numeric() and dtype != pl.Null:
            raise InputError(f"submission column {column!r} holds {dtype}; it must hold numbers.")
    step, score = pl.col("step"), pl.col("score")
    _refuse(events, pl.any_horizontal(pl.col(list(SCHEMA)).is_null()), "have a missing value")
    _refuse(events, ~score.cast(pl.Float64).is_finite(), "have a score that is not finite")
    _refuse(
        events,
        (step < 0) | (step.cast(pl.Float64).floor() != step),
        "have a step that is negative or no whole number",
    )
    event = pl.col("event").cast(pl.String)
    _refuse(events, ~event.is_in(EVENTS), f"have an event that is not one of {EVENTS}")
    return (
        events.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
        .sort("series_id", "step", "event", "score", descending=[False, False, False, True])
        .with_row_index("row_id")
        .with_columns(pl.col("row_id").cast(pl.Int64))
    )


def write_submission(events: pl.DataFrame, path: str | Path) -> Path:
    """Check events with `submission` and write them as csv, all or nothing; returns the path."""
    frame = submission(events)
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: folder {path.parent} does not exist; create it.")
    write_table(path, frame)
    return path


def _refuse(events: pl.DataFrame, condition: pl.Expr, what: str) -> None:
    """Raise InputError naming the rows for which the condition holds."""
    bad = events.select(*SCHEMA).with_row_index("row").filter(condition)
    if len(bad):
        raise InputError(
            f"submission: {len(bad)} of {len(events)} rows {what}; first: {bad.row(0)}"
        )
