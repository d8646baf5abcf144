"""Trackers mirror the log offline, cost nothing where unused, and never stop a training."""

import json
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import pytest

from sleepjax.runs import trackers
from sleepjax.runs.log import MetricWriter, read_metrics
from sleepjax.types import InputError


@pytest.fixture
def workdir(tmp_path):
    """A run directory with a report and a checkpoint."""
    folder = tmp_path / "run"
    (folder / "checkpoints" / "latest" / "4").mkdir(parents=True)
    (folder / "checkpoints" / "latest" / "4" / "manifest.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps({"optim": {"lr": 0.1}, "seed": 3}))
    (folder / "run.json").write_text("{}")
    (folder / "report.html").write_text("<html>")
    return folder


def write_a_run(workdir, *names, steps=(2, 4)):
    with MetricWriter(workdir, steps[0] - 1, names) as writer:
        for step in steps:
            writer.write(step, {"valid/event_ap/onset@36": step / 10, "valid/loss": float("nan")})
        figure = plt.figure()
        writer.figures(steps[-1], [("curve", figure)])
        plt.close(figure)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_mlflow_gets_config_metrics_figures_and_checkpoint(workdir, tmp_path, monkeypatch, capsys):
    mlflow = pytest.importorskip("mlflow", reason='pip install "sleepjax[mlflow]"')
    store = f"file://{tmp_path / 'store'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(store)
    trackers.check(["mlflow"])
    monkeypatch.chdir(tmp_path)
    write_a_run(workdir.relative_to(tmp_path), "mlflow")  # as a command line names it
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == "sleepjax"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"optim.lr": "0.1", "seed": "3"} and run.info.status == "FINISHED"
    points = client.get_metric_history(run.info.run_id, "valid/event_ap/onset_at_36")
    assert [(p.step, p.value) for p in points] == [(2, 0.2), (4, 0.4)]
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert files == {"config.json", "figures", "report", "run", "checkpoint"}
    write_a_run(workdir, "mlflow", steps=(6, 8))  # a resumed run is the same run there
    assert len(client.search_runs([experiment.experiment_id])) == 1
    (workdir / trackers.FILE).write_text("{")
    write_a_run(workdir, "mlflow", steps=(10, 12))
    assert "trackers.json is damaged, so a new run begins in mlflow" in capsys.readouterr().err
    assert len(client.search_runs([experiment.experiment_id])) == 2


@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_offline(workdir, monkeypatch):
    pytest.importorskip("wandb", reason='pip install "sleepjax[wandb]"')
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    write_a_run(workdir, "wandb")
    (saved,) = (workdir / "wandb").glob("offline-run-*/*.wandb")
    words = (b"onset@36", b"optim", b"figures/curve", b"report")
    until = time.monotonic() + 60  # a process of wandb writes, a little behind on a busy machine
    while not all(word in saved.read_bytes() for word in words) and time.monotonic() < until:
        time.sleep(0.1)
    content = saved.read_bytes()
    assert [word for word in words if word not in content] == []
    assert json.loads((workdir / trackers.FILE).read_text())["wandb"] in saved.name


class Broken:
    id = "x"

    def __init__(self, workdir, config, run_id):
        assert config["seed"] == 3

    def __getattr__(self, name):
        def fail(*args):
            raise ConnectionError("no network\nmore")

        return fail


def test_a_tracker_that_fails_is_said_once_and_counted(workdir, monkeypatch, capsys):
    monkeypatch.setitem(trackers.BACKENDS, "mlflow", Broken)
    write_a_run(workdir, "mlflow")
    said = capsys.readouterr().err
    assert (
        said.count("mlflow failed (ConnectionError: no network more); the training continues") == 1
    )
    assert "mlflow missed 7 writes" in said  # 2 rows, 1 figure, 3 artefacts, the end
    assert [row["step"] for row in read_metrics(workdir)] == [2, 4]


def test_a_tracker_that_cannot_begin(workdir, monkeypatch, capsys):
    def refuse(*args):
        raise OSError("no server")

    monkeypatch.setitem(trackers.BACKENDS, "mlflow", refuse)
    write_a_run(workdir, "mlflow")
    said = capsys.readouterr().err
    assert said.count("failed") == 1 and "mlflow missed 8 writes" in said


def test_names_and_packages(monkeypatch):
    with pytest.raises(InputError, match="--track 'wandbb' is unknown, did you mean 'wandb'"):
        trackers.check(["wandbb"])
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(
        InputError, match=r'wandb is not installed; pip install "sleepjax\[wandb\]"'
    ):
        trackers.check(["wandb"])


def test_nothing_is_imported_where_no_tracker_is_used(project):
    code = (
        "import sys, sleepjax.training.loop\n"
        "sys.exit('wandb' in sys.modules or 'mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=project).returncode == 0
