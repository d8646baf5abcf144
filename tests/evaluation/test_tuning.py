"""Saved validation probabilities, the nested search over them, and the script that runs it."""

import json

import numpy as np
import polars as pl
import pytest

from sleepjax import metrics, postprocess
from sleepjax.data.recording import Recording
from sleepjax.evaluation import tuning
from sleepjax.postprocess.decode import check_post
from sleepjax.runs import validation
from sleepjax.types import STEPS_PER_DAY, InputError, SeriesMeta
from tests.support.scripts import script


@pytest.fixture(scope="module")
def problem():
    """Six series of three nights; a higher false onset peak 25 minutes before each true one.

    A ``distance`` above 300 loses every true onset, unless ``soft`` keeps it.
    """
    rng = np.random.default_rng(0)
    curves, events = [], []
    bump = np.exp(-0.5 * (np.arange(-60, 61) / 20) ** 2)
    for i in range(6):
        meta = SeriesMeta(f"s{i}", 3 * STEPS_PER_DAY, 100, 1_600_000_000, ((0, 0),), {"n_gap": 0})
        probs = np.zeros((meta.n_steps, 3), np.float32)
        for night in range(3):
            onset = night * STEPS_PER_DAY + int(rng.integers(4000, 6000))
            wakeup = onset + 5000
            for k, row, height in ((1, onset, 0.5), (2, wakeup, 0.8), (1, onset - 300, 0.55)):
                probs[row - 60 : row + 61, k] += (height + 0.01 * rng.random()) * bump
            events += [(f"s{i}", "onset", onset + 100), (f"s{i}", "wakeup", wakeup + 100)]
        curves.append(validation.Curves(Recording(meta, np.ones(meta.n_steps, bool)), probs))
    events.append(("s0", "onset", None))  # an unlabelled night
    return curves, pl.DataFrame(events, ["series_id", "event", "step"], orient="row")


OWN = {"height": 0.001, "distance": 720}


def finds_true_onsets(post):
    return post["distance"] <= 180 or post["soft"] > 0


@pytest.fixture(scope="module")
def tuned(problem):
    curves, solution = problem
    tries = []
    result = tuning.tune(
        curves, solution, OWN, trials=30, n_folds=3, seed=1, advance=lambda: tries.append(1)
    )
    assert len(tries) == 4 * 30
    return result


def test_the_search_finds_what_helps(tuned):
    assert finds_true_onsets(tuned.post)
    assert tuned.difference.difference > 0.1 and tuned.difference.interval()[0] > 0
    assert tuned.score.ap - tuned.own.ap == pytest.approx(tuned.difference.difference)


def test_folds_are_scored_on_series_they_were_not_chosen_on(problem, tuned):
    curves, solution = problem
    held_out = [name for fold in tuned.folds for name in fold.series]
    assert sorted(held_out) == [f"s{i}" for i in range(6)]
    for fold in tuned.folds:
        for name, post in (("outer", fold.post), ("own", OWN)):
            parts = [
                one.events(post) for one in curves if one.recording.meta.series_id in fold.series
            ]
            truth = solution.filter(pl.col("series_id").is_in(fold.series))
            expected = metrics.event_detection_ap(truth, pl.concat(parts))
            assert getattr(fold, name) == pytest.approx(expected)
    assert tuned.score.ap == pytest.approx(np.mean([fold.outer for fold in tuned.folds]))


def test_the_choice_does_not_see_the_fold(problem, tuned):
    """Other events in the held-out series change its score, not the settings."""
    curves, solution = problem
    fold = tuned.folds[0]
    other = solution.with_columns(
        step=pl.when(pl.col("series_id").is_in(fold.series)).then(0).otherwise("step")
    )
    again = tuning.tune(curves, other, OWN, trials=30, n_folds=3, seed=1).folds[0]
    assert (again.post, again.inner) == (fold.post, fold.inner)
    assert again.outer != fold.outer


def test_one_trial_keeps_the_own_settings(problem):
    curves, solution = problem
    result = tuning.tune(curves, solution, OWN, trials=1)
    assert result.post == OWN and result.difference.difference == 0 and result.difference.p == 1


def test_unusable_input(problem):
    curves, solution = problem
    with pytest.raises(InputError, match="trials=0"):
        tuning.tune(curves, solution, OWN, trials=0)
    with pytest.raises(InputError, match="1 validation series have events"):
        tuning.tune(curves, solution.filter(pl.col("series_id") == "s1"), OWN, trials=2)


def test_every_point_of_the_space_can_be_decoded(problem):
    post = dict.fromkeys(tuning.SPACE)
    for name, values in tuning.SPACE.items():
        for value in values:
            post |= {k: v[0] for k, v in tuning.SPACE.items()} | {name: value}
            assert check_post(post) == post
    assert len(problem[0][0].events(post)) > 0


def test_a_run_leaves_what_tuning_needs(finished):
    """Decoding the saved probabilities with the run's settings gives the reported score."""
    curves, solution = validation.load(finished.workdir)
    run = json.loads((finished.workdir / "run.json").read_text())
    assert [one.recording.meta.series_id for one in curves] == run["valid_series"]
    assert all(one.probabilities.dtype == np.float32 for one in curves)
    config = json.loads((finished.workdir / "config.json").read_text())
    events = pl.concat([one.events(config["post"]) for one in curves])
    assert metrics.event_detection_ap(solution, events) == finished.metrics["event_ap"]


def test_saving_and_loading_changes_nothing(problem, tmp_path):
    curves, solution = problem
    for _ in range(2):  # the second replaces the first
        validation.save(tmp_path, curves, solution)
    again, truth = validation.load(tmp_path)
    assert truth.equals(solution)
    assert [one.recording.meta for one in again] == [one.recording.meta for one in curves]
    for before, after in zip(curves, again, strict=True):
        np.testing.assert_array_equal(after.probabilities, before.probabilities)
        np.testing.assert_array_equal(after.recording.valid, before.recording.valid)
    (tmp_path / "validation" / "1.npz").write_bytes(b"broken")
    with pytest.raises(InputError, match="validation cannot be read"):
        validation.load(tmp_path)
    (tmp_path / "validation" / "series.json").unlink()
    with pytest.raises(InputError, match="has no saved validation"):
        validation.load(tmp_path)


def test_script_writes_settings_that_prediction_takes(project, finished, cohort, tmp_path, capsys):
    out = tmp_path / "post.json"
    tune = script(project, "tune_postprocess").main
    args = ["--workdir", str(finished.workdir), "--trials", "3", "--out", str(out)]
    assert tune(args) == 0
    printed = capsys.readouterr()
    assert "SIMULATED" in printed.out and "difference" in printed.out and str(out) in printed.out
    found = json.loads(out.read_text())
    assert found["simulated"] is True and len(found["folds"]) == 2
    assert json.loads(json.dumps(postprocess.read_settings(out))) == found["post"]
    assert tune(args) == 2
    assert "post.json exists; give another --out, or --overwrite" in capsys.readouterr().err

    # A height that nothing reaches: the file is what decides.
    out.write_text(json.dumps({"post": {"height": 1.0}}))
    args = ["--workdir", str(finished.workdir), "--out", str(tmp_path / "sub.csv")]
    args += ["--series", str(cohort / "test_series.parquet"), "--no_figures", "--post", str(out)]
    assert script(project, "predict").main(args) == 0
    assert len(pl.read_csv(tmp_path / "sub.csv")) == 0


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is no JSON file"),
        ("[]", "has no object 'post'"),
        ('{"post": {"hight": 1}}', "setting 'hight' is unknown, did you mean 'height'?"),
        ('{"post": {"snap": 1}}', "setting snap=1 must be true or false"),
        ('{"post": {"height": true}}', "setting height=True must be a number"),
        ('{"post": {"height": null}}', "setting height=None must be a number"),
        ('{"post": {"distance": 0.5}}', "distance=0.5 must be at least 1 sample"),
        ('{"post": {"daily": -1}}', "daily=-1 must be positive"),
        ('{"post": {"day_cut_hour": 25}}', "day_cut_hour=25 must lie between 0 and 24"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "post.json"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        postprocess.read_settings(path)
    assert message in str(error.value) and "post.json" in str(error.value)
    with pytest.raises(InputError, match="cannot read .*nothing.json"):
        postprocess.read_settings(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "args, message",
    [
        (["--workdir", "nowhere"], "nowhere is not a run directory"),
        (["--out", "x.txt"], "--out 'x.txt' must end in .json"),
        (["--out", "nowhere/x.json"], "folder 'nowhere' of --out does not exist"),
        (["--trials", "0"], "trials=0; it must be at least 1"),
    ],
)
def test_script_says_what_is_wrong(project, finished, tmp_path, capsys, args, message):
    base = ["--workdir", str(finished.workdir), "--out", str(tmp_path / "post.json")]
    assert script(project, "tune_postprocess").main(base + args) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "WARNING" not in line]
    assert len(errors) == 1 and errors[0].startswith("error: ") and message in errors[0]
