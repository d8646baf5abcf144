"""The loop: learns, repeats, resumes bit for bit, stops when told to, and says what is wrong."""

import json
import os
import signal

import jax
import pytest
from ml_collections import ConfigDict

from sleepjax.data import source
from sleepjax.experiments import dry_run
from sleepjax.runs import log, stop
from sleepjax.runs.runtime import AS_USUAL
from sleepjax.training import loop
from sleepjax.types import InputError
from tests.support.runs import final_state, leaves_equal, without_pictures


def lines_without_speed(workdir):
    drop = lambda row: {k: v for k, v in row.items() if "per_second" not in k and "wait" not in k}
    return [drop(row) for row in log.read_metrics(workdir)]


def test_a_run_directory_is_complete(finished):
    names = {p.name for p in finished.workdir.iterdir()}
    assert {"config.json", "run.json", "metrics.jsonl", "tensorboard", "checkpoints"} <= names
    run = json.loads((finished.workdir / "run.json").read_text())
    assert run["simulated"] is True and finished.simulated
    assert not set(run["train_series"]) & set(run["valid_series"])
    assert run["versions"]["jax"] == jax.__version__
    rows = log.read_metrics(finished.workdir)
    written = {key for row in rows for key in row}
    assert {
        "step", "train/loss", "train/grad_norm", "train/lr", "train/steps_per_second",
        "train/windows_per_second", "valid/loss", "valid/event_ap", "valid/event_ap/onset@36",
    } <= written  # fmt: skip
    assert [row["step"] for row in rows if "valid/loss" in row] == [2, 4]
    assert finished.metrics["event_ap"] == loop.row_at(rows, 4)["valid/event_ap"]


def test_figures_of_the_end(finished):
    run = json.loads((finished.workdir / "run.json").read_text())
    names = {path.stem for path in finished.figures}
    assert names == {"learning_curve", "precision_recall"} | {
        f"nights_{series}" for series in run["valid_series"]
    }
    for path in finished.figures:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5_000


# At step 2 a validation is due: the run stops before it and begins with it again.
@pytest.mark.parametrize("number, at", [(signal.SIGTERM, 2), (signal.SIGUSR1, 3)])
def test_a_signal_saves_and_the_resumed_run_equals_the_whole_one(
    finished, tiny_config, tmp_path, monkeypatch, number, at
):
    original = loop.Profile.at

    def signalling(self, step, wait_for):
        if step == at - 1:
            os.kill(os.getpid(), number)
        return original(self, step, wait_for)

    monkeypatch.setattr(loop.Profile, "at", signalling)
    with pytest.raises(stop.Interrupted, match=f"{number.name} at step {at} of 4"):
        loop.run(tiny_config(), tmp_path / "run")
    assert final_state(tmp_path / "run")[0] == at
    page = tmp_path / "run" / "report.html"
    assert page.exists() == (at > 2)  # after every validation, not at the end only
    assert at == 2 or "run, step 2, simulated data" in page.read_text()
    monkeypatch.setattr(loop.Profile, "at", original)
    loop.run(tiny_config(), tmp_path / "run", evaluators=without_pictures(tiny_config()))

    for kind in ("latest", "best"):
        step, tree = final_state(tmp_path / "run", kind)
        whole_step, whole_tree = final_state(finished.workdir, kind)
        assert step == whole_step
        leaves_equal(tree, whole_tree)
    keep = lambda rows: [row for row in rows if "valid/loss" in row]
    assert keep(lines_without_speed(tmp_path / "run")) == keep(
        lines_without_speed(finished.workdir)
    )


def test_a_finished_run_does_nothing_but_report(finished, tiny_config):
    before = (finished.workdir / "metrics.jsonl").read_text()
    again = loop.run(tiny_config(), finished.workdir)
    assert again.metrics == finished.metrics
    assert (finished.workdir / "metrics.jsonl").read_text() == before


def test_another_config_does_not_resume(finished, tiny_config):
    config = tiny_config({"optim.lr": 1.0})
    with pytest.raises(
        InputError, match=r"another config(.|\n)*optim.lr: 0.0005 -> 1.0(.|\n)*--workdir"
    ):
        loop.run(config, finished.workdir)


def test_batch_size_must_divide(tiny_config, tmp_path):
    with pytest.raises(InputError, match=r"batch_size=6 does not divide over 4 .* such as 4"):
        loop.run(tiny_config({"batch_size": 6}), tmp_path)


def test_stalling():
    rows = [{"step": s, "valid/loss": x, "valid/event_ap": y} for s, x, y in
            ((1, 1.0, 0.1), (2, 0.5, 0.3), (3, 0.6, 0.2), (4, 0.4, 0.25))]  # fmt: skip
    stalled = lambda n, metric, patience: loop.has_stalled(
        rows[:n], metric=metric, patience=patience
    )
    assert not stalled(4, "valid/event_ap", 0)
    assert not stalled(3, "valid/event_ap", 2) and stalled(4, "valid/event_ap", 2)
    assert not stalled(4, "valid/loss", 1) and stalled(3, "valid/loss", 1)
    config = ConfigDict({"early_stop": {"metric": "valid/event_ap", "patience": 2}})
    assert loop.why_stalled(rows, config) == (
        "early stopping: valid/event_ap has not improved on 0.3000 of step 2 in 2 validations "
        "(early_stop.patience=2)"
    )
    config.early_stop.metric = "valid/loss"
    assert "valid/loss has not improved on 0.4000 of step 4" in loop.why_stalled(rows, config)


def test_early_stopping_ends_the_run_and_says_so_again(tiny_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "has_stalled", lambda history, **kw: len(history) >= 2)
    result = loop.run(tiny_config(), tmp_path, evaluators={})
    assert [row["step"] for row in log.read_metrics(result.workdir)] == [2, 2]
    assert "step 2 of 4: early stopping: valid/event_ap has not improved" in capsys.readouterr().err
    said = loop.resumption(tmp_path, 2, tiny_config())
    assert said.startswith(f"{tmp_path} is finished at step 2 of 4, early stopping: valid/event_ap")
    assert "Nothing is left to train" in said and "A higher early_stop.patience" in said


def test_what_is_said_of_a_finished_run(finished, tiny_config):
    said = loop.resumption(finished.workdir, 4, tiny_config())
    assert "is finished at step 4 of 4. Nothing is left to train; it is validated again" in said
    assert "at step 2 of 4" in loop.resumption(finished.workdir, 2, tiny_config())


def test_a_dry_run_runs_every_part_and_leaves_nothing(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lines = dry_run.run(tiny_config(), AS_USUAL)
    words = ("data", "batch", "model", "update", "validation", "report", "checkpoint", "loaded run")
    assert all(any(line.strip().startswith(word) for line in lines) for word in words)
    assert "1 of 2 validated, SIMULATED" in lines[1] and "x [4, 960, 5]" in lines[2]
    assert not list(tmp_path.glob("sleepjax-dry-run-*"))


def test_a_run_that_predicts_otherwise_than_it_was_trained(finished, tiny_config, monkeypatch):
    data = source.open_training_data(tiny_config().data, tiny_config().simulate)
    assert dry_run.check_saved(finished.workdir, data) > 0
    monkeypatch.setattr(dry_run, "ALIKE", -1.0)
    with pytest.raises(InputError, match="that was saved predicts differently from the one"):
        dry_run.check_saved(finished.workdir, data)


def test_each_step_compiles_once_in_a_run(tiny_config, tmp_path, caplog):
    with jax.log_compiles(), caplog.at_level("WARNING"):
        loop.run(tiny_config(), tmp_path, evaluators={})
    compiled = [record.getMessage() for record in caplog.records]
    for name in ("update", "eval_step"):
        times = sum(f"Compiling jit({name})" in message for message in compiled)
        assert times == 1, f"{name} was compiled {times} times"
