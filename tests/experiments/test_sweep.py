"""Sweeps: grids read and checked beforehand, drawn and searched points, a table, going on."""

import csv
import json
import math
import shutil
import subprocess
from typing import Any

import pytest

from sleepjax.experiments import search_space
from sleepjax.experiments.sweep import Trial, Trials, write_table
from sleepjax.runs import log, stop
from sleepjax.training import loop
from sleepjax.types import DivergedError, InputError
from tests.support.scripts import script


@pytest.fixture(scope="module")
def config(tiny_config) -> Any:
    return tiny_config()


# ---- points


def test_a_grid_is_every_combination_in_the_types_of_the_config(config):
    text = "optim.lr=1e-4,1 model.decoder.widths=(8,16),(8, 16, 24)  data.downsample=6"
    space = search_space.parse(text, config)
    assert space == {
        "optim.lr": (1e-4, 1.0),
        "model.decoder.widths": ((8, 16), (8, 16, 24)),
        "data.downsample": (6,),
    }
    assert isinstance(space["optim.lr"][1], float)
    points = search_space.points(space)
    assert len(points) == 4 and points[1] == {
        "optim.lr": 1e-4,
        "model.decoder.widths": (8, 16, 24),
        "data.downsample": 6,
    }
    own: Any = search_space.configured(config, points[1])
    assert own.optim.lr == 1e-4 and own.model.decoder.widths == (8, 16, 24)
    assert config.model.decoder.widths == (8, 16)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "--grid is empty; write 'optim.lr=1e-4,5e-4"),
        ("optim.lr", "--grid 'optim.lr' is not understood; write 'optim.lr=1e-4"),
        ("optim.lr=", "--grid 'optim.lr=' is not understood"),
        ("optim.rl=1", "config has no 'optim.rl', did you mean 'lr'?"),
        ("optim=1", "'optim' is a group; set one of optim."),
        ("optim.warmup=1,two", "optim.warmup='two' is of type str; it must be of type int"),
        ("seed=1 seed=2", "--grid names 'seed' twice"),
        ("optim.lr=1e-3,2e-3,0.001", "--grid gives optim.lr=0.001 twice"),
    ],
)
def test_grids_that_cannot_be_read(config, text, message):
    with pytest.raises(InputError, match="^" + message.replace("(", r"\(").replace("?", r"\?")):
        search_space.parse(text, config)


@pytest.mark.parametrize(
    "point, message",
    [
        ({"optim.lr": -1.0}, r"^optim.lr=-1.0: optim.lr=-1.0 must be at least 0"),
        ({"seed": 1, "model.name": "spec3d"}, r"^seed=1 model.name=spec3d: model 'spec3d' is unk"),
        ({"batch_size": 6}, r"^batch_size=6: batch_size=6 does not divide over 4"),
        ({"accumulate": 3}, r"^accumulate=3: batch_size=4 does not divide over 12"),
        ({"eval.batch_size": 6}, r"^eval.batch_size=6: eval.batch_size=6 does not divide over 4"),
        ({"model.decoder.name": "unet9"}, r"^model.decoder.name=unet9: decoder 'unet9' is unkn"),
        ({"loss.name": "nll"}, r"^loss.name=nll: loss.name='nll' is unknown"),
        ({"optim.warmup": 9}, r"optim.warmup=9 must be .* less than total_steps=4"),
    ],
)
def test_points_that_no_run_takes(config, point, message):
    with pytest.raises(InputError, match=message):
        search_space.check(config, point)


def test_random_points_fill_the_ranges_and_are_a_prefix_of_more(config):
    space = search_space.parse("optim.lr=1e-5,1e-3,1e-1 ema=0.0,0.9 data.downsample=2,4,6", config)
    points = search_space.random_points(space, 200, seed=3)
    assert points[:50] == search_space.random_points(space, 50, seed=3)
    assert points != search_space.random_points(space, 200, seed=4)
    assert all(search_space.contains(space, point) for point in points)
    assert len({str(point) for point in points}) == 200
    logs = [math.log10(point["optim.lr"]) for point in points]
    assert sum(log < -3 for log in logs) == pytest.approx(100, abs=30)  # even in the logarithm
    assert sum(point["ema"] < 0.45 for point in points) == pytest.approx(100, abs=30)
    counts = [sum(point["data.downsample"] == d for point in points) for d in (2, 4, 6)]
    assert min(counts) > 40


def test_more_points_than_there_are(config):
    space = search_space.parse("data.downsample=2,4 seed=0,1", config)
    assert len(search_space.random_points(space, 4, seed=0)) == 4
    with pytest.raises(InputError, match="--random 5 asks for more than the 4 points"):
        search_space.random_points(space, 5, seed=0)


def test_optuna_finds_the_peak_and_is_a_function_of_what_it_was_told(config):
    pytest.importorskip("optuna")
    space = search_space.parse("optim.lr=1e-5,1e-1 data.downsample=2,4,6", config)
    score = lambda p: -abs(math.log10(p["optim.lr"]) + 3) - (p["data.downsample"] != 4)
    told = [({"optim.lr": 1e-5, "data.downsample": 2}, math.nan)]
    for _ in range(40):
        point = search_space.next_point(space, told, seed=1)
        assert search_space.contains(space, point)
        told.append((point, score(point)))
    assert search_space.next_point(space, told[:9], seed=1) == told[9][0]
    asked = [value for _, value in told[10:]]
    assert sum(asked) / len(asked) > -1.2 and max(asked) > -0.1  # at random -1.7 in the mean


# ---- runs


@pytest.fixture
def fake_run(finished, monkeypatch):
    """Instead of training, a copy of the finished run whose AP is its learning rate."""
    started = []

    def run(config, workdir):
        started.append(workdir.name)
        shutil.copytree(finished.workdir, workdir)
        (workdir / "config.json").write_text(config.to_json())
        last = log.read_metrics(workdir)[-1] | {"valid/event_ap": config.optim.lr}
        with (workdir / log.FILE).open("a") as file:
            file.write(json.dumps(last) + "\n")

    monkeypatch.setattr(loop, "run", run)
    return started


@pytest.fixture
def sweep(project, cohort, tmp_path):
    """Run sweep.py on the tiny config; returns its exit code."""
    spec = f"{project / 'configs' / 'spec1d.py'}:tiny"
    base = ["--config", spec, f"--config.data.root={cohort}", "--workdir", str(tmp_path / "sweep")]
    return lambda *args: script(project, "sweep").main([*base, *args])


def table(tmp_path):
    with (tmp_path / "sweep" / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sweep_trains_what_is_missing_and_makes_a_table(
    sweep, finished, fake_run, tmp_path, capsys
):
    shutil.copytree(finished.workdir, tmp_path / "sweep" / "000")
    before = (tmp_path / "sweep" / "000" / "metrics.jsonl").stat().st_mtime_ns
    assert sweep("--grid", "optim.lr=5e-4,5e-3") == 0
    printed = capsys.readouterr()
    assert "trial 1 of 1 to train, 001: optim.lr=0.005" in printed.err and fake_run == ["001"]
    assert (tmp_path / "sweep" / "000" / "metrics.jsonl").stat().st_mtime_ns == before
    rows = {row["run"]: row for row in table(tmp_path)}
    assert list(rows["000"]) == ["optim.lr", "event_ap", "seconds", "parameters", "state", "run"]
    assert float(rows["000"]["event_ap"]) == finished.metrics["event_ap"]
    assert rows["000"]["parameters"] == rows["001"]["parameters"] == "3267"
    assert float(rows["001"]["seconds"]) > 0 and rows["001"]["state"] == "finished"
    assert "| optim.lr | event_ap |" in printed.out and "looks better than it is" in printed.out
    assert f"| 0.005 | {float(rows['001']['event_ap']):.4g} |" in printed.out


def test_the_table_begins_with_the_best(sweep, fake_run, tmp_path, capsys):
    assert sweep("--grid", "optim.lr=1e-4,3e-3,1e-3") == 0
    assert [row["run"] for row in table(tmp_path)] == ["001", "002", "000"]
    assert "not in this table" not in capsys.readouterr().out
    # Another grid adds to the folder; its table says what it leaves out.
    assert sweep("--grid", "optim.lr=1e-3,2e-3") == 0
    assert fake_run == ["000", "001", "002", "003"]
    assert [row["run"] for row in table(tmp_path)] == ["003", "002"]
    assert "2 more trials" in capsys.readouterr().out
    # Refused before anything is trained, although the run of another config is unfinished.
    shutil.rmtree(tmp_path / "sweep" / "003" / "validation")
    assert sweep("--grid", "optim.lr=5e-3,2e-3", "--config.seed=3") == 2
    assert "003 holds a run of another config: seed: 0 -> 3" in capsys.readouterr().err
    assert fake_run == ["000", "001", "002", "003"]


def test_optuna_goes_on(sweep, fake_run, tmp_path):
    pytest.importorskip("optuna")
    grid_text = ["--grid", "optim.lr=1e-5,1e-1"]
    assert sweep(*grid_text, "--optuna", "2") == 0
    assert sweep(*grid_text, "--optuna", "4") == 0
    assert fake_run == ["000", "001", "002", "003"]
    four = [row["optim.lr"] for row in table(tmp_path)]
    shutil.rmtree(tmp_path / "sweep")
    assert sweep(*grid_text, "--optuna", "4") == 0
    assert [row["optim.lr"] for row in table(tmp_path)] == four


def test_a_signal_between_trials_and_a_trial_that_diverges(sweep, tmp_path, monkeypatch, capsys):
    import os
    import signal

    from sleepjax.training import guard

    def run(config, workdir):
        workdir.mkdir(parents=True)
        (workdir / guard.FILE).write_text("{}")
        if workdir.name == "000":
            os.kill(os.getpid(), signal.SIGTERM)
        raise DivergedError("the updates of steps 3 to 5 were all skipped")

    monkeypatch.setattr(loop, "run", run)
    assert sweep("--grid", "seed=0,1") == stop.REQUEUE
    assert "stopped by SIGTERM while nothing had to be saved" in capsys.readouterr().err
    assert sweep("--grid", "seed=0,1") == 0  # 000 diverged; 001 is tried
    rows = table(tmp_path)
    assert [row["state"] for row in rows] == ["diverged", "diverged"]
    assert [row["event_ap"] for row in rows] == ["nan", "nan"]


@pytest.mark.parametrize(
    "args, message",
    [
        (["--grid", "optim.lr=1e-3,-1.0"], "optim.lr=-1.0: optim.lr=-1.0 must be at least 0"),
        (["--grid", "data.fold=0,7"], "data.fold=7: data.fold=7 must be from 0 to 2"),
        (["--grid", "seed=0,,1"], "--grid 'seed=0,,1' has an empty value; write 'optim.lr="),
        (["--grid", "seed=0,1", "--config.seed=2"], "--grid and --config.seed both set seed; give"),
        (["--grid", "seed=0,1", "--seed", "3"], "--seed is for --random and --optuna"),
        (["--grid", "seed=0,1", "--random", "0"], "--random 0 must be at least 1"),
        (["--grid", "seed=0,1", "--optuna", "3", "--slurm"], "use --random with --slurm"),
        (["--grid", "seed=0,1", "--seeds", "3"], "'--seeds' is not understood"),
        (["--grid", "seed=0,1", "--optuna", "3", "--table"], "holds no trial of this --grid yet"),
    ],
)
def test_bad_sweeps_train_nothing(sweep, fake_run, tmp_path, capsys, args, message):
    assert sweep(*args) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not fake_run and not (tmp_path / "sweep").exists()


def test_slurm_writes_one_line_per_task(sweep, fake_run, tmp_path, capsys):
    text = "model.decoder.widths=(8,16),(8, 24) optim.lr=1e-3"
    assert sweep("--grid", text, "--slurm") == 0
    folder = tmp_path / "sweep"
    assert not fake_run and "not submitted" in capsys.readouterr().out
    lines = (folder / "tasks.txt").read_text().splitlines()
    assert len(lines) == 2
    assert "'--config.model.decoder.widths=(8, 24)' --config.optim.lr=0.001 --workdir" in lines[1]
    array = (folder / "sweep.sbatch").read_text()
    assert "#SBATCH --array=0-1\n" in array and "scontrol requeue" in array
    # What the array does, with a shell in place of srun and of Python.
    shell = array.replace("srun bash", "bash").replace("exec $task", "echo $task")
    ran = subprocess.run(
        ["bash", "-c", shell], env={"SLURM_ARRAY_TASK_ID": "1", "PATH": "/bin:/usr/bin"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0
    assert "--config.optim.lr=0.001" in ran.stdout and str(folder / "001") in ran.stdout
    assert sweep("--grid", text, "--table") == 0 and not fake_run
    assert [row["state"] for row in table(tmp_path)] == ["waiting", "waiting"]


def test_seconds_are_those_of_the_steps(finished, config, tmp_path):
    trial = Trial({}, config, tmp_path)
    rows = [(2, 0.5), (4, 2.0)]
    lines = [json.dumps({"step": s, "train/steps_per_second": r}) for s, r in rows]
    (tmp_path / log.FILE).write_text("\n".join(lines) + "\n")
    assert trial.seconds() == pytest.approx(2 / 0.5 + 2 / 2.0)
    assert trial.state() == "waiting" and math.isnan(trial.event_ap())
    assert "| nan | 5 |" in write_table([trial], tmp_path / "t.csv")
    assert Trial({}, config, finished.workdir).event_ap() == finished.metrics["event_ap"]


def test_a_damaged_list(tmp_path, config):
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(InputError, match="sweep.json cannot be read.*another --workdir"):
        Trials(tmp_path, config)
