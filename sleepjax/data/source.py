"""Training data: a prepared store, the competition's files, or a simulated cohort; split in two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax.data import splits, subjects, teacher, windows
from sleepjax.data.features import FEATURES, definitions
from sleepjax.data.identity import repair_code
from sleepjax.data.raw import find_files
from sleepjax.data.recording import Recording
from sleepjax.data.store import Store, open_store, prepare
from sleepjax.data.store_files import MANIFEST
from sleepjax.io import text_hash
from sleepjax.simulation import Cohort, simulate_cohort
from sleepjax.stdio import warn
from sleepjax.table_files import TABLES
from sleepjax.types import STEPS_PER_HOUR, InputError

DEFAULT_ROOT = Path("data/child-mind")
"""Where every config looks for the competition's files; only these are stood in for."""

SIMULATED = Path("data/simulated")


@dataclass(frozen=True)
class TrainingData:
    """Recordings to train on and recordings to validate on; no series is in both."""

    store: Store
    train: tuple[Recording, ...]
    valid: tuple[Recording, ...]
    solution: pl.DataFrame
    """True events of the validation series."""
    features: tuple[str, ...]
    """What the model sees, beside what is known of the person."""

    @property
    def simulated(self) -> bool:
        """Whether the recordings are simulated."""
        return self.store.simulated

    def with_one_validated(self) -> TrainingData:
        """The same, with only the shortest validation series that has events."""
        labelled = self.solution.drop_nulls("step")["series_id"].to_list()
        some = [one for one in self.valid if one.meta.series_id in labelled]
        one = min(some, key=lambda one: one.meta.n_steps)
        solution = self.solution.filter(series_id=one.meta.series_id)
        return replace(self, valid=(one,), solution=solution)

    def facts(self) -> dict[str, Any]:
        """What a run records of its data."""
        ids = lambda part: [one.meta.series_id for one in part]
        return {
            "simulated": self.simulated,
            "normalisers": self.store.normalisers,
            "features": definitions(self.features),
            # Changes with any sample of any recording, or with how it was repaired.
            "recordings": text_hash(repr(sorted(self.store.content_groups.items()))),
            "train_series": ids(self.train),
            "valid_series": ids(self.valid),
            "labels": _hash(self.store.events, *self.store.stretches.values()),
            **self._known_of_persons(),
        }

    def _known_of_persons(self) -> dict[str, str]:
        """Hash of what the model sees of each person; nothing where it sees nothing."""
        extra = lambda one: [
            float(values[:1][0])
            for name, values in one.features.items()
            if name.startswith(subjects.PREFIX)
        ]
        known = {one.meta.series_id: extra(one) for one in (*self.train, *self.valid)}
        if not any(known.values()):
            return {}
        return {"subjects": text_hash(repr(sorted(known.items())))}


def _hash(*tables: pl.DataFrame | None) -> str:
    """What changes with any label; the order of the rows is no change."""
    return text_hash("\n\n".join(t.sort(t.columns).write_csv() for t in tables if t is not None))


def open_training_data(data: Mapping[str, Any], simulate: Mapping[str, Any]) -> TrainingData:
    """Open, and where needed simulate and prepare, the data of a config; then split them.

    Args:
      data: the config's group ``data``: root, store, features, duration, folds, fold, split_seed;
        tz and drop_bad are those of `prepare`.
      simulate: settings of the `Cohort` that stands in where the default root is empty.
    """
    if not 0 <= data["fold"] < data["folds"]:
        raise InputError(f"data.fold={data['fold']} must be from 0 to {data['folds'] - 1}.")
    store = _open_store(data, simulate)
    _check_duration(store, data["duration"])
    events = store.events
    if events is None:
        raise InputError(f"{store.root} has no events; training needs a store of phase 'train'.")
    load = lambda s: windows.load_labelled(store, s, data["features"], events)
    known = _known_of(data, store)
    series = {s: load(s).with_features(known(s)) for s in store.series_ids}
    if data.get("teacher"):
        series = teacher.taught(series, Path(data["teacher"]), store.identities())
    nights = {s: len(one.labels.nights) for s, one in series.items() if one.labels is not None}
    folds = splits.kfold(nights, data["folds"], data["split_seed"], store.content_groups)
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
        tuple(data["features"]),
    )


def _known_of(data: Mapping[str, Any], store: Store) -> Callable[[str], dict[str, np.ndarray]]:
    """Series id -> channels of what is known of the person; says for how many nothing is known."""
    columns, path = subjects.parse(data.get("covariates", ())), data.get("subjects", "")
    if bool(columns) != bool(path):
        raise InputError(
            f"data.subjects={path!r} and data.covariates={tuple(data.get('covariates', ()))} "
            "belong together: the table, and the columns of it that the model sees."
        )
    table = subjects.read(path, columns) if columns else {}
    absent = [s for s in store.series_ids if s not in table] if columns else []
    if columns and len(absent) == len(store.series_ids):
        raise InputError(f"{path} lists none of the series of {store.root}, such as {absent[0]!r}.")
    if absent:
        warn(
            f"{path} lists nothing of {len(absent)} of {len(store.series_ids)} series, the first "
            f"is {absent[0]!r}; the model sees them as unknown."
        )
    return lambda s: subjects.channels(columns, table.get(s), store.meta(s).n_steps, s)


def _check_duration(store: Store, duration: int) -> None:
    longest = max((store.meta(s) for s in store.series_ids), key=lambda meta: meta.n_steps)
    if duration > longest.n_steps:
        raise InputError(
            f"data.duration={duration} steps is longer than every recording; the longest, "
            f"{longest.series_id!r}, has {longest.n_steps} ({longest.n_steps / STEPS_PER_HOUR:.1f} "
            "hours). Lower data.duration."
        )


def _open_store(data: Mapping[str, Any], simulate: Mapping[str, Any]) -> Store:
    root, out = Path(data["root"]), data["store"]
    how = {"tz": data.get("tz") or None, "drop_bad": data.get("drop_bad", False)}
    if (root / MANIFEST).exists():
        return _open_prepared(root, out, how)
    folder = root
    if uses_simulation(data):
        folder = SIMULATED / Cohort(**simulate).folder_name
        holds = ", ".join(sorted(path.name for path in root.glob("*"))[:5])
        warn(
            f"data.root={str(root)!r} holds no recordings (train_series.parquet or csv)"
            f"{', only ' + holds if holds else ''}. "
            f"Using SIMULATED data in {folder}: its scores say nothing about people."
        )
        simulate_cohort(folder, **simulate, overwrite=True)
    elif not _has_recordings(root):
        try:
            find_files(root, "train")
        except InputError as error:
            raise InputError(
                f"data.root: {error} To train on simulated data leave data.root at "
                f"{str(DEFAULT_ROOT)!r}."
            ) from None
    return prepare(folder, Path(out) if out else folder / "prepared", "train", **how)


def _open_prepared(root: Path, out: str, how: Mapping[str, Any]) -> Store:
    """The store that ``data.root`` is; InputError where the config says it was made otherwise."""
    if out:
        raise InputError(
            f"data.store={out!r} would not be used: data.root={str(root)!r} is a prepared store "
            "already. Leave data.store out."
        )
    store = open_store(root)
    for name, value in how.items():
        before = store.manifest["settings"][name]
        if value != before:
            remedy = f"set --config.data.{name}={before}" if before else f"leave data.{name} out"
            raise InputError(
                f"data.{name}={value!r}, but {root} was prepared with {before!r}; {remedy}, or "
                "prepare it again."
            )
    made, known = store.manifest["settings"], [n for n in store.features if n in FEATURES]
    now = definitions(known) | {"repair": repair_code()}
    other = [name for name in now if now[name] != {**made["features"], **made}[name]]
    if other:
        raise InputError(
            f"{root} was prepared by another version of sleepjax, which differs in "
            f"{', '.join(other)}; prepare it again (scripts/prepare_data.py)."
        )
    return store


def uses_simulation(data: Mapping[str, Any]) -> bool:
    """Whether simulated recordings stand in: nobody gave a root, and the default one is empty.

    A root that was given and holds nothing is a mistake, which a simulation would hide.
    """
    root = Path(data["root"])
    return root == DEFAULT_ROOT and not _has_recordings(root)


def _has_recordings(root: Path) -> bool:
    return (root / MANIFEST).exists() or any(
        any(root.glob(f"train_series*{suffix}")) for suffix in TABLES
    )


def default_workdir(spec: str, data: Mapping[str, Any], kind: str = "") -> Path:
    """runs/spec2d-demo, -simulated where there is nothing else to train on, and -``kind``."""
    path, _, arg = spec.partition(":")
    simulated = "simulated" if uses_simulation(data) else ""
    words = [Path(path).stem, *arg.replace("=", "").split(","), simulated, kind]
    return Path("runs") / "-".join(filter(None, words))
