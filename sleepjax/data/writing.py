"""Writing of a feature store: streaming, two series at a time, every file put in place whole.

A series counts as done once its ``series.json`` stands, the store once its manifest stands.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.data import events as event_files
from sleepjax.data import features, raw, stretches
from sleepjax.data import store_files as disk
from sleepjax.data.compact import true_runs
from sleepjax.data.derived import with_features
from sleepjax.data.recording import SIGNALS, Recording
from sleepjax.io import replacing, write_table
from sleepjax.progress import Progress
from sleepjax.threads import in_order
from sleepjax.types import InputError, SeriesMeta


def write_store(files: raw.CohortFiles, out: Path, settings: Mapping, *, quiet: bool) -> int:
    """Write what is missing of every series, the events and, last, the manifest.

    Returns the number of series written; the others were there already.
    """
    total = 0 if quiet else raw.count_rows(files.series)
    events, counts = _read_events(files, settings["drop_bad"])  # before hours of work
    known = {
        kind: stretches.read_stretches(path, kind, drop_bad=settings["drop_bad"])
        for kind, path in files.stretches.items()
    }
    entries, skipped, written = [], {}, 0
    with nullcontext() if quiet else Progress(total, "prepare", "rows") as progress:
        for series_id, n_rows, outcome in _outcomes(files, out, settings):
            if isinstance(outcome, InputError):
                skipped[series_id] = str(outcome)
            else:
                entries.append(outcome[0])
                written += outcome[1]
            if progress:
                progress.note = f"{len(entries)} series"
                progress.advance(n_rows)
    if not entries:
        raise InputError(f"no series can be used; the first: {next(iter(skipped.values()))}")
    sizes = _write_events(events, counts, files, out, settings, entries, skipped)
    for kind, table in known.items():
        sizes |= _write_stretches(kind, table, counts, out, settings, entries, skipped)
    disk.remove_others(out, {entry["folder"] for entry in entries} | {disk.LOCK, *sizes})
    manifest = {
        "format": disk.FORMAT,
        "version": disk.VERSION,
        "phase": settings["phase"],
        "simulated": settings["simulated"],
        "features": list(settings["features"]),
        "dtypes": dict.fromkeys(settings["features"], "float32") | {"valid": "bool"},
        "normalisers": features.NORMALISERS,
        "enmo_clip": features.ENMO_CLIP,
        "event_counts": dict(counts),
        "skipped": skipped,
        "settings": settings,
        "bytes": sizes,
        "series": entries,
    }
    disk.write_json(out / disk.MANIFEST, manifest)
    return written


def _outcomes(files: raw.CohortFiles, out: Path, settings: Mapping) -> Iterator[tuple]:
    """(id, rows read, (entry, written) or InputError) in file order, a few series ahead."""

    def work(rows: raw.Rows) -> tuple:
        try:
            found = _write_series(rows.recording(settings["tz"]), out, settings["features"])
        except InputError as error:
            if not settings["drop_bad"]:
                raise
            found = error
        return rows.series_id, rows.frame.height, found

    return in_order(work, raw.iter_rows(files.series))


def _write_series(recording: Recording, out: Path, fingerprints: Mapping) -> tuple[dict, bool]:
    """Write one series unless its folder holds exactly this; (manifest entry, whether written)."""
    folder = out / disk.folder_name(recording.meta.series_id)
    identity = asdict(recording.meta) | {
        "folder": folder.name,
        "content": _content_hash(recording),
        "copied": true_runs(np.asarray(recording.copied)).tolist(),
        "fingerprints": fingerprints,
    }
    identity = json.loads(json.dumps(identity))  # tuples become lists, as in the file
    found = disk.read_json(folder / disk.RECORD) or {}
    sizes = found.pop("bytes", {})
    if found == identity and _intact(folder, sizes):
        sizes[disk.RECORD] = (folder / disk.RECORD).stat().st_size
        return identity | {"bytes": sizes}, False

    folder.mkdir(exist_ok=True)
    disk.remove_others(folder)
    arrays = dict(with_features(recording, tuple(fingerprints)).features)
    arrays |= {"valid": recording.valid}
    arrays |= {f"signal_{name}": recording.signals[name] for name in SIGNALS}
    sizes = {}
    for name, values in arrays.items():
        with replacing(folder / f"{name}.npy") as path, path.open("wb") as file:
            np.save(file, np.asarray(values))
            sizes[f"{name}.npy"] = file.tell()
    record_size = disk.write_json(folder / disk.RECORD, identity | {"bytes": sizes})
    return identity | {"bytes": sizes | {disk.RECORD: record_size}}, True


def _intact(folder: Path, sizes: Mapping[str, int]) -> bool:
    try:
        disk.check_sizes(folder, sizes)
    except InputError:
        return False
    return True


def _content_hash(recording: Recording) -> str:
    """Hash of the signals and their validity, not of the series' name."""
    digest = hashlib.sha256()
    for values in (*(recording.signals[name] for name in SIGNALS), recording.valid):
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _read_events(files: raw.CohortFiles, drop_bad: bool) -> tuple[pl.DataFrame | None, Counter]:
    """The event file of phase train and what was counted in it."""
    counts: Counter = Counter()
    if not files.events:
        return None, counts
    return event_files.read_events(files.events, drop_bad=drop_bad, counts=counts), counts


def _write_events(
    events: pl.DataFrame | None,
    counts: Counter,
    files: raw.CohortFiles,
    out: Path,
    settings: Mapping,
    entries: list,
    skipped: Mapping,
) -> dict[str, int]:
    """Write the events of phase train in the numbering of the recordings. Returns {file: bytes}."""
    if events is None or not files.events:
        return {}
    metas = {entry["series_id"]: SeriesMeta.of(entry) for entry in entries}
    events = event_files.locate_events(
        events,
        metas,
        source=files.events.name,
        left_out=skipped,
        tz=settings["tz"],
        drop_bad=settings["drop_bad"],
        counts=counts,
    )
    counts["n_series_without_events"] = len(set(metas) - set(events["series_id"]))
    return _written(out / disk.EVENTS, events)


def _write_stretches(
    kind: str,
    table: pl.DataFrame,
    counts: Counter,
    out: Path,
    settings: Mapping,
    entries: list,
    skipped: Mapping,
) -> dict[str, int]:
    """Write the rows of a stretch file that fit the recordings. Returns {file: bytes}."""
    located = stretches.locate_stretches(
        table,
        {entry["series_id"]: SeriesMeta.of(entry) for entry in entries},
        kind,
        left_out=skipped,
        drop_bad=settings["drop_bad"],
        counts=counts,
    )
    return _written(out / stretches.KINDS[kind].stored, located)


def _written(path: Path, table: pl.DataFrame) -> dict[str, int]:
    """Write a table of the store. Returns {file: bytes}."""
    write_table(path, table)
    return {path.name: path.stat().st_size}
