"""Ensembles: the mean of probabilities, each member by its own config; one line for a bad one."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import polars as pl
import pytest

from sleepjax import postprocess
from sleepjax.data import raw
from sleepjax.predict import Predictor, load
from sleepjax.runs import ensemble
from sleepjax.types import InputError
from tests.support.scripts import script


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """An ensemble of one run and of a copy of it."""
    folder = tmp_path_factory.mktemp("ensemble")
    shutil.copytree(finished.workdir, folder / "copy")
    ensemble.write(folder, [folder / "copy", finished.workdir], {"height": 0.2, "distance": 360})
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return load(folder)


@pytest.fixture(scope="module")
def series(cohort):
    scan = pl.scan_parquet(cohort / "train_series.parquet")
    first = scan.select(pl.col("series_id").first()).collect().item()
    return scan.filter(pl.col("series_id") == first).head(5_000).collect()


def test_twice_the_same_run_is_the_run_with_the_settings_of_the_file(folder, loaded, series):
    assert len(loaded.members) == 2 and loaded.run["simulated"]
    one = load(folder / "copy", post=postprocess.read_settings(folder / ensemble.FILE))
    assert loaded.predict(series).equals(one.predict(series))
    assert not loaded.predict(series).equals(load(folder / "copy").predict(series))
    replaced = load(folder, post={"height": 0.9})
    assert replaced.post == {"height": 0.9}


def test_members_share_a_compiled_function(folder, series, caplog):
    with jax.log_compiles(), caplog.at_level("WARNING"):
        load(folder).predict(series)
    compiled = [record.getMessage() for record in caplog.records]
    assert sum("Compiling jit(predict_mean)" in message for message in compiled) == 1


def test_probabilities_are_averaged_each_by_its_own_config(loaded, series):
    plain = loaded.members[0]
    config = plain.config.copy_and_resolve_references()
    config.data.duration, config.data.features = 1920, ("hour_sin",)
    seen = set()

    def always(_, x):
        seen.add(x.shape[1:])
        return np.full((*x.shape[:2], 3), 0.25, np.float32)

    other = dataclasses.replace(plain, config=config, predict_mean=always)
    (recording,) = raw.recordings_from_frame(series)
    alone = Predictor((plain,), {}).find(recording)
    mean = Predictor((plain, other, other), {}).find(recording)
    expected = (alone.probabilities + 0.5) / 3
    np.testing.assert_allclose(mean.probabilities, expected, rtol=1e-6)
    assert seen == {(1920, 1)}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"members": ["copy", "nowhere"]}, r"member 'nowhere' is not a run directory .* train it"),
        ({"members": ["copy", "copy"]}, "lists member 'copy' twice"),
        ({"members": []}, "'members' must be a list of run directories"),
        ({"members": "copy"}, "'members' must be a list of run directories"),
        ({"format": 7}, "ensemble.json has format 7; this version of sleepjax reads 1"),
        ({"post": {"hieght": 1}}, "setting 'hieght' is unknown, did you mean 'height'"),
        ({"post": None}, "has no object 'post'"),
    ],
)
def test_bad_files(folder, tmp_path, change, message):
    contents = json.loads((folder / ensemble.FILE).read_text()) | change
    shutil.copytree(folder / "copy", tmp_path / "copy", ignore=shutil.ignore_patterns("*.npz"))
    (tmp_path / ensemble.FILE).write_text(json.dumps(contents))
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "file, change, message",
    [
        ("run.json", {"format": 2}, r"ensemble.json: member 'copy': .* has run format 2"),
        ("run.json", {"features": {"enmo": 1}}, "member 'copy': .* another definition .* anglez"),
        (
            "config.json",
            {"features": ["anglez", "heart"]},
            r"member 'copy': .*config.json was changed: feature 'heart' is",
        ),
    ],
)
def test_members_that_cannot_be_used(folder, tmp_path, file, change, message):
    for name in ("config.json", "run.json"):
        (tmp_path / "copy").mkdir(exist_ok=True)
        contents = json.loads((folder / "copy" / name).read_text())
        if name == file:
            (contents["data"] if name == "config.json" else contents).update(change)
        (tmp_path / "copy" / name).write_text(json.dumps(contents))
    ensemble.write(tmp_path, [tmp_path / "copy"], {})
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


def test_the_script_takes_an_ensemble(project, folder, loaded, cohort, tmp_path, capsys):
    out = tmp_path / "sub.csv"
    args = ["--workdir", str(folder), "--series", str(cohort / "test_series.parquet")]
    assert script(project, "predict").main([*args, "--out", str(out), "--no_figures"]) == 0
    assert "SIMULATED" in capsys.readouterr().err
    events = loaded.predict(pl.read_parquet(cohort / "test_series.parquet"))
    assert pl.read_csv(out)["score"].to_list() == pytest.approx(events["score"].to_list())


def test_an_ensemble_is_no_text(tmp_path):
    (tmp_path / ensemble.FILE).write_text("{")
    with pytest.raises(InputError, match="ensemble.json is no JSON file"):
        load(tmp_path)
