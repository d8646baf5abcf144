"""Every command over changed files, flags, settings and run directories: no surprise, no loss.

    pytest -m slow tests/fuzz -s                               # ten minutes
    SLEEPJAX_FUZZ_SECONDS=60 SLEEPJAX_FUZZ_SEED=7 pytest ...    # other cases
    SLEEPJAX_FUZZ_CASE=123 SLEEPJAX_FUZZ_SEED=7 pytest ...      # one of them again

A case is drawn from (seed, number) alone. Its command ends with a documented exit code and, unless
that is 0, a message of a few lines; it changes no file that it reads, and what it writes is valid.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import polars as pl
import pytest

from sleepjax.processing import worker
from sleepjax.tables import read_table
from tests.fuzz.changes import CHANGES, files
from tests.fuzz.lines import command_line
from tests.fuzz.results import check_result
from tests.support.processes import InThisProcess
from tests.support.scripts import script
from tests.support.watches import watch_files

SECONDS = float(os.environ.get("SLEEPJAX_FUZZ_SECONDS", 600))
SEED = int(os.environ.get("SLEEPJAX_FUZZ_SEED", 0))
CASE = os.environ.get("SLEEPJAX_FUZZ_CASE")
LONGEST = 180
"""Seconds that a case may take."""
MOST_LINES, MOST_CHARACTERS = 15, 3000
"""Of an error message."""
CODES = {
    **dict.fromkeys(("predict", "baseline", "plot", "process"), {0, 2, 3}),
    **dict.fromkeys(("train", "crossval"), {0, 2, 3}),
}
"""Documented exit codes; 0 and 2 where nothing else is said. Nobody sends a signal here."""
OUTPUTS = ("--out", "--html", "--figure", "--workdir")
WEIGHTS = {
    "predict": 10, "plot": 3, "evaluate": 8, "agreement": 5, "baseline": 6, "prepare_data": 8,
    "tune_postprocess": 3, "compare": 2, "release": 3, "simulate": 2, "train": 4, "sweep": 3,
    "crossval": 1, "process": 10,
}  # fmt: skip


class TookTooLongError(BaseException):
    """Raised in a case after `LONGEST` seconds."""


@dataclass(frozen=True)
class Case:
    """One command on one changed folder."""

    number: int
    command: str
    argv: list[str]
    changes: list[str]

    def __str__(self) -> str:
        return f"seed {SEED} case {self.number}: {self.command} {self.argv!r} after {self.changes}"


@pytest.fixture(scope="module")
def origin(project, cohort, tmp_path_factory) -> Path:
    """A folder with what every command reads; cases get copies of it at one and the same place."""
    folder = tmp_path_factory.mktemp("fuzz") / "case"
    (folder / "data").mkdir(parents=True)
    frame = pl.read_parquet(cohort / "train_series.parquet")
    ids = frame["series_id"].unique(maintain_order=True).to_list()
    for name in ("train_series.parquet", "train_events.csv", "train_nonwear.csv"):
        shutil.copy(cohort / name, folder / "data" / name)
    events = read_table(cohort / "train_events.csv", text=True)
    few = frame.filter(
        pl.col("series_id").is_in(ids[:2]), pl.int_range(pl.len()).over("series_id") < 20_000
    )
    few.write_parquet(folder / "rec.parquet")
    few.write_csv(folder / "rec.csv")
    events.filter(pl.col("series_id").is_in(ids[:2])).write_csv(folder / "truth.csv")
    watch_files(folder / "watch")
    names = "".join(f"{name},ann\n" for name in ids[:2])
    (folder / "people.csv").write_text(f"series_id,person\n{names}")
    (folder / "diary.csv").write_text(
        f"person,date,onset,wakeup\n{ids[0]},2018-08-14,23:00,07:00\nann,2018-08-14,,07:00\n"
    )
    config = f"{project}/configs/spec1d.py:tiny"
    run = lambda name, *argv: script(project, name).main(list(argv))
    with contextlib.chdir(folder):
        train = ("--config", config, "--config.data.root=data")
        assert run("train", *train, "--workdir", "run") == 0
        assert run("train", *train, "--workdir", "other", "--config.optim.lr=0.001") == 0
        assert run("predict", "--workdir", "run", "--series", "rec.csv", "--out", "found.csv") == 0
        tune = ("--workdir", "run", "--trials", "2", "--out", "post.json")
        assert run("tune_postprocess", *tune) == 0
        assert run("release", "--workdir", "run", "--out", "rel") == 0
        shutil.rmtree("found_figures")
    return folder.rename(folder.with_name("origin"))


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise TookTooLongError after `LONGEST` seconds."""

    def stop(number, frame):
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    return {
        str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest() for p in files(folder)
    }


def draw(number: int, folder: Path, config: str) -> Case:
    """Change the folder, and say what is to run in it."""
    rng = Random(f"{SEED}/{number}")
    command = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    argv = command_line(rng, command, config)
    wanted, changes = rng.choice((1, 1, 1, 2, 3)), []
    for _ in range(20):
        if len(changes) < wanted and argv:
            said = rng.choice(CHANGES)(rng, folder, argv)
            changes += [said] if said else []
    return Case(number, command, argv, changes)


def faults(case: Case, code: int, out: str, err: str, folder: Path, before: dict) -> Iterator[str]:
    """What the case did wrong."""
    if code not in CODES.get(case.command, {0, 2}) and not (code == 0):
        yield f"exit code {code}"
    if any(word in out + err for word in ("Traceback", "panicked", "is a bug in sleepjax")):
        yield "a traceback"
    message = err[err.rfind("error: ") :] if "error: " in err else err
    if case.command == "process":  # a line for each file is what it promises
        message = "\n".join(line for line in message.splitlines() if ": failed: " not in line)
    if code and (len(message.splitlines()) > MOST_LINES or len(message) > MOST_CHARACTERS):
        yield f"a message of {len(message.splitlines())} lines and {len(message)} characters"
    if code and not err.strip():
        yield "no message"
    after = contents(folder)
    changed = [name for name in before if after.get(name) != before[name]]
    wrong = [name for name in changed if not may_change(case, name)]
    if wrong:
        yield f"changed {wrong}"
    left = [name for name in after if name.endswith(".partial")]
    if left:
        yield f"left {left}"
    if code == 0 and not {"-h", "--print_config"} & set(case.argv):
        try:
            check_result(case.command, case.argv, out, folder)
        except Exception as error:
            yield f"result: {type(error).__name__}: {error}"


def may_change(case: Case, name: str) -> bool:
    """Whether an existing file is an output of the command, and no input of it."""
    words = list(zip(case.argv, case.argv[1:] + [""], strict=True))
    inputs = {
        os.path.normpath(v) for flag, v in words if flag.startswith("--") and flag not in OUTPUTS
    }
    outputs = [os.path.normpath(v) for flag, v in words if flag in OUTPUTS and v]
    if case.command in ("train", "crossval", "baseline", "plot") and "/prepared/" in name:
        return True  # a store is brought up to date with its recordings
    if case.command in ("train", "crossval"):
        return any(name.startswith(f"{folder}/") for folder in outputs)
    if case.command not in ("plot", "compare", "evaluate") and "--overwrite" not in case.argv:
        return False
    outputs = [os.path.normpath(v) for flag, v in words if flag in OUTPUTS[:-1] and v]
    return name not in inputs and any(
        name.startswith(out.rpartition(".")[0] or out) for out in outputs
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 2 * LONGEST + 300)
def test_commands_survive_what_strangers_give_them(project, origin, capfd, monkeypatch):
    config = f"{project}/configs/spec1d.py:tiny"
    mains = {name: script(project, name).main for name in WEIGHTS}
    monkeypatch.setattr("sleepjax.processing.engines.Local", InThisProcess)
    folder = origin.with_name("case")
    codes, failed = Counter(), []
    numbers = iter([int(CASE)]) if CASE else iter(range(10**9))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and (number := next(numbers, None)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(origin, folder)
        monkeypatch.chdir(folder)
        case = draw(number, folder, config)
        before = contents(folder)
        capfd.readouterr()
        worker.model.cache_clear()
        worker.model_facts.cache_clear()
        code, trouble = -1, ""
        try:
            with limited():
                code = mains[case.command](list(case.argv))
        except SystemExit as stopped:  # of argparse
            code = int(stopped.code or 0)
        except BaseException as error:
            trouble = "".join(traceback.format_exception(error)[-3:])
        out, err = capfd.readouterr()
        found = [trouble] if trouble else list(faults(case, code, out, err, folder, before))
        codes[case.command, code] += 1
        if codes.total() % 100 == 0:
            with capfd.disabled():
                print(f"{codes.total()} cases, {len(failed)} failed", flush=True)
        if found:
            failed.append(f"{case}\n  {'; '.join(found)}\n  {err[-600:]}")
            with capfd.disabled():
                print(failed[-1], flush=True)
    with capfd.disabled():
        print(f"\n{codes.total()} cases of seed {SEED}: {sorted(codes.items())}")
    assert not failed, f"{len(failed)} cases failed:\n" + "\n".join(failed[:10])
