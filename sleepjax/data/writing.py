"""Writing of a feature store: streaming, two series at a time, every file put in place whole.

A series counts as done once its ``series.json`` stands, the store once its manifest stands.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sleepjax.data import events as event_files
from sleepjax.data import features, raw, stretches
from sleepjax.data import store_files as disk
from sleepjax.data.compact import true_runs
from sleepjax.data.derived import with_features
from sleepjax.data.recording import SIGNALS, Recording
from sleepjax.io import replacing, write_json, write_table
from sleepjax.progress import Progress
from sleepjax.threads import in_order
from sleepjax.types import InputError, SeriesMeta


def write_store(
    files: raw.CohortFiles, out: Path, settings: Mapping, inputs: Future[list], *, quiet: bool
) -> int:
    """Write what is missing of every series, the events and, last, the manifest.

    ``inputs`` tells the input files apart, once they are hashed.
    Returns the number of series written; the others were there already.
    """
    total, drop_bad = 0 if quiet else raw.count_rows(files.series), settings["drop_bad"]
    counts, events = Counter(), None
    if files.events:  # before hours of work
        events = event_files.read_events(files.events, drop_bad=drop_bad, counts=counts)
    known = {
        kind: stretches.read_stretches(path, kind, drop_bad=drop_bad)
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
    metas = {entry["series_id"]: SeriesMeta.of(entry) for entry in entries}
    how = {"left_out": skipped, "drop_bad": drop_bad, "counts": counts}
    tables = {}
    if files.events and events is not None:
        source, tz = files.events.name, settings["tz"]
        events = event_files.locate_events(events, metas, source=source, tz=tz, **how)
        counts["n_series_without_events"] = len(set(metas) - set(events["series_id"]))
        tables[disk.EVENTS] = events
    for kind, table in known.items():
        tables[stretches.KINDS[kind].stored] = stretches.locate_stretches(table, metas, kind, **how)
    for name, table in tables.items():
        write_table(out / name, table)
    sizes = {name: (out / name).stat().st_size for name in tables}
    disk.remove_others(out, {entry["folder"] for entry in entries} | {disk.LOCK, *sizes})
    manifest = {
        "format": disk.FORMAT,
        "version": disk.VERSION,
        "phase": settings["phase"],
        "simulated": settings["simulated"],
        "features": list(settings["features"]),
        "normalisers": features.NORMALISERS,
        "event_counts": dict(counts),
        "skipped": skipped,
        "settings": {**settings, "inputs": inputs.result()},
        "bytes": sizes,
        "series": entries,
    }
    write_json(out / disk.MANIFEST, manifest)
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
    record = folder / disk.RECORD
    found = disk.read_json(record) or {}
    sizes = found.pop("bytes", {})
    there = found == identity and _intact(folder, sizes)
    if not there:
        sizes = _write_arrays(folder, with_features(recording, tuple(fingerprints)))
        write_json(record, identity | {"bytes": sizes})
    return identity | {"bytes": sizes | {disk.RECORD: record.stat().st_size}}, not there


def _write_arrays(folder: Path, recording: Recording) -> dict[str, int]:
    """Write the arrays of a recording, and nothing else, to a folder. Returns {file: bytes}."""
    folder.mkdir(exist_ok=True)
    disk.remove_others(folder)
    arrays = {**recording.features, "valid": recording.valid}
    arrays |= {f"signal_{name}": recording.signals[name] for name in SIGNALS}
    sizes = {}
    for name, values in arrays.items():
        with replacing(folder / f"{name}.npy") as path, path.open("wb") as file:
            np.save(file, np.asarray(values))
            sizes[f"{name}.npy"] = file.tell()
    return sizes


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
