"""Prediction from a run directory alone: same path as validation, clear words for bad input."""

import dataclasses
import json
import weakref
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

import sleepjax
from sleepjax import release
from sleepjax.data import raw
from sleepjax.data.source import open_training_data
from sleepjax.postprocess.sleep_windows import SCHEMA, find_windows
from sleepjax.predict import load
from sleepjax.types import EVENTS, InputError
from tests.support.scripts import script


@pytest.fixture(scope="module")
def predictor(finished):
    return load(finished.workdir)


@pytest.fixture(scope="module")
def series(cohort, finished):
    """The rows of the first validation series, as a person would bring them."""
    run = json.loads((finished.workdir / "run.json").read_text())
    scan = pl.scan_parquet(cohort / "train_series.parquet")
    return scan.filter(pl.col("series_id") == run["valid_series"][0]).collect()


def test_prediction_equals_validation(predictor, series, finished, tiny_config, cohort):
    """The same events, scores included, as the evaluation that wrote the reported score."""
    from sleepjax import metrics

    config = tiny_config()
    data = open_training_data(config.data, config.simulate)
    frames = [
        pl.scan_parquet(cohort / "train_series.parquet")
        .filter(pl.col("series_id") == one.meta.series_id)
        .collect()
        for one in data.valid
    ]
    events = predictor.predict(pl.concat(frames))
    ap = metrics.event_detection_ap(data.solution, events)
    assert ap == pytest.approx(finished.metrics["event_ap"], abs=1e-6)
    assert events.columns == [*"series_id step event score beside_unmeasured timestamp".split()]
    assert set(events["event"]) <= set(EVENTS)


def test_steps_carry_the_local_time_of_the_file(predictor, series):
    events = predictor.predict(series)
    joined = events.join(
        series.select(pl.col("step").cast(pl.Int64), pl.col("timestamp").alias("of_file")),
        on="step",
    )
    assert len(joined) == len(events) > 0
    assert (joined["timestamp"] == joined["of_file"]).all()


@pytest.mark.parametrize("n", [1, 7, 100, 961])
def test_any_length(predictor, series, n):
    found = predictor.find(raw.recordings_from_frame(series.head(n))[0])
    assert found.probabilities.shape == (n, 3)
    assert np.isfinite(found.probabilities).all()
    steps = found.events["step"]
    assert len(steps) == 0 or (0 <= steps.min() and steps.max() < n)


def test_nothing_is_found_where_nothing_was_measured(predictor, series):
    middle = pl.col("step").is_between(20_000, 30_000)
    holes = series.with_columns(anglez=pl.when(~middle).then("anglez"))
    events = predictor.predict(holes)
    # Snapping to the half minute may move an event beside the hole by up to 6 steps.
    inside = pl.col("step").is_between(20_006, 29_994)
    assert len(events.filter(inside)) == 0 < len(events)


def test_windows_carry_the_clock_of_the_file(predictor, series):
    """The tiny model knows little of sleep, so one window is put into its probabilities."""
    (recording,) = raw.recordings_from_frame(series)
    found = predictor.find(recording)
    assert predictor.windows(series).equals(found.windows)
    probs = np.zeros((len(series), 3))
    probs[10_000:15_000, 0] = 0.9
    windows = dataclasses.replace(found, probabilities=probs).windows
    assert windows.schema == SCHEMA and len(windows) == 1
    stamps = series.select(pl.col("step").cast(pl.Int64), pl.col("timestamp").alias("of_file"))
    for end in EVENTS:
        (row,) = windows.join(stamps, left_on=f"{end}_step", right_on="step").to_dicts()
        assert row[end] == row["of_file"]


def test_windows_know_over_how_many_minutes_the_labels_spread_an_event(predictor, series):
    """The tiny config's sigma of 20 steps of 5 s; members that differ share the mean."""
    want = 20 * (2 * np.pi) ** 0.5 / 12
    assert predictor.spread == pytest.approx(want)
    wide = dataclasses.replace(predictor.members[0], spread=3 * want)
    both = dataclasses.replace(predictor, members=(*predictor.members, wide))
    (recording,) = raw.recordings_from_frame(series)
    probs = np.zeros((len(series), 3))
    probs[10_000:15_000, 0], probs[10_000, 1] = 0.9, 0.2
    slept = dataclasses.replace(both.find(recording), probabilities=probs).windows
    valid = recording.frame["valid"].to_numpy()
    assert slept.equals(find_windows(probs, recording.meta, valid=valid, spread=2 * want))
    assert not slept.equals(find_windows(probs, recording.meta, valid=valid))


def test_recordings_of_any_length_compile_once(finished, series, caplog):
    predictor = load(finished.workdir)
    with jax.log_compiles(), caplog.at_level("WARNING"):
        for n in (100, 961, len(series)):
            predictor.predict(series.head(n))
    compiled = [record.getMessage() for record in caplog.records]
    assert sum("Compiling jit(predict_mean)" in message for message in compiled) == 1


def test_script_writes_all_and_overwrites_nothing(project, finished, cohort, tmp_path, capsys):
    main = script(project, "predict").main
    out = tmp_path / "out" / "sub.csv"
    args = ["--workdir", str(finished.workdir), "--out", str(out)]
    args += ["--series", str(cohort / "test_series.parquet")]
    assert main(args) == 2
    assert "of --out does not exist; create it" in capsys.readouterr().err
    out.parent.mkdir()
    assert main(args) == 0
    printed = capsys.readouterr()
    assert "trained on SIMULATED data" in printed.err and str(out) in printed.out
    submission = pl.read_csv(out)
    assert submission.columns == ["row_id", "series_id", "step", "event", "score"]
    assert submission["row_id"].to_list() == list(range(len(submission)))
    ids = pl.scan_parquet(cohort / "test_series.parquet").select("series_id").unique().collect()
    pictures = sorted(p.stem for p in (out.parent / "sub_figures").iterdir())
    assert pictures == sorted(ids["series_id"])
    assert "timestamp" in pl.read_csv(out.parent / "sub_events.csv").columns
    assert pl.read_csv(out.parent / "sub_windows.csv").columns == list(SCHEMA)
    before = out.read_bytes()
    assert main(args) == 2
    assert out.read_bytes() == before
    error = capsys.readouterr().err
    assert "sub_windows.csv, " in error and "exist; give another --out, or --overwrite" in error
    for path in out.parent.glob("*.csv"):
        path.unlink()
    assert main(args) == 2  # pictures of whatever kind are not removed unasked
    assert ".png exist; give another --out" in capsys.readouterr().err
    assert sorted(p.stem for p in (out.parent / "sub_figures").iterdir()) == pictures


@pytest.mark.parametrize(
    "change, message",
    [
        ({"--series": "nowhere.parquet"}, "--series 'nowhere.parquet' does not exist"),
        ({"--workdir": "nowhere"}, "nowhere is not a run directory: it has no config.json"),
        ({"--out": "x.txt"}, "--out 'x.txt' must end in .csv"),
    ],
)
def test_script_says_what_is_wrong(project, finished, cohort, tmp_path, capsys, change, message):
    args = {
        "--workdir": str(finished.workdir),
        "--out": str(tmp_path / "sub.csv"),
        "--series": str(cohort / "test_series.parquet"),
    } | change
    assert script(project, "predict").main([x for pair in args.items() for x in pair]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "args, message",
    [
        (["--config", "configs/nothing.py"], "config file 'configs/nothing.py' does not exist"),
        (["--config", "{spec1d}:tyni"], "config argument 'tyni' is unknown, did you mean 'tiny'?"),
        (["--config", "{spec1d}:tiny", "--config.optim.rl=1"], "no 'optim.rl', did you mean 'lr'?"),
        (["--config", "{spec1d}:tiny", "--optim.lr=1"], "'--optim.lr=1' is not understood"),
        (["--config", "{spec1d}:tiny", "--config.data.fold=9"], "data.fold=9 must be from 0 to 2"),
        (
            ["--config", "{spec1d}:tiny", "--config.data.features=('enmo','angelz')"],
            "feature 'angelz' is unknown, did you mean 'anglez'?",
        ),
        (["--config", "{spec1d}:tiny", "--config.model.name=spec3d"], "model 'spec3d' is unknown"),
        (["--config", "{spec1d}:tiny", "--config.accumulate=3"], "batch_size=4 does not divide"),
    ],
)
def test_train_script_says_what_is_wrong(project, cohort, tmp_path, capsys, args, message):
    args = [a.format(spec1d=project / "configs" / "spec1d.py") for a in args]
    args += ["--workdir", str(tmp_path / "run"), f"--config.data.root={cohort}"]
    assert script(project, "train").main(args) == 2
    assert message in capsys.readouterr().err


@pytest.mark.entry
def test_train_script_without_data_says_simulated(project, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = ["--config", f"{project / 'configs' / 'spec1d.py'}:tiny"]
    assert script(project, "train").main(args) == 0
    printed = capsys.readouterr()
    assert "WARNING: data.root='data/child-mind' holds no recordings" in printed.err
    assert "event AP on held-out SIMULATED participants" in printed.out
    assert (tmp_path / "runs" / "spec1d-tiny-simulated" / "figures").is_dir()
    assert not (tmp_path / "data" / "child-mind").exists()


def test_names_of_the_package():
    assert sleepjax.load is load
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sleepjax.nothing


def test_a_model_is_named_by_its_file_too_and_shown_in_a_line():
    """As --config.init takes it; a notebook shows what a cell returns, without the weights."""
    of_file = load(release.FOLDER / release.MODEL)
    assert len(of_file.members) == len(load().members)
    assert repr(of_file).startswith("Predictor(members=(Member(") and len(repr(of_file)) < 800


def test_a_run_without_checkpoint(finished, tmp_path):
    for part in ("config.json", "run.json"):
        (tmp_path / part).write_bytes((finished.workdir / part).read_bytes())
    with pytest.raises(InputError, match="holds no checkpoint"):
        load(tmp_path)


def test_a_run_is_used_on_any_number_of_devices(predictor, series):
    """Batches are filled up where the devices do not divide the size that training used."""
    few = series.head(3_000)
    expected = predictor.predict(few)
    (member,) = predictor.members
    config = member.config.copy_and_resolve_references()
    config.eval.batch_size = jax.device_count() + 1
    odd = dataclasses.replace(predictor, members=(dataclasses.replace(member, config=config),))
    found = odd.predict(few)
    assert found.drop("score").equals(expected.drop("score")) and len(found)
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)


@pytest.mark.parametrize(
    "error, reason",
    [(AssertionError(), "its plugin is not installed"), (RuntimeError("No gpu.\n..."), "No gpu")],
)
def test_a_missing_platform_is_one_line(error, reason, finished, cohort, project, tmp_path, capsys,
                                        monkeypatch):  # fmt: skip
    def fail():
        raise error

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr(jax, "device_count", fail)
    arguments = ["--workdir", str(finished.workdir), "--out", str(tmp_path / "found.csv")]
    arguments += ["--series", str(cohort / "test_series.parquet"), "--no_figures"]
    assert script(project, "predict").main(arguments) == 2
    said = capsys.readouterr().err
    assert f"error: JAX finds no device of JAX_PLATFORMS='cuda' ({reason}). Install the" in said
    assert "Traceback" not in said
    spec = f"{project / 'configs' / 'spec1d.py'}:tiny"
    assert script(project, "train").main(["--config", spec, "--workdir", str(tmp_path / "x")]) == 2
    assert "unset JAX_PLATFORMS" in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_a_series_of_which_the_model_makes_nan_is_named_and_left_out(
    finished, cohort, project, tmp_path, capsys, monkeypatch
):
    from sleepjax import predict

    bad = pl.scan_parquet(cohort / "test_series.parquet").head(1).collect()["series_id"][0]
    computed = predict.predict_series

    def broken(series, *how):
        for one, found in zip(series, computed(series, *how), strict=True):
            probs = found.copy()
            if one.meta.series_id == bad:
                probs[7:9] = np.nan
            yield probs

    monkeypatch.setattr(predict, "predict_series", broken)
    out = tmp_path / "found.csv"
    arguments = ["--workdir", str(finished.workdir), "--out", str(out), "--no_figures"]
    arguments += ["--series", str(cohort / "test_series.parquet")]
    assert script(project, "predict").main(arguments) == 3
    assert (
        f"error: left out: series '{bad}': the model gives NaN or infinite probabilities at 2 of "
        in (said := capsys.readouterr().err)
    )
    assert "the first at step 7. Look at" in said
    left = set(pl.read_csv(out)["series_id"])
    assert left and bad not in left


def test_series_are_grouped_until_they_are_enough_and_before_an_error(monkeypatch):
    from sleepjax.commands import predict as command

    def series(*sizes):
        for name, size in enumerate(sizes):
            yield raw.Rows(Path("file"), pl.DataFrame({"step": range(size)}), 0, str(name))
        raise InputError("the rest is damaged")

    monkeypatch.setattr(command, "TOGETHER", 10)
    found = []
    with pytest.raises(InputError, match="the rest is damaged"):
        for group in command.in_groups(series(4, 4, 4, 20, 3)):
            found.append([one.series_id for one in group])
    assert found == [["0", "1", "2"], ["3"], ["4"]]


def test_what_is_held_does_not_grow_with_the_number_of_recordings(
    finished, series, project, tmp_path, monkeypatch
):
    from sleepjax.commands import predict as command
    from sleepjax.threads import WORKERS

    path, n = tmp_path / "many.parquet", 15
    few = series.head(720)
    pl.concat(few.with_columns(series_id=pl.lit(f"s{i:02d}")) for i in range(n)).write_parquet(path)
    made, most = [], []

    def make_recording(*args, **more):
        made.append(weakref.ref(one := repaired(*args, **more)))
        most.append(sum(ref() is not None for ref in made))
        return one

    repaired = raw.make_recording
    monkeypatch.setattr(raw, "make_recording", make_recording)
    monkeypatch.setattr(command, "TOGETHER", 720)
    arguments = ["--workdir", str(finished.workdir), "--out", str(tmp_path / "found.csv")]
    assert script(project, "predict").main([*arguments, "--series", str(path)]) == 0
    assert len(made) == n
    # Two are worked on, two wait to be written, one is being written.
    assert max(most) <= 2 * WORKERS + 1
