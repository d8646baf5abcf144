"""What a run leaves of its last validation, so that post-processing can be tuned without the model.

validation/solution.parquet   true events of the validation series
validation/0.npz, 1.npz, ...  one series each: probabilities float32 [T,K], valid bool [T]
validation/series.json        what is known of each series, in the same order
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from ml_collections import ConfigDict

from sleepjax import postprocess
from sleepjax.data.windows import Series
from sleepjax.io import write_json, write_table
from sleepjax.runs import directory
from sleepjax.tables import read_table
from sleepjax.types import InputError, SeriesMeta

FOLDER = "validation"


@dataclass(frozen=True)
class Curves:
    """Probabilities of one series."""

    meta: SeriesMeta
    probabilities: np.ndarray
    """float32 [T,K]: asleep, onset, wakeup, and worn where the model has it."""
    valid: np.ndarray
    """bool [T]."""

    def events(self, post: Mapping) -> pl.DataFrame:
        """What `postprocess.decode_series` finds with the settings ``post``."""
        return postprocess.decode_series(self.probabilities, self.meta, valid=self.valid, **post)


def save(
    workdir: Path,
    series: Sequence[Series | Curves],
    solution: pl.DataFrame,
    probabilities: Mapping[str, np.ndarray],
) -> None:
    """Write the folder ``validation`` of a run directory, or replace it."""
    folder = workdir / FOLDER
    folder.mkdir(exist_ok=True)
    index = folder / "series.json"
    index.unlink(missing_ok=True)
    write_table(folder / "solution.parquet", solution)
    for i, one in enumerate(series):
        probs = probabilities[one.meta.series_id].astype(np.float32, copy=False)
        np.savez(folder / f"{i}.npz", probabilities=probs, valid=np.asarray(one.valid))
    # The list comes last: a folder that has it is complete.
    write_json(index, [dataclasses.asdict(one.meta) for one in series])


def is_finished(workdir: Path, config: ConfigDict) -> bool:
    """Whether the run of this config in ``workdir`` came to its end.

    Raises InputError, listing the differences, for a run of another config.
    """
    if not (workdir / FOLDER / "series.json").is_file():
        return False
    directory.read(workdir)
    # Not what `read` returns: it names the run's own copy of a user-defined model.
    old = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
    different = directory.differences(old, json.loads(config.to_json()))
    if different:
        raise InputError(
            f"{workdir} holds a run of another config: {'; '.join(different)}. "
            "Use the same settings, or another --workdir."
        )
    return True


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
        for i, meta in enumerate(json.loads(index.read_text(encoding="utf-8"))):
            meta["offsets"] = tuple(map(tuple, meta["offsets"]))
            with np.load(folder / f"{i}.npz") as arrays:
                curves.append(Curves(SeriesMeta(**meta), arrays["probabilities"], arrays["valid"]))
        return curves, read_table(folder / "solution.parquet")
    except (OSError, ValueError, TypeError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{folder} cannot be read ({error}). Run the training command of {workdir} again: "
            "it writes the folder anew."
        ) from None
