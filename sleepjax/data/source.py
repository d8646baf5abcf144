"""Training data: a prepared store, the competition's files, or a simulated cohort; split in two."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sleepjax.data import splits, windows
from sleepjax.data.simulate import simulate_cohort
from sleepjax.data.store import Store, open_store, prepare
from sleepjax.types import InputError

SIMULATED = Path("data/simulated")


@dataclass(frozen=True)
class TrainingData:
    """Recordings to train on and recordings to validate on; no series is in both."""

    store: Store
    train: tuple[windows.Series, ...]
    valid: tuple[windows.Series, ...]
    solution: pl.DataFrame
    """True events of the validation series."""

    @property
    def simulated(self) -> bool:
        """Whether the recordings are simulated."""
        return self.store.simulated

    def facts(self) -> dict[str, Any]:
        """What a run records of its data."""
        ids = lambda part: [one.meta.series_id for one in part]
        return {
            "simulated": self.simulated,
            "normalisers": self.store.normalisers,
            "train_series": ids(self.train),
            "valid_series": ids(self.valid),
        }


def open_training_data(data: Mapping[str, Any], simulate: Mapping[str, Any]) -> TrainingData:
    """Open, and where needed simulate and prepare, the data of a config; then split them.

    Args:
      data: the config's group ``data``: root, store, features, folds, fold, split_seed.
      simulate: series, days and seed of the cohort that stands in when root has no recordings.
    """
    store = _open_store(data, simulate)
    events = store.events
    if events is None:
        raise InputError(f"{store.root} has no events; training needs a store of phase 'train'.")
    missing = [name for name in data["features"] if name not in store.features]
    if missing:
        raise InputError(
            f"data.features asks for {', '.join(missing)}, which {store.root} does not hold; "
            f"it holds {', '.join(store.features)}."
        )
    load = lambda s: windows.load_series(store, s, data["features"], events)
    series = {s: load(s) for s in store.series_ids}
    nights = {s: len(one.labels.nights) for s, one in series.items() if one.labels is not None}
    folds = splits.kfold(nights, data["folds"], data["split_seed"], store.content_groups)
    if not 0 <= data["fold"] < len(folds):
        raise InputError(f"data.fold={data['fold']} must be from 0 to {len(folds) - 1}.")
    held_out = folds[data["fold"]]
    if not any(nights[s] for s in held_out):
        raise InputError(
            f"data.fold={data['fold']} holds no labelled night, so nothing can be validated: its "
            f"series are {', '.join(held_out[:10])}. Use fewer data.folds or another fold."
        )
    return TrainingData(
        store,
        tuple(one for s, one in series.items() if s not in held_out),
        tuple(series[s] for s in held_out),
        events.filter(pl.col("series_id").is_in(held_out)),
    )


def _open_store(data: Mapping[str, Any], simulate: Mapping[str, Any]) -> Store:
    root, out = Path(data["root"]), data["store"]
    if (root / "manifest.json").exists():
        return open_store(root)
    if uses_simulation(data):
        name = "series{series}-days{days}-seed{seed}".format(**simulate)
        folder = SIMULATED / name
        print(
            f"WARNING: data.root={str(root)!r} holds no recordings (train_series.parquet or csv). "
            f"Using SIMULATED data in {folder}: its scores say nothing about people.",
            file=sys.stderr,
        )
        simulate_cohort(folder, **simulate)
        return prepare(folder, folder / "prepared", "train")
    return prepare(root, Path(out) if out else root / "prepared", "train")


def uses_simulation(data: Mapping[str, Any]) -> bool:
    """Whether the config's root holds neither recordings nor a prepared store."""
    root = Path(data["root"])
    if (root / "manifest.json").exists():
        return False
    return not any(root.glob("train_series*.parquet")) and not any(root.glob("train_series*.csv"))
