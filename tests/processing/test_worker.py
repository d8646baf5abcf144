"""One input becomes one stored result: what is wrong is said, what is there is not made again."""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import polars as pl
import pytest
from ml_collections import ConfigDict
from polars.testing import assert_frame_equal

from sleepjax.processing import results, worker
from sleepjax.processing.inputs import Input
from sleepjax.processing.recipe import Settings, identity
from sleepjax.processing.results import DONE, FAILED, PARTIAL
from sleepjax.processing.run import told
from sleepjax.processing.worker import Task, model, model_facts
from tests.reference.series import rows, with_value
from tests.support.recordings import nightly


@pytest.fixture
def task(tmp_path) -> Task:
    """With the released weights, and without reports."""
    settings = Settings(reports=False)
    same = identity(settings, model_facts(None).weights)
    return Task(settings, same, False, tmp_path / "out", tmp_path / "new")


def an_input(path: Path, name: str = "") -> Input:
    return Input(path, name or path.name)


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Path:
    """A file with a day of one series."""
    path = tmp_path_factory.mktemp("day") / "day.parquet"
    rows(17_280).write_parquet(path)
    return path


def stored(task) -> list[Path]:
    return sorted(path.parent for path in task.out.rglob(results.RESULT))


def test_a_result_has_tables_and_is_found_again(task, day, monkeypatch):
    outcome = task(an_input(day))
    assert (outcome.state, outcome.reason, outcome.series, outcome.days) == (DONE, "", ("a1",), 1)
    (folder,) = stored(task)
    assert folder == results.folder(task.out, outcome.key)
    nights = pl.read_parquet(folder / "nights.parquet")
    assert len(nights) == outcome.nights and set(nights["series_id"]) == {"a1"}
    assert pl.read_parquet(folder / "recordings.parquet")["days"].to_list() == [1.0]
    monkeypatch.setattr(worker, "_tables", None)  # nothing is computed from here on
    assert task(an_input(day)) == outcome
    assert task(an_input(day, "other/day.parquet")) == replace(outcome, name="other/day.parquet")


def test_a_report_says_what_it_was_made_with(task, day):
    task = replace(task, settings=replace(task.settings, reports=True))
    outcome = task(an_input(day))
    page = (results.folder(task.out, outcome.key) / outcome.reports[0]).read_text()
    assert task.identity.weights[:16] in page and "a1" in page


def test_another_file_name_or_setting_is_another_result(task, day, tmp_path):
    copy = shutil.copy(day, tmp_path / "copy.parquet")
    other = replace(task, identity=replace(task.identity, settings="other"))
    keys = {task(an_input(day)).key, task(an_input(copy)).key, other(an_input(day)).key}
    assert len(keys) == 3 == len(stored(task))


def test_a_clock_that_was_never_set_is_said_of_a_file_that_is_used(task, tmp_path):
    path, said = tmp_path / "day.csv", []
    rows(17_280, start=datetime(1970, 1, 1, tzinfo=UTC), offset=0).write_csv(path)
    outcome = task(an_input(path))
    assert outcome.state == DONE and outcome.nights and "a1 (1970-01-01 00:00)" in outcome.reason
    progress: Any = SimpleNamespace(say=said.append, advance=lambda: None)
    told(outcome, progress)
    assert said == [f"day.csv: done: {outcome.reason}"]
    assert outcome.reason.startswith("WARNING: clock probably never set")


def test_series_that_cannot_be_used_leave_the_others(task, tmp_path):
    path = tmp_path / "three.csv"
    bad = with_value(rows(2000, "b", enmo=[90.0] * 2000), "enmo", 3, 80.0)
    pl.concat([rows(17_280, "a"), bad, rows(17_280, "c")]).write_csv(path)
    outcome = task(an_input(path))
    assert outcome.state == PARTIAL and outcome.series == ("a", "c")
    assert "series 'b'" in outcome.reason and "1000" in outcome.reason


def test_recordings_of_a_file_share_batches_and_are_found_as_alone(task, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "TOGETHER", 3)
    parts = [nightly(name, seed=seed) for seed, name in enumerate("abcde")]
    bad = parts[1].with_columns(enmo=parts[1]["enmo"] * 1000)
    pl.concat([parts[0], bad, *parts[2:]]).write_parquet(tmp_path / "all.parquet")
    outcome = task(an_input(tmp_path / "all.parquet"))
    assert outcome.state == PARTIAL and outcome.series == ("a", "c", "d", "e")
    found = pl.read_parquet(results.folder(task.out, outcome.key) / "nights.parquet")
    for name, part in zip("acde", [parts[0], *parts[2:]], strict=True):
        part.write_parquet(tmp_path / f"{name}.parquet")
        key = task(an_input(tmp_path / f"{name}.parquet")).key
        alone = pl.read_parquet(results.folder(task.out, key) / "nights.parquet")
        assert alone["kind"].to_list().count("main") >= 1
        assert_frame_equal(found.filter(series_id=name), alone, abs_tol=1e-4)


def test_what_cannot_be_used_fails_and_leaves_nothing(task, tmp_path, day, monkeypatch):
    (tmp_path / "empty.csv").write_text("")
    outcome = task(an_input(tmp_path / "empty.csv"))
    assert outcome.state == FAILED and "empty" in outcome.reason and not outcome.key
    assert "No such file" in task(an_input(tmp_path / "gone.csv")).reason
    refused = Input(tmp_path, "pipe", "it is not a regular file")
    assert task(refused).reason == "it is not a regular file"

    def broken(*_):
        raise KeyError("snap")

    monkeypatch.setattr(worker, "_tables", broken)
    outcome = task(an_input(day))
    assert outcome.reason.startswith("KeyError at test_worker.py:") and "bug" in outcome.reason
    monkeypatch.setattr(worker, "_tables", lambda *_: bytearray(1 << 60))
    assert task(an_input(day)).reason == "not enough memory; fewer --jobs need less"
    assert not stored(task) and not list(task.workplace.iterdir())


def test_a_file_that_changes_while_it_is_read_is_no_result(task, day, tmp_path, monkeypatch):
    path = Path(shutil.copy(day, tmp_path / "growing.parquet"))
    tables = worker._tables

    def grown(*arguments):
        outcome = tables(*arguments)
        os.utime(path, ns=(1, 1))
        return outcome

    monkeypatch.setattr(worker, "_tables", grown)
    outcome = task(an_input(path))
    assert outcome.state == FAILED and not stored(task)
    assert outcome.reason == "it changed while it was read; run again when it is complete"
    monkeypatch.undo()
    assert task(an_input(path)).state == DONE


def test_weights_that_changed_are_not_used(task, day):
    other = replace(task, identity=replace(task.identity, weights="0" * 64))
    assert "the weights were changed after processing began" in other(an_input(day)).reason


def test_two_processes_with_the_same_result_keep_the_first(task, day):
    with results.written(task.out, "ab12", task.workplace) as late:
        with results.written(task.out, "ab12", task.workplace.with_name("new2")) as early:
            results.write_outcome(early, results.Outcome("early", DONE))
        results.write_outcome(late, results.Outcome("late", DONE))
    found = results.read(task.out, "ab12")
    assert found and found.name == "early" and not list(task.workplace.iterdir())


def test_the_hash_of_the_weights_is_of_what_is_used(monkeypatch):
    released, first = model_facts(None), model(None).members[0]
    assert released.simulated and "trained on SIMULATED data" in released.warnings[0]
    longer: Any = ConfigDict(first.config.to_dict())
    longer.eval.trim += 1
    bent = jax.tree.map(lambda array: array * (1 + 1e-6), first.variables)
    hashes = {released.weights}
    whole = model(None)
    for predictor in (
        replace(whole, members=(replace(first, variables=bent), *whole.members[1:])),
        replace(whole, members=(replace(first, config=longer), *whole.members[1:])),
        replace(whole, post=whole.post | {"height": 0.5}),
    ):
        monkeypatch.setattr(worker, "model", lambda _, predictor=predictor: predictor)
        hashes.add(model_facts.__wrapped__(None).weights)
    assert len(hashes) == 4
