"""Worker: one input becomes one stored result, in a process that keeps the model for the next."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from sleepjax.data import qc
from sleepjax.data.raw import recordings_from_frame
from sleepjax.data.recording import Recording
from sleepjax.devices import Converted, recordings
from sleepjax.devices.series import until_fault
from sleepjax.io import file_hash, write_table
from sleepjax.nights import (
    nights_table,
    people_table,
    recordings_table,
    scored,
    write_person_report,
)
from sleepjax.processing import results
from sleepjax.processing.inputs import Input, printable
from sleepjax.processing.recipe import Identity, Settings, made_with
from sleepjax.processing.results import DONE, FAILED, PARTIAL, Outcome
from sleepjax.types import InputError

if TYPE_CHECKING:
    from sleepjax.predict import Found, Predictor

TOGETHER = 16
"""Recordings of a file that are held in memory at once."""
NIGHTS_FILE, RECORDINGS_FILE = "nights.parquet", "recordings.parquet"


@dataclass(frozen=True)
class Task:
    """What a worker needs besides the input; callable, so that it can be sent to a process."""

    settings: Settings
    identity: Identity
    simulated: bool
    """Whether the weights were trained on simulated people."""
    out: Path
    workplace: Path
    """Folder for unfinished results."""
    jobs: int = 1
    """Processes that may read one device file."""

    def __call__(self, one: Input) -> Outcome:
        """The outcome of an input; what is wrong with it stands there, and is never raised."""
        begin, sha256 = time.monotonic(), ""
        try:
            if one.fault:
                raise InputError(one.fault)
            before = _state_of(one.path)
            sha256 = file_hash(one.path)
            return process(one, self, sha256, before)
        except (InputError, OSError) as error:
            reason = printable(str(error)).removeprefix(f"{printable(one.path.name)}: ")
        except MemoryError:
            reason = "not enough memory; fewer --jobs need less"
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
            said = printable(" ".join(str(error).split()))[:300]
            reason = f"{what}: {said}. This is a bug in sleepjax; please report it"
        seconds = round(time.monotonic() - begin, 3)
        return Outcome(one.name, FAILED, reason, sha256, seconds=seconds)


@cache
def model(workdir: str | None) -> Predictor:
    """The model of a process, loaded once; JAX keeps compiled programs for all processes."""
    from sleepjax.predict import load
    from sleepjax.runs.runtime import keep_freed_memory, use_compilation_cache

    keep_freed_memory()
    use_compilation_cache()
    return load(workdir)


@dataclass(frozen=True)
class ModelFacts:
    """What is said of the weights before anything is processed."""

    weights: str
    """`member.model_hash`."""
    simulated: bool
    warnings: tuple[str, ...]
    model: dict[str, Any]
    """Of `provenance.of_model`."""


@cache
def model_facts(workdir: str | None) -> ModelFacts:
    """Facts of the weights; raises InputError where they cannot be loaded."""
    from sleepjax import provenance
    from sleepjax.member import model_hash

    predictor = model(workdir)
    return ModelFacts(
        model_hash(predictor.members, predictor.post),
        bool(predictor.run["simulated"]),
        tuple(predictor.warnings),
        provenance.of_model(predictor),
    )


def process(one: Input, task: Task, sha256: str, before: tuple[int, ...]) -> Outcome:
    """Read the input, find sleep, store the result; or give what is stored already.

    Raises InputError where nothing of it can be used, or the file is no longer as `_state_of` said
    ``before`` its hash was computed.
    """
    begin = time.monotonic()
    key = results.key(sha256, one.name, task.identity.hash)
    stored = results.read(task.out, key)
    if stored is not None:
        return replace(stored, name=one.name)
    if model_facts(task.settings.workdir).weights != task.identity.weights:
        raise InputError("the weights were changed after processing began; run again")
    with results.written(task.out, key, task.workplace) as folder:
        outcome = _tables(one, task, folder)
        if _state_of(one.path) != before:
            raise InputError("it changed while it was read; run again when it is complete")
        seconds = round(time.monotonic() - begin, 3)
        outcome = replace(outcome, sha256=sha256, key=key, seconds=seconds)
        results.write_outcome(folder, outcome)
    return outcome


def _said(reason: str, one: Input) -> str:
    """A reason without the name of the file, which stands beside it."""
    return printable(reason).removeprefix(f"{printable(one.path.name)}: ")


def _state_of(path: Path) -> tuple[int, ...]:
    """Inode, size and time of the last change."""
    facts = os.stat(path)
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _tables(one: Input, task: Task, folder: Path) -> Outcome:
    """Write the tables and reports of one input into a folder."""
    nights, rows, faults, reports, metas = [], [], [], [], []
    for part in _each(one.path, task):
        if isinstance(part, InputError):
            faults.append(_said(str(part), one))
            continue
        converted, found = part
        of = scored(found.recording, found.probabilities, found.windows, converted.nonwear)
        about = converted.quality
        nights.append(nights_table(of, quality=about, min_hours=task.settings.min_hours))
        rows.append(recordings_table(of, quality=about))
        metas.append(found.recording.meta)
        if about.get("partial"):
            notes = "; ".join(about.get("notes", []))
            faults.append(printable(f"read in part: {notes}"))
        if task.settings.reports:
            reports.append(f"report-{len(reports)}.html")
            write_person_report(
                folder / reports[-1],
                of,
                nights=nights[-1],
                people=people_table(nights[-1], rows[-1]),
                quality=about,
                made_with=made_with(task.identity, task.simulated),
            )
    if not rows:
        raise InputError(faults[0] if faults else "it holds no recording")
    recordings = pl.concat(rows)
    write_table(folder / NIGHTS_FILE, pl.concat(nights))
    write_table(folder / RECORDINGS_FILE, recordings)
    return Outcome(
        one.name,
        PARTIAL if faults else DONE,
        "; ".join([*faults, *map(printable, qc.clocks(metas))]),
        series=tuple(recordings["series_id"]),
        nights=sum(map(len, nights)),
        days=round(float(recordings["days"].sum()), 4),
        reports=tuple(reports),
    )


def _each(path: Path, task: Task) -> Iterator[tuple[Converted, Found] | InputError]:
    """What was read of each recording with what was found in it, or why it cannot be used.

    `TOGETHER` recordings at a time, whose windows share batches.
    """
    source = _read(path, task.settings, task.jobs)
    while group := list(islice(source, TOGETHER)):
        read = [part if isinstance(part, InputError) else part[1] for part in group]
        found = model(task.settings.workdir).find_each(read, fitted=True)
        for part, one in zip(group, found, strict=True):
            if isinstance(part, InputError):
                yield part
            else:
                yield one if isinstance(one, InputError) else (part[0], one)


def _read(
    path: Path, settings: Settings, jobs: int
) -> Iterator[tuple[Converted, Recording] | InputError]:
    """Every recording of a file, or why it cannot be used."""
    source = recordings(
        path,
        tz=settings.tz,
        device_tz=settings.device_tz,
        columns=settings.columns,
        units=settings.units,
        lenient=settings.lenient,
        jobs=jobs,
    )
    for converted in until_fault(source, lambda one: str(one.frame["series_id"][0])):
        if isinstance(converted, InputError):
            yield converted
            continue
        try:
            (recording,) = recordings_from_frame(converted.frame, tz=settings.tz, source=path.name)
            yield converted, recording
        except InputError as error:
            yield error
