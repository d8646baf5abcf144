"""Cross-validation: pooled out-of-fold scores, ensembles, resuming."""

import json
import os
import shutil
import signal

import numpy as np
import polars as pl
import pytest

from sleepjax import metrics, predict
from sleepjax.data import raw
from sleepjax.evaluation import out_of_fold
from sleepjax.runs import log, stop, validation
from sleepjax.training import loop
from sleepjax.types import DivergedError, InputError
from tests.support.runs import final_state, leaves_equal, without_pictures
from tests.support.scripts import script

NAMES = ("fold0-seed0", "fold0-seed1", "fold1-seed0", "fold1-seed1")


@pytest.fixture(scope="module")
def main(project):
    return script(project, "crossval").main


@pytest.fixture(scope="module")
def command(project, cohort):
    """Arguments of crossval.py for 2 folds x 2 seeds of two steps."""
    steps = ["--config.total_steps=2", "--config.ckpt_every=1", "--config.log_every=1"]
    spec = f"{project / 'configs' / 'spec1d.py'}:tiny"
    return [
        "--config",
        spec,
        f"--config.data.root={cohort}",
        "--folds",
        "2",
        "--seeds",
        "2",
        *steps,
    ]


@pytest.fixture(scope="module", autouse=True)
def no_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "standard", without_pictures)
        yield


@pytest.fixture(scope="module")
def workdir(main, command, tmp_path_factory):
    """A cross-validation that a signal stopped after the first step of its second member."""
    workdir = tmp_path_factory.mktemp("crossval") / "members"
    args = [*command, "--workdir", str(workdir)]
    original = log.MetricWriter.write

    def signalling(self, step, row):
        original(self, step, row)
        if (workdir / NAMES[1] / "run.json").exists():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log.MetricWriter, "write", signalling)
        assert main(args) == stop.REQUEUE
    assert [final_state(workdir / name)[0] for name in NAMES[:2]] == [2, 1]
    assert not (workdir / NAMES[2]).exists()
    assert not (workdir / "crossval.json").exists()
    assert main(args) == 0
    return workdir


def test_every_member_is_a_run_directory(workdir):
    for name in NAMES:
        run = workdir / name
        config = json.loads((run / "config.json").read_text())
        assert f"fold{config['data']['fold']}-seed{config['seed']}" == name
        rows = log.read_metrics(run)
        assert [row["step"] for row in rows if "train/loss" in row] == [1, 2]
        assert [row["step"] for row in rows if "valid/loss" in row] == [2]
    assert {path.name for path in workdir.iterdir() if path.is_dir()} == {*NAMES, "validation"}


def test_only_a_member_that_is_missing_or_damaged_is_trained(
    main, command, workdir, tmp_path, capsys
):
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    shutil.rmtree(again / NAMES[3])
    (again / NAMES[2] / "checkpoints" / "latest" / "2" / "manifest.json").unlink()
    times = lambda: [os.stat(again / name / "metrics.jsonl").st_mtime_ns for name in NAMES[:2]]
    before = times()
    assert main([*command, "--workdir", str(again)]) == 0
    assert before == times()
    said = capsys.readouterr().err
    assert "fold1-seed0: 1 of 2 members to train" in said and "Going back to step 1" in said
    assert "fold1-seed1: 2 of 2 members to train" in said
    for name in NAMES[2:]:
        (_, one), (_, other) = (final_state(folder / name) for folder in (again, workdir))
        leaves_equal(one, other)


def test_two_cross_validations_are_compared(project, workdir, tmp_path, capsys):
    other = shutil.copytree(workdir, tmp_path / "other")
    path = other / "ensemble.json"
    path.write_text(path.read_text().replace('"height": 0.001', '"height": 0.1'))
    compare = script(project, "compare").main
    assert compare([str(workdir), str(other), "--out", str(tmp_path / "c")]) == 0
    printed = capsys.readouterr().out
    ap = json.loads((workdir / "crossval.json").read_text())["ensemble"]["event_ap"]
    assert f"| members | {ap:.3f} (" in printed and "data.fold" not in printed
    assert "other series" not in printed and (tmp_path / "c" / "learning_curves.png").exists()


def test_a_fold_without_labelled_nights_is_refused_before_training(
    main, command, cohort, tmp_path, capsys
):
    data, workdir = tmp_path / "data", tmp_path / "members"
    shutil.copytree(cohort, data, ignore=shutil.ignore_patterns("prepared*"))
    events = pl.read_csv(data / "train_events.csv")
    labelled = events.drop_nulls("step")["series_id"].unique().sort()[:2].to_list()
    kept = pl.when(pl.col("series_id").is_in(labelled)).then(pl.col("step", "timestamp"))
    events.with_columns(kept).write_csv(data / "train_events.csv")
    args = [*command, f"--config.data.root={data}", "--folds", "3", "--workdir", str(workdir)]
    assert main(args) == 2
    assert "data.fold=2 holds no labelled night" in capsys.readouterr().err
    assert not list(workdir.glob("fold*"))


def test_the_score_is_that_of_the_pool(workdir, capsys):
    found = json.loads((workdir / "crossval.json").read_text())
    own = json.loads((workdir / NAMES[0] / "config.json").read_text())["post"]
    loaded = {name: validation.load(workdir / name) for name in NAMES}
    solution = pl.concat([loaded[name][1] for name in (NAMES[0], NAMES[2])])
    for seed in (0, 1):
        names = [name for name in NAMES if name.endswith(f"seed{seed}")]
        events = [one.events(own) for name in names for one in loaded[name][0]]
        ap = metrics.event_detection_ap(solution, pl.concat(events))
        assert found["seeds"][str(seed)]["event_ap"] == pytest.approx(ap, abs=1e-12)
    pairs = [
        pair
        for fold in (0, 1)
        for pair in zip(*(loaded[f"fold{fold}-seed{s}"][0] for s in (0, 1)), strict=True)
    ]
    curves, pooled = validation.load(workdir)
    assert pooled.equals(solution) and len(curves) == len(pairs) == 6
    for one, (a, b) in zip(curves, pairs, strict=True):
        mean = (a.probabilities + b.probabilities) / 2
        np.testing.assert_allclose(one.probabilities, mean, rtol=1e-5, atol=1e-7)
    ap = metrics.event_detection_ap(solution, pl.concat([one.events(own) for one in curves]))
    assert found["ensemble"]["event_ap"] == pytest.approx(ap, abs=1e-12)
    low, high = found["ensemble"]["interval_95"]["event_ap"]
    assert low <= high and found["simulated"] is True
    text = (workdir / "crossval.md").read_text()
    assert f"| seed 1 | {found['seeds']['1']['event_ap']:.4f} |" in text and "SIMULATED" in text


def test_the_ensemble_is_the_mean_of_its_members(workdir, cohort):
    ensemble = predict.load(workdir)
    assert len(ensemble.members) == 4
    series = pl.scan_parquet(cohort / "train_series.parquet").head(3_000).collect()
    recording = raw.recordings_from_frame(series)[0]
    mean = ensemble.find(recording)
    each = [predict.Predictor((member,), {}) for member in ensemble.members]
    alone = [one.find(recording).probabilities for one in each]
    assert np.ptp(alone, axis=0).max() > 1e-3
    np.testing.assert_allclose(mean.probabilities, np.mean(alone, axis=0), atol=1e-6)


def test_out_of_fold_probabilities_can_be_tuned(project, workdir, tmp_path, capsys):
    out = tmp_path / "post.json"
    args = ["--workdir", str(workdir), "--trials", "2", "--out", str(out)]
    assert script(project, "tune_postprocess").main(args) == 0
    assert "SIMULATED" in capsys.readouterr().err
    assert predict.postprocess.read_settings(out)


def test_runs_of_different_splits_are_no_cross_validation(workdir):
    runs = [workdir / name for name in NAMES]
    with pytest.raises(InputError, match="is in the validation of two folds"):
        out_of_fold.evaluate([[runs[0]], [runs[1]]], {})
    with pytest.raises(InputError, match="were validated on different series"):
        out_of_fold.evaluate([[runs[0], runs[2]]], {})


@pytest.mark.parametrize(
    "extra, message",
    [
        (["--folds", "1"], "--folds 1 must be at least 2"),
        (["--folds", "9"], "data.folds=9 needs at least 2 folds"),
        (["--folds", "3", "--config.data.folds=4"], "--folds 3 and --config.data.folds=4 both say"),
        (["--config.data.fold=1"], "data.fold=1 would not be used: every fold is trained"),
        (["--seeds", "0"], "--seeds 0 must be at least 1"),
        (["--config.early_stop.patience=3"], "needs --config.early_stop.patience=0"),
        (["--config.optim.rl=3"], "config has no 'optim.rl', did you mean 'lr'?"),
        (["--config.optim.lr=-1"], "optim.lr=-1.0 must be at least 0"),
        (["--config.eval.batch_size=6"], "eval.batch_size=6 does not divide over 4"),
        (["--together"], "'--together' is not understood"),
        (["--seed", "3"], "'--seed' is not understood"),
    ],
)
def test_bad_input_is_one_line(main, command, tmp_path, capsys, extra, message):
    assert main([*command, "--workdir", str(tmp_path / "new"), *extra]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error


def test_another_config_does_not_go_on(main, command, workdir, capsys):
    args = [*command, "--workdir", str(workdir), "--config.optim.lr=0.1"]
    assert main(args) == 2
    error = capsys.readouterr().err
    assert "holds a run of another config: optim.lr: 0.0005 -> 0.1" in error


def test_members_of_other_labels_are_not_pooled(main, command, workdir, tmp_path, capsys):
    """One member knows labels that have been corrected since: said before any member trains."""
    shutil.copytree(workdir, tmp_path / "members")
    facts = json.loads((tmp_path / "members" / "fold0-seed1" / "run.json").read_text())
    (tmp_path / "members" / "fold0-seed1" / "run.json").write_text(
        json.dumps(facts | {"labels": "0" * 64})
    )
    args = [*command, "--workdir", str(tmp_path / "members")]
    message = "fold0-seed1 was trained and scored on other labels than the rest"
    assert main(args) == 2 and message in capsys.readouterr().err
    shutil.rmtree(tmp_path / "members" / "fold1-seed1")
    assert main(args) == 2 and message in capsys.readouterr().err
    assert not (tmp_path / "members" / "fold1-seed1").exists()


def test_how_training_ends_is_the_exit_code(main, command, tmp_path, monkeypatch, capsys):
    args = [*command, "--workdir", str(tmp_path / "new")]
    started = []

    def stopped(config, workdir):
        started.append(workdir.name)
        os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(loop, "run", stopped)
    assert main(args) == stop.REQUEUE and started == ["fold0-seed0"]
    assert "stopped by SIGUSR1 while nothing had to be saved" in capsys.readouterr().err

    def diverged(config, workdir):
        raise DivergedError("the updates of steps 3 to 5 were all skipped")

    monkeypatch.setattr(loop, "run", diverged)
    assert main(args) == 3
