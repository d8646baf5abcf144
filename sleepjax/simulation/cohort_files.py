"""The files of a simulated cohort: names, columns, and streaming one recording at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from sleepjax.data import events, raw
from sleepjax.data.store_files import read_json
from sleepjax.progress import Progress
from sleepjax.simulation.series import SimulatedSeries
from sleepjax.types import EVENTS

MARKER = "simulation.json"
SERIES_SCHEMA = raw.COLUMNS | {"step": pl.UInt32}
EVENT_SCHEMA = events.COLUMNS | {"night": pl.UInt32, "step": pl.UInt32}
TRUTH_SCHEMA = {"series_id": pl.String, "event": pl.String, "step": pl.UInt32}
STRETCH_SCHEMA = {"series_id": pl.String, "start_step": pl.UInt32, "end_step": pl.UInt32}
_BED_STEPS = ("bed", "rise", "first_sleep", "last_sleep", "persistent_onset", "persistent_end")
BED_SCHEMA = {"series_id": pl.String, **dict.fromkeys(_BED_STEPS, pl.UInt32), "whole": pl.Boolean}
PARTICIPANT_SCHEMA = dict.fromkeys(
    ("series_id", "device", "person", "schedule", "recording", "wear"), pl.String
)
SCHEMAS = {
    "latent_truth.csv": TRUTH_SCHEMA,
    "truth_beds.csv": BED_SCHEMA,
    "participants.csv": PARTICIPANT_SCHEMA,
    "train_events.csv": EVENT_SCHEMA,
    "train_nonwear.csv": STRETCH_SCHEMA,
    "train_awake.csv": STRETCH_SCHEMA,
}
# They appear in this order; the training series come last, so that where they are, all is.
FILES = (
    "sample_submission.csv",
    "latent_truth.csv",
    "truth_beds.csv",
    "truth_steps.parquet",
    "participants.csv",
    "test_series.parquet",
    "train_events.csv",
    "train_nonwear.csv",
    "train_awake.csv",
    "train_series.parquet",
)


def read_marker(folder: Path) -> dict[str, Any]:
    """What simulation.json says; empty where it is missing or damaged."""
    return read_json(folder / MARKER) or {}


def write(
    folder: Path,
    recording: Callable[[int], SimulatedSeries],
    train: Sequence[int],
    test: Sequence[int],
    truth: str,
) -> None:
    """Write all `FILES`; they appear under their names only when all of them are complete."""
    tables: dict[str, list[dict[str, object]]] = {name: [] for name in SCHEMAS}
    steps: list[pl.DataFrame] = []

    def keep(one: SimulatedSeries) -> None:
        tables["latent_truth.csv"] += one.truth_rows()
        tables["truth_beds.csv"] += one.bed_rows()
        tables["participants.csv"].append({"series_id": one.series_id, **one.facts})
        steps.append(one.step_truth())

    def keep_labels(one: SimulatedSeries) -> None:
        keep(one)
        tables["train_events.csv"] += one.event_rows(truth)
        tables["train_nonwear.csv"] += one.nonwear_rows()
        tables["train_awake.csv"] += one.awake_rows() if truth == "psg" else []

    path = lambda name: folder / f".{name}.partial"
    _write_series(path("train_series.parquet"), map(recording, train), len(train), keep_labels)
    _write_series(path("test_series.parquet"), map(recording, test), len(test), keep)
    for name, rows in tables.items():
        pl.DataFrame(rows, SCHEMAS[name]).write_csv(path(name))
    pl.concat(steps).write_parquet(path("truth_steps.parquet"))
    answered = tables["participants.csv"][len(train) :]
    _sample_submission(row["series_id"] for row in answered).write_csv(
        path("sample_submission.csv")
    )
    (folder / FILES[-1]).unlink(missing_ok=True)
    for name in FILES:
        path(name).replace(folder / name)


def _write_series(
    path: Path,
    recordings: Iterator[SimulatedSeries],
    count: int,
    keep: Callable[[SimulatedSeries], None],
) -> None:
    """Stream recordings into one parquet file; ``keep`` sees each of them once."""

    def frames() -> Iterator[pl.DataFrame]:
        for recording in recordings:
            keep(recording)
            yield recording.frame()
            progress.advance()

    with Progress(count, "simulate", "series", every=5.0) as progress:
        stream_parquet(path, frames(), SERIES_SCHEMA)


def stream_parquet(path: Path, frames: Iterator[pl.DataFrame], schema: Mapping) -> None:
    """Write frames into one file as they come."""
    source = lambda with_columns, predicate, n_rows, batch_size: frames
    register_io_source(source, schema=schema).sink_parquet(
        path, compression="zstd", compression_level=1, engine="streaming"
    )


def _sample_submission(ids: Iterable[object]) -> pl.DataFrame:
    rows = [
        {"series_id": series_id, "step": 0, "event": event, "score": 0.0}
        for series_id in ids
        for event in EVENTS
    ]
    return pl.DataFrame(rows).with_row_index("row_id")
