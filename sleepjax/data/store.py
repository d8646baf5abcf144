"""The feature store: one array per series and feature, an event table, a manifest.

    manifest.json            what the store holds, written last: without it the store is unfinished
    <series>/series.json     what the folder holds, written last in the folder
    <series>/signal_anglez.npy, signal_enmo.npy   float32 [T], degrees and g
    <series>/valid.npy       bool [T]
    <series>/<feature>.npy   float32 [T], of the features that were prepared
    computed/<definition>/   other features that look at a whole recording, and user-defined
                             ones: one array per series, written where they are first used
    events.parquet           phase train: the validated events, steps as in predictions
    nonwear.parquet          phase train, where given: stretches without the watch, likewise
    awake.parquet            phase train, where given: stretches awake within a night, likewise

A rerun of `prepare` with the same inputs and settings does nothing; after a kill at any moment it
writes what is missing; after a change of inputs or features it writes what differs. The result is
the same, byte for byte, as that of one uninterrupted run.
"""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax import custom
from sleepjax.data import qc, raw, writing
from sleepjax.data.compact import Sliced, Stored, in_runs, runs_of
from sleepjax.data.derived import derived
from sleepjax.data.features import PREPARED, check_names, compute, definitions
from sleepjax.data.identity import repair_code
from sleepjax.data.recording import SIGNALS, Recording
from sleepjax.data.store_files import (
    COMPUTED,
    EVENTS,
    FORMAT,
    MANIFEST,
    VERSION,
    check_sizes,
    locked,
    read_json,
)
from sleepjax.data.stretches import KINDS
from sleepjax.io import file_hash, replacing
from sleepjax.tables import read_table
from sleepjax.types import InputError, SeriesMeta

_FLOAT = np.dtype(np.float32)


class Store:
    """An opened feature store; arrays are read from disk as they are used."""

    def __init__(self, root: Path, manifest: Mapping):
        self.root = root
        self.manifest = manifest
        self.phase: str = manifest["phase"]
        self.features: tuple[str, ...] = tuple(manifest["features"])
        self.normalisers: dict[str, dict[str, float]] = manifest["normalisers"]
        self.simulated: bool = manifest["simulated"]
        """True where the recordings come from the simulator and not from people."""
        self._entries = {entry["series_id"]: entry for entry in manifest["series"]}
        self._metas = {s: SeriesMeta.of(entry) for s, entry in self._entries.items()}
        self.series_ids: tuple[str, ...] = tuple(self._metas)
        self.content_groups: dict[str, str] = {s: e["content"] for s, e in self._entries.items()}
        """Series id -> hash of its signals: equal where two ids hold the same recording."""

    def __repr__(self) -> str:
        kind = "simulated " if self.simulated else ""
        return f"Store({str(self.root)!r}, {self.phase}, {len(self.series_ids)} {kind}series)"

    def meta(self, series_id: str) -> SeriesMeta:
        """What is known of one series; InputError if the store does not hold it."""
        if series_id not in self._metas:
            raise InputError(f"{self.root} holds no series {series_id!r}.")
        return self._metas[series_id]

    def identities(self) -> dict[str, str]:
        """Of each series, what changes with any sample, with its clock, or how it is repaired."""
        clock = lambda meta: (meta.start, meta.offsets)
        each = {s: (self.content_groups[s], *clock(self.meta(s))) for s in self.series_ids}
        return {s: hashlib.sha256(repr(x).encode()).hexdigest()[:16] for s, x in each.items()}

    def recording(self, series_id: str, features: Sequence[str] = ()) -> Recording:
        """One series as it was read and repaired, with the named features.

        All arrays are read or made where they are sliced.
        """
        meta = self.meta(series_id)
        return Recording(
            meta,
            self.valid(series_id),
            {name: self.signal(series_id, name) for name in SIGNALS},
            runs_of(in_runs(self._entries[series_id]["copied"], meta.n_steps)),
            {name: self.array(series_id, name) for name in features},
        )

    def array(self, series_id: str, feature: str) -> Sliced | np.ndarray:
        """One feature of one series, float32 [T], read or made where it is sliced.

        One that was neither prepared nor looks at single steps is computed, and kept where the
        store can be written to.
        """
        if feature in self.features:
            return self._stored(series_id, feature, _FLOAT)
        meta = self.meta(series_id)
        if made := derived(feature, meta, lambda name: self.signal(series_id, name)):
            return made
        (definition,) = definitions([feature]).values()
        path = self.root / COMPUTED / definition / f"{self._entries[series_id]['folder']}.npy"
        n = meta.n_steps
        if not path.is_file():
            column = compute(self.recording(series_id), [feature])[:, 0]
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as partial, partial.open("wb") as file:
                    np.save(file, column)
            except OSError:  # a store that others made, or a full disk
                return column
        return Stored(path, _FLOAT, n, path.stat().st_size - n * _FLOAT.itemsize)

    def signal(self, series_id: str, name: str) -> Stored:
        """``anglez`` (degrees) or ``enmo`` (g) of one series, float32 [T], neutral where masked."""
        return self._stored(series_id, f"signal_{name}", _FLOAT)

    def valid(self, series_id: str) -> Stored:
        """Which samples of one series were measured, bool [T], read where it is sliced."""
        return self._stored(series_id, "valid", np.dtype(bool))

    def _stored(self, series_id: str, name: str, dtype: np.dtype) -> Stored:
        n, entry = self.meta(series_id).n_steps, self._entries[series_id]
        path = self.root / entry["folder"] / f"{name}.npy"
        return Stored(path, dtype, n, entry["bytes"][path.name] - n * dtype.itemsize)

    @cached_property
    def events(self) -> pl.DataFrame | None:
        """The validated events, or None in phase test; ``step`` is ``first_step`` + row."""
        return read_table(self.root / EVENTS) if self.phase == "train" else None

    @cached_property
    def stretches(self) -> dict[str, pl.DataFrame]:
        """The validated tables of those `sleepjax.data.stretches.KINDS` that were given."""
        given = {
            name: kind for name, kind in KINDS.items() if kind.stored in self.manifest["bytes"]
        }
        return {name: read_table(self.root / kind.stored) for name, kind in given.items()}


def open_store(root: str | Path) -> Store:
    """Open a prepared store after a cheap check of its version and its files' sizes.

    Raises InputError naming what is missing or damaged; the remedy is to run prepare again.
    """
    root = Path(root)
    path = root / MANIFEST
    if not path.is_file():
        state = "is not finished" if root.is_dir() else "does not exist"
        raise InputError(f"feature store {str(root)!r} {state} (no {MANIFEST}); re-run prepare.")
    manifest = read_json(path)
    if manifest is None or manifest.get("format") != FORMAT:
        raise InputError(f"{path} is not the manifest of a feature store; re-run prepare.")
    if manifest["version"] != VERSION:
        raise InputError(
            f"{path} has format version {manifest['version']}, this program reads "
            f"{VERSION}; re-run prepare."
        )
    for entry in manifest["series"]:
        check_sizes(root / entry["folder"], entry["bytes"])
    check_sizes(root, manifest["bytes"])
    return Store(root, manifest)


def prepare(
    data: str | Path,
    out: str | Path,
    phase: str,
    features: Sequence[str] = PREPARED,
    *,
    tz: str | None = None,
    drop_bad: bool = False,
    quiet: bool = False,
) -> Store:
    """Read a cohort, write its feature store, and say on stderr what was repaired.

    Args:
      data: folder with the competition's files (`raw.find_files`).
      out: folder of the store; created, continued or brought up to date.
      phase: ``train`` (with events) or ``test``.
      features: names of the features to store; the others are made where they are used.
      tz: zone of timestamps without UTC offset.
      drop_bad: leave out series and nights that cannot be used, and list them, instead of raising.

    Raises InputError for inputs that cannot be used, or an ``out`` that holds something else.
    """
    names = check_names(features)
    if outside := custom.names(names):
        raise InputError(
            f"feature {outside[0]!r} is user-defined: it need not be prepared, training computes "
            "it. Leave it out here."
        )
    files = raw.find_files(data, phase)
    out = Path(out)
    if files.series[0].resolve().is_relative_to(out.resolve()):
        raise InputError(
            f"{out} holds the recordings that are read, and a store's folder holds nothing else; "
            "give another folder for the store."
        )
    paths = [p for p in (*files.series, files.events, *files.stretches.values()) if p]
    for path in paths:
        _check_readable(path)
    with ThreadPoolExecutor(1) as beside:
        inputs = beside.submit(lambda: [_describe(p) for p in paths])  # while rows are read
        settings = {
            "phase": phase,
            "simulated": files.simulated,
            "features": definitions(names),
            "copied": definitions(["repeat"])["repeat"],
            "repair": repair_code(),
            "tz": tz,
            "drop_bad": drop_bad,
        }
        # Looked at before locking, and again after waiting for another process that did the same.
        if not (store := _finished(out, settings, inputs)):
            with locked(out):
                if not (store := _finished(out, settings, inputs)):
                    return _write(files, out, settings, inputs, quiet=quiet)
    qc.say(f"{out}: up to date with {data}, nothing to do.", quiet)
    return store


def _write(
    files: raw.CohortFiles, out: Path, settings: dict, inputs: Future[list], *, quiet: bool
) -> Store:
    """Write what is missing or differs, and say what was written and repaired."""
    _check_kind(out, files.simulated)
    try:
        if (out / MANIFEST).exists():
            qc.say(f"{out}: inputs or settings changed, bringing the store up to date.", quiet)
            (out / MANIFEST).unlink()
        written = writing.write_store(files, out, settings, inputs, quiet=quiet)
    except OSError as error:
        raise InputError(f"cannot write the feature store {str(out)!r}: {error}.") from error
    store = open_store(out)
    metas = [store.meta(series_id) for series_id in store.series_ids]
    steps = sum(meta.n_steps for meta in metas)
    counts = f"{written} series written, {len(metas) - written} were there already."
    qc.say(f"{out}: {len(metas)} series of {steps:,} steps; {counts}", quiet)
    for line in qc.summary(metas, store.manifest):
        qc.say(line, quiet)
    return store


def _check_readable(path: Path) -> None:
    """Raise InputError for a folder, OSError for a file that may not be read."""
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; give the file itself.")
    path.open("rb").close()


def _describe(path: Path) -> dict:
    """Name, size and content hash of an input file."""
    return {"name": path.name, "size": path.stat().st_size, "sha256": file_hash(path)}


def _check_kind(out: Path, simulated: bool) -> None:
    """Raise InputError where recordings of people and simulated ones would replace each other."""
    before = (read_json(out / MANIFEST) or {}).get("simulated", simulated)
    if before != simulated:
        kinds = {True: "simulated recordings", False: "recordings of people"}
        raise InputError(
            f"{out} was prepared from {kinds[before]}; give another folder for {kinds[simulated]}, "
            "or remove it first."
        )


def _finished(out: Path, settings: dict, inputs: Future[list]) -> Store | None:
    """The store in ``out`` if it is complete, undamaged and made from the same inputs."""
    manifest = read_json(out / MANIFEST)
    if manifest is None or manifest.get("settings") != settings | {"inputs": inputs.result()}:
        return None
    try:
        return open_store(out)
    except InputError:
        return None
