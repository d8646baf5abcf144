"""Write a simulated cohort as exactly the competition's files, one series in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from sleepjax import lock
from sleepjax.progress import Progress
from sleepjax.simulation.series import VERSION, series_id, simulate_series
from sleepjax.types import InputError

MARKER = "simulation.json"
LOCK = ".simulate.lock"
SERIES_SCHEMA = {
    "series_id": pl.String,
    "step": pl.UInt32,
    "timestamp": pl.String,
    "anglez": pl.Float32,
    "enmo": pl.Float32,
}
EVENT_SCHEMA = {
    "series_id": pl.String,
    "night": pl.UInt32,
    "event": pl.String,
    "step": pl.UInt32,
    "timestamp": pl.String,
}
TRUTH_SCHEMA = {"series_id": pl.String, "event": pl.String, "step": pl.UInt32}
# Written in this order; the training series come last, so that where they are, all is.
FILES = (
    "sample_submission.csv",
    "latent_truth.csv",
    "test_series.parquet",
    "train_events.csv",
    "train_series.parquet",
)
TEST_SERIES = 3
FIRST_TEST_INDEX = 2**32
"""Participants of the test files come from indices that no training cohort reaches."""


def is_simulated(root: str | Path) -> bool:
    """Whether the folder's recordings were written by :func:`simulate_cohort`."""
    return (Path(root) / MARKER).is_file()


def simulate_cohort(
    out: str | Path,
    *,
    series: int = 277,
    days: float | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a cohort of ``series`` training participants and three test participants to ``out``.

    ``days`` fixes the length of every recording; None draws lengths as in the competition.
    Returns what simulation.json holds. A folder that already holds the very same cohort is left
    as it is; another one is replaced with ``overwrite``. Raises InputError for a value out of
    bounds and for a folder that holds files the simulator did not write.
    """
    folder = Path(out)
    check(series, days, seed)
    _check_folder(folder)
    wanted = {
        "simulated": True,
        "version": VERSION,
        "seed": seed,
        "series": series,
        "test_series": TEST_SERIES,
        "days": days,
    }
    # Looked at before locking, and again after waiting for another process that did the same work.
    if not _is_complete(folder, wanted):
        state, remedy = "being simulated by another process", "wait for it or stop it"
        with lock.held(folder / LOCK, state=state, remedy=remedy, wait=lock.WAIT):
            if not _is_complete(folder, wanted):
                _write(folder, wanted, overwrite=overwrite)
    return wanted


def _is_complete(folder: Path, wanted: dict[str, Any]) -> bool:
    """Whether the folder holds this very cohort, whole."""
    complete = _marker(folder) == {**wanted, "complete": True}
    return complete and all((folder / name).is_file() for name in FILES)


def _write(folder: Path, wanted: dict[str, Any], *, overwrite: bool) -> None:
    """Write the cohort that ``wanted`` describes; the lock on the folder is held."""
    before = _marker(folder)
    if before.get("complete") and before != {**wanted, "complete": True} and not overwrite:
        what = ", ".join(
            f"{key}={before.get(key)}" for key in ("series", "days", "seed", "version")
        )
        raise InputError(
            f"{folder} holds another simulated cohort ({what}); give another folder, or "
            "--overwrite."
        )
    series, days, seed = (wanted[name] for name in ("series", "days", "seed"))
    # The marker comes first: whatever an interruption leaves behind is known to be simulated.
    _write_marker(folder, {**wanted, "complete": False})
    test = [FIRST_TEST_INDEX + i for i in range(TEST_SERIES)]
    truth: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    _write_series(
        _partial(folder, "train_series.parquet"), seed, range(series), days, events, truth
    )
    _write_series(_partial(folder, "test_series.parquet"), seed, test, days, [], truth)
    pl.DataFrame(events, EVENT_SCHEMA).write_csv(_partial(folder, "train_events.csv"))
    pl.DataFrame(truth, TRUTH_SCHEMA).write_csv(_partial(folder, "latent_truth.csv"))
    _sample_submission(seed, test).write_csv(_partial(folder, "sample_submission.csv"))
    (folder / FILES[-1]).unlink(missing_ok=True)
    for name in FILES:
        _partial(folder, name).replace(folder / name)
    _write_marker(folder, {**wanted, "complete": True})


def check(series: int, days: float | None, seed: int) -> None:
    """Raise InputError for a value out of its bounds."""
    if series < 1:
        raise InputError(f"series={series} must be at least 1.")
    if days is not None and not 1 <= days <= 366:
        raise InputError(f"days={days} must be between 1 and 366 days.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed={seed} must be between 0 and 2**63 - 1.")


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the simulated cohort.")
    if is_simulated(folder):
        return
    foreign = sorted(p.name for p in folder.glob("[!.]*") if p.is_file())
    if foreign:
        raise InputError(
            f"{folder} holds {', '.join(foreign[:5])}, which the simulator did not write ({MARKER} "
            "is missing); nothing was overwritten. Give another folder."
        )


def _marker(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return {}


def _write_marker(folder: Path, content: dict[str, Any]) -> None:
    partial = _partial(folder, MARKER)
    partial.write_text(json.dumps(content, indent=2) + "\n")
    partial.replace(folder / MARKER)


def _partial(folder: Path, name: str) -> Path:
    return folder / f".{name}.partial"


def _write_series(path, seed: int, indices, days, events: list, truth: list) -> None:
    """Stream recordings into one parquet file, collecting their events and truth on the way."""

    def frames(with_columns, predicate, n_rows, batch_size) -> Iterator[pl.DataFrame]:
        for index in indices:
            recording = simulate_series(seed, index, days)
            events.extend(recording.event_rows())
            truth.extend(recording.truth_rows())
            yield recording.frame()
            progress.advance()

    with Progress(len(indices), "simulate", "series", every=5.0) as progress:
        register_io_source(frames, schema=SERIES_SCHEMA).sink_parquet(
            path, compression="zstd", compression_level=1, engine="streaming"
        )


def _sample_submission(seed: int, indices: Iterable[int]) -> pl.DataFrame:
    rows = [
        {"series_id": series_id(seed, index), "step": 0, "event": event, "score": 0.0}
        for index in indices
        for event in ("onset", "wakeup")
    ]
    return pl.DataFrame(rows).with_row_index("row_id")
