"""A run of processing: inputs shared out to an engine, what became of them, the tables at the end.

A run is one shard of a number of shards; without shards it is the only one, and merges at once.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sleepjax import io, provenance, text
from sleepjax.data.store_files import read_json
from sleepjax.io import write_json
from sleepjax.lock import held
from sleepjax.processing import results
from sleepjax.processing.engines import Engine
from sleepjax.processing.inputs import LOCK, Input, Inputs
from sleepjax.processing.recipe import Identity, Settings, identity, made_with
from sleepjax.processing.results import DONE, DUPLICATE, FAILED, Outcome
from sleepjax.processing.worker import Task, model_facts
from sleepjax.progress import Progress
from sleepjax.stdio import warn
from sleepjax.types import InputError


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, from 1."""

    number: int = 1
    count: int = 1

    @property
    def name(self) -> str:
        """``"shard-003-of-100"``."""
        digits = len(str(self.count))
        return f"shard-{self.number:0{digits}}-of-{self.count}"


def run(
    inputs: Inputs,
    out: Path,
    settings: Settings,
    engine: Engine,
    shard: Shard,
    *,
    diary: pl.DataFrame | None,
    people: pl.DataFrame | None,
) -> int:
    """Process the inputs of a shard; exit code of the command.

    ``diary`` and ``people`` are for the tables, which are made where there are no shards.
    """
    folder = out / "results"
    check_folder(out, shard)
    folder.mkdir(parents=True, exist_ok=True)
    (out / LOCK).touch()
    state = f"being processed ({shard.name})"
    with held(folder / f".{shard.name}.lock", state=state, remedy="wait for it or stop it"):
        workplace = folder / f".{shard.name}"
        shutil.rmtree(workplace, ignore_errors=True)  # of a run that was killed
        facts = engine.ask(partial(model_facts, settings.workdir))
        for line in facts.warnings:
            warn(line)
        same = identity(settings, facts.weights)
        mine = inputs.shard(shard.number, shard.count)
        jobs = max(1, cpus() // max(1, len(mine)))  # several for a file where files are few
        task = Task(settings, same, facts.simulated, out, workplace, jobs)
        changes = changed(folder / f"{shard.name}.json", same)
        if changes:
            warn(f"{changes} changed since {out} was made: all files are processed anew.")
        outcomes = each(mine, task, engine)
        listed = {
            "identity": asdict(same),
            "inputs": inputs.hash,
            "simulated": facts.simulated,
            "record": facts.model,
            "outcomes": [asdict(one) for one in outcomes],
        }
        write_json(folder / f"{shard.name}.json", listed)
        shutil.rmtree(workplace, ignore_errors=True)
    if shard.count > 1:
        print(f"{shard.name}: {counted(outcomes)}; --merge makes the tables of all shards")
        return exit_code(outcomes)
    return merge(out, diary=diary, people=people)


def cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_folder(out: Path, shard: Shard) -> None:
    """Raise InputError where the folder holds something else, or other shards."""
    io.check_folder("--out", out)
    if out.is_dir() and any(out.iterdir()) and not (out / LOCK).exists():
        raise InputError(f"--out {str(out)!r} holds other files; give a new or an empty folder.")
    for path in (out / "results").glob("shard-*-of-*.json"):
        count = int(path.stem.rpartition("-")[2])
        if count not in (1, shard.count):
            this = "this has none" if shard.count == 1 else f"this is one of {shard.count}"
            raise InputError(
                f"{path} is of {count} shards, {this}; give --shard N/{count} and then --merge, "
                "delete that file if it is of an earlier try, or give another --out."
            )


def changed(listing: Path, now: Identity) -> str:
    """Which parts of the identity in the list of an earlier run differ, ``"code, weights"``."""
    before = (read_json(listing) or {}).get("identity", {})
    same = lambda name, value: before.get(name, value) == value
    return ", ".join(name for name, value in asdict(now).items() if not same(name, value))


def each(inputs: Sequence[Input], task: Task, engine: Engine) -> list[Outcome]:
    """What became of each input, said while it happens; those with a fault need no process."""
    outcomes = [Outcome(one.name, FAILED, one.fault) for one in inputs if one.fault]
    whole = [one for one in inputs if not one.fault]
    with Progress(len(inputs), "process", "files") as progress:
        for outcome in outcomes:
            told(outcome, progress)
        for outcome in engine.outcomes(whole, task):
            outcomes.append(outcome)
            told(outcome, progress)
    return outcomes


def told(outcome: Outcome, progress: Progress) -> None:
    """Show one outcome: a line where there is something to say, and the count."""
    if outcome.state != DONE or outcome.reason:
        progress.say(f"{outcome.name}: {outcome.state}: {outcome.reason}")
    progress.advance()


def merge(out: Path, *, diary: pl.DataFrame | None, people: pl.DataFrame | None) -> int:
    """Put the results of all shards together; exit code of the command.

    ``diary`` is of `nights.read_diary`, ``people`` of `nights.read_people`.
    Raises InputError where one is missing, or they do not belong together.
    """
    from sleepjax.processing import outputs

    shards = read_shards(out)
    with held(out / LOCK, state="being merged", remedy="wait for it"):
        found = [results.from_json(one) for shard in shards.values() for one in shard["outcomes"]]
        first = next(iter(shards.values()))
        made = made_with(Identity(**first["identity"]), first["simulated"])
        outcomes = outputs.write(out, found, made, diary=diary, people=people)
        facts = provenance.of_prediction(
            first["record"],
            code=made["code"],
            settings=made["settings"],
            zone=made["settings"]["tz"],
            inputs=[{"name": one.name, "sha256": one.sha256} for one in outcomes if one.sha256],
            series=sum(len(one.series) for one in outcomes),
        )
        write_json(out / "provenance.json", facts)
    print(f"{counted(outcomes)}; tables: {out}")
    if unused := results.unused(out, {one.key for one in outcomes}):
        print(
            f"not in these tables: {text.counted(unused, 'earlier result')} in {out / 'results'}, "
            "of other files, settings, weights or code."
        )
    return exit_code(outcomes)


def read_shards(out: Path) -> dict[str, dict[str, Any]]:
    """Name -> contents of the list of each shard, checked."""
    paths = sorted((out / "results").glob("shard-*-of-*.json"))
    counts = {int(path.stem.rpartition("-")[2]) for path in paths}
    several = counts - {1} or counts
    if not several:
        raise InputError(f"{out} holds no results of a shard; run with --shard N/COUNT first.")
    (count,) = several
    shards = {}
    for number in range(1, count + 1):
        name = Shard(number, count).name
        path = out / "results" / f"{name}.json"
        if not path.exists():
            raise InputError(f"{out}: {name} is not finished; run --shard {number}/{count} again.")
        contents = read_json(path)
        if contents is None:
            raise InputError(f"{path} is damaged; run --shard {number}/{count} again.")
        shards[name] = contents
    first, *others = shards
    for name in others:
        for what in ("identity", "inputs"):
            if shards[name][what] != shards[first][what]:
                raise InputError(
                    f"{out}: {name} has other {what} than {first}; run both again with the same "
                    "files, settings and version; finished files are not processed again."
                )
    return shards


def counted(outcomes: Sequence[Outcome]) -> str:
    """``"178 done, 2 partial, 20 failed"``."""
    states = Counter(one.state for one in outcomes)
    return ", ".join(f"{number} {state}" for state, number in states.most_common()) or "no files"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 all, 3 some failed, 2 none could be used."""
    bad = [one for one in outcomes if one.state not in (DONE, DUPLICATE)]
    none = bad and all(one.state == FAILED for one in outcomes)
    return 2 if none else 3 if bad else 0
