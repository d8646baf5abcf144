"""Results say what they were made with, in JSON and in words; probabilities are data."""

import hashlib
import json

import polars as pl
import pytest

from sleepjax import release
from sleepjax.predict import load
from sleepjax.provenance import methods
from sleepjax.training.weights import read_run
from tests.support.scripts import script


@pytest.fixture(scope="module")
def predicted(project, worn_finished, cohort, tmp_path_factory):
    """The outputs of one predict command for two series."""
    folder = tmp_path_factory.mktemp("predicted")
    series = pl.scan_parquet(cohort / "train_series.parquet")
    ids = series.select(pl.col("series_id").unique(maintain_order=True)).head(2).collect()
    series.filter(pl.col("series_id").is_in(ids["series_id"].to_list())).sink_parquet(
        folder / "in.parquet"
    )
    argv = ["--workdir", str(worn_finished.workdir), "--series", str(folder / "in.parquet")]
    argv += ["--out", str(folder / "found.csv"), "--no_figures"]
    argv += ["--probabilities", str(folder / "curves.parquet")]
    assert script(project, "predict").main(argv) == 0
    return folder, argv


def test_probabilities_are_those_of_the_predictor(predicted, worn_finished):
    folder, _ = predicted
    curves = pl.read_parquet(folder / "curves.parquet")
    assert curves.columns == ["series_id", "step", "asleep", "onset", "wakeup", "worn"]
    frame = pl.read_parquet(folder / "in.parquet")
    assert curves.equals(load(worn_finished.workdir).probabilities(frame))
    assert curves.select("series_id", "step").equals(
        frame.select("series_id", pl.col("step").cast(pl.Int64))
    )
    assert curves["asleep"].is_between(0, 1).all()


def test_the_provenance_of_a_result(predicted, worn_finished):
    folder, _ = predicted
    found = json.loads((folder / "found_provenance.json").read_text())
    run = read_run(worn_finished.workdir)
    (weights,) = found["weights"]
    assert weights["sha256"] == release.digest(run.variables)
    assert weights["config"]["optim"]["lr"] == run.config.optim.lr
    assert found["post_processing"]["height"] == 0.001 and found["zone"] is None
    for kind in ("inputs", "results"):
        for one in found[kind]:
            content = (folder / one["name"]).read_bytes()
            assert one["sha256"] == hashlib.sha256(content).hexdigest()
            assert one["bytes"] == len(content)
    names = [one["name"] for one in found["results"]]
    assert names == ["found.csv", "found_events.csv", "found_windows.csv", "curves.parquet"]
    text = found["methods"]
    assert "in 2 wrist-accelerometer recordings" in text and "trained on simulated people" in text
    assert f"SHA-256 of the weights {weights['sha256'][:12]}" in text
    assert "the UTC offsets of the timestamps" in text and "height 0.001" in text


def test_the_words_of_an_ensemble_and_a_zone(predicted):
    folder, _ = predicted
    found = json.loads((folder / "found_provenance.json").read_text())
    second = found["weights"][0] | {"simulated": False, "updates": 9, "sha256": "f" * 64}
    text = methods(found | {"weights": [*found["weights"], second], "zone": "Europe/London"})
    assert "by an ensemble of 2 models" in text and "4 to 9 updates" in text
    assert "trained on simulated people and recordings of people" in text
    assert "the time zone Europe/London" in text


def test_probabilities_are_not_written_over_anything(predicted, project, capsys):
    folder, argv = predicted
    assert script(project, "predict").main(argv) == 2
    assert "exist; give another" in capsys.readouterr().err
    argv = [*argv[:-1], str(folder / "in.parquet"), "--overwrite"]
    assert script(project, "predict").main(argv) == 2
    assert "--probabilities would write" in capsys.readouterr().err
