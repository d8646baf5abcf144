"""The saved validation of a run, on which post-processing is tuned without the model.

validation/solution.parquet   true events of the validation series
validation/0.npz, 1.npz, ...  one series each: probabilities float32 [T,K], valid bool [T]
validation/series.json        what is known of each series, in the same order
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax import postprocess
from sleepjax.data.recording import Recording
from sleepjax.io import file_hash, replacing, write_json, write_table
from sleepjax.runs import directory, resume
from sleepjax.tables import read_table
from sleepjax.types import InputError, SeriesMeta

FOLDER = "validation"


@dataclass(frozen=True)
class Curves:
    """Probabilities of one recording, whose signals are not saved."""

    recording: Recording
    probabilities: np.ndarray
    """float32 [T,K]: asleep, onset, wakeup, and worn where the model has it."""

    def events(self, post: Mapping) -> pl.DataFrame:
        """What `postprocess.decode_series` finds with the settings ``post``."""
        meta, valid = self.recording.meta, np.asarray(self.recording.valid)
        return postprocess.decode_series(self.probabilities, meta, valid=valid, **post)

    def windows(self, spread: float) -> pl.DataFrame:
        """Its sleep windows; ``spread`` as of `postprocess.find_windows`."""
        meta, valid = self.recording.meta, np.asarray(self.recording.valid)
        return postprocess.find_windows(self.probabilities, meta, valid=valid, spread=spread)


def save(
    workdir: Path, curves: Sequence[Curves], solution: pl.DataFrame, total_steps: int = 0
) -> None:
    """Write the folder ``validation`` of a run of so many steps, or replace it."""
    folder = workdir / FOLDER
    folder.mkdir(exist_ok=True)
    index = folder / "series.json"
    index.unlink(missing_ok=True)
    write_table(folder / "solution.parquet", solution)
    for i, one in enumerate(curves):
        probs = one.probabilities.astype(np.float32, copy=False)
        with replacing(folder / f"{i}.npz") as partial, partial.open("wb") as file:
            np.savez(file, probabilities=probs, valid=np.asarray(one.recording.valid))
    # The list comes last: a folder that has it is complete.
    names = ["solution.parquet", *(f"{i}.npz" for i in range(len(curves)))]
    contents = {
        "total_steps": total_steps,
        "files": {name: file_hash(folder / name) for name in names},
        "series": [dataclasses.asdict(one.recording.meta) for one in curves],
    }
    write_json(index, contents)


def is_finished(workdir: Path, config: Any) -> bool:
    """Whether the run of this config in ``workdir`` came to its end, and its validation is whole.

    Raises InputError, listing the differences, for a run of another config, finished or not.
    """
    if not (workdir / "config.json").exists():
        return False
    directory.read(workdir)
    # Not the config of `read`: that names the run's own copy of a user-defined model.
    old = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
    new = json.loads(config.to_json())
    different = resume.training_differences(workdir, old, new)
    if different:
        raise InputError(
            f"{workdir} holds a run of another config: {'; '.join(different)}. "
            "Use the same settings, or another --workdir."
        )
    alike = all(old[group] == new[group] for group in ("eval", "post"))  # else validated anew
    return alike and is_complete(workdir, config.total_steps)


def is_complete(workdir: Path, total_steps: int) -> bool:
    """Whether the folder ``validation`` is whole and from the end of a run of so many steps."""
    try:
        return _read_index(workdir / FOLDER)["total_steps"] == total_steps
    except _DAMAGE:
        return False


_DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError, pl.exceptions.PolarsError)
"""What reading a folder that is incomplete or damaged may raise."""


def _read_index(folder: Path) -> dict[str, Any]:
    """Contents of series.json; raises unless all files that it lists are as they were saved."""
    index = json.loads((folder / "series.json").read_text(encoding="utf-8"))
    for name, expected in index["files"].items():
        if file_hash(folder / name) != expected:
            raise ValueError(f"{name} has changed")
    return index


def load(workdir: Path) -> tuple[list[Curves], pl.DataFrame]:
    """(curves of each validation series, their true events) of a finished run.

    Raises InputError where the folder is missing, incomplete or damaged.
    """
    folder = workdir / FOLDER
    index = folder / "series.json"
    if not index.is_file():
        raise InputError(
            f"{workdir} has no saved validation ({index} is missing). "
            "Give the --workdir of a finished scripts/train.py; the same command finishes a run."
        )
    try:
        curves = []
        for i, meta in enumerate(_read_index(folder)["series"]):
            with np.load(folder / f"{i}.npz") as arrays:
                recording = Recording(SeriesMeta.of(meta), arrays["valid"])
                curves.append(Curves(recording, arrays["probabilities"]))
        return curves, read_table(folder / "solution.parquet")
    except _DAMAGE as error:
        raise InputError(
            f"{folder} cannot be read ({error!r}). Run the training command of {workdir} again: "
            "it writes the folder again."
        ) from None
