"""Which data a run uses: splits without leakage, and words for data that cannot be split."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sleepjax import metrics
from sleepjax.config import load_config
from sleepjax.data import features, rest, source
from sleepjax.data.source import open_training_data, uses_simulation
from sleepjax.data.store import prepare
from sleepjax.evaluation import event_ap
from sleepjax.inference import Windowing
from sleepjax.types import InputError
from tests.support.project import CONFIGS


@pytest.fixture(scope="module")
def few_labels(cohort, tmp_path_factory):
    """The cohort with the events of one series only."""
    root = tmp_path_factory.mktemp("few")
    shutil.copy(cohort / "train_series.parquet", root)
    events = pl.read_csv(cohort / "train_events.csv", infer_schema=False)
    named = events.drop_nulls("step")["series_id"][0]
    kept = pl.when(pl.col("series_id") == named)
    events.with_columns(kept.then("step").alias("step"), kept.then("timestamp")).write_csv(
        root / "train_events.csv"
    )
    return root, named


def test_the_hash_of_labels_follows_every_label_and_no_order():
    events = pl.DataFrame(
        {"series_id": ["a", "a"], "event": ["onset", "wakeup"], "step": [12, None]}
    )
    moved = events.with_columns(step=pl.Series([13, None]))
    assert source._hash(events) == source._hash(events.reverse()) != source._hash(moved)
    wear = pl.DataFrame({"series_id": ["a"], "start_step": [1], "end_step": [2]})
    assert source._hash(events, wear) not in (source._hash(events), source._hash(moved, wear))


def test_no_series_is_in_both_parts_and_all_are_in_one(tiny_config):
    config = tiny_config()
    seen = []
    for fold in range(config.data.folds):
        data = open_training_data(dict(config.data, fold=fold), config.simulate)
        train, valid = ({one.meta.series_id for one in part} for part in (data.train, data.valid))
        assert not train & valid and len(train | valid) == 6
        assert set(data.solution["series_id"]) <= valid
        seen += sorted(valid)
    assert sorted(seen) == sorted(data.store.series_ids)


def test_a_fold_without_labels_is_refused_before_training(few_labels, tiny_config, tmp_path):
    root, named = few_labels
    config = tiny_config({"data.root": str(root), "data.store": str(tmp_path / "store")})
    refused = 0
    for fold in range(3):
        try:
            data = open_training_data(dict(config.data, fold=fold), config.simulate)
            assert named in {one.meta.series_id for one in data.valid}
        except InputError as error:
            assert f"data.fold={fold} holds no labelled night" in str(error)
            refused += 1
    assert refused == 2


def test_the_same_recording_under_two_names_stays_in_one_fold(cohort, tiny_config, tmp_path):
    frame = pl.read_parquet(cohort / "train_series.parquet")
    first = frame["series_id"][0]
    twin = frame.filter(series_id=first).with_columns(series_id=pl.lit("twin"))
    pl.concat([frame, twin]).write_parquet(tmp_path / "train_series.parquet")
    shutil.copy(cohort / "train_events.csv", tmp_path)
    config = tiny_config({"data.root": str(tmp_path)})
    data = open_training_data(config.data, config.simulate)
    for part in (data.train, data.valid):
        ids = {one.meta.series_id for one in part}
        assert (first in ids) == ("twin" in ids)


def test_a_prepared_store_is_data_too_unless_other_code_made_it(
    cohort, tiny_config, tmp_path, monkeypatch
):
    prepare(cohort, tmp_path / "store", "train", quiet=True)
    config = tiny_config({"data.root": str(tmp_path / "store")})
    assert not uses_simulation(config.data)
    assert open_training_data(config.data, config.simulate).simulated
    monkeypatch.setitem(features.FEATURES, "repeat", pl.col("enmo"))
    monkeypatch.setattr(rest, "TURN", 9.0)
    with pytest.raises(InputError, match="another version .* differs in repeat, repair; prepare"):
        open_training_data(config.data, config.simulate)


def test_features_that_the_store_does_not_hold_are_computed(cohort, tiny_config, tmp_path):
    config = tiny_config()
    whole = open_training_data(config.data, config.simulate)
    prepare(cohort, tmp_path / "store", "train", ("anglez", "enmo"), quiet=True)
    config = tiny_config({"data.root": str(tmp_path / "store")})
    some = open_training_data(config.data, config.simulate)
    for one, other in zip(whole.train, some.train, strict=True):
        assert list(one.features) == list(other.features)
        for name, values in one.features.items():
            assert np.asarray(values).tobytes() == np.asarray(other.features[name]).tobytes()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda root: None, "data.root: data folder '.*' does not exist; give the folder"),
        (lambda root: root.write_text(""), "data.root: data folder '.*' is a file"),
        (lambda root: root.mkdir(), "data.root: .*: no train_series.parquet .* holds: nothing"),
    ],
)
def test_a_root_that_was_given_is_never_simulated(tiny_config, tmp_path, make, message):
    make(tmp_path / "root")
    config = tiny_config({"data.root": str(tmp_path / "root")})
    assert not uses_simulation(config.data)
    with pytest.raises(InputError, match=f"{message}.* leave data.root at 'data/child-mind'"):
        open_training_data(config.data, config.simulate)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_configs_look_for_recordings_where_simulated_ones_stand_in(path):
    data: Any = load_config(path).data
    assert Path(data.root) == source.DEFAULT_ROOT
    assert (data.store, data.tz, data.drop_bad) == ("", "", False)


def test_simulated_data_stand_in_for_the_default_root(tiny_config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = tiny_config({"data.root": "data/child-mind", "data.store": "mine/store"})
    (tmp_path / "data" / "child-mind").mkdir(parents=True)
    (tmp_path / "data" / "child-mind" / "all.zip").touch()
    simulate = dict(series=4, days=1, seed=0)
    assert uses_simulation(config.data)
    assert open_training_data(config.data, simulate).store.root == Path("mine/store")
    assert (
        "holds no recordings (train_series.parquet or csv), only all.zip."
        in capsys.readouterr().err
    )
    assert not list(tmp_path.rglob("prepared"))


def test_simulated_and_real_recordings_do_not_replace_each_other(cohort, tmp_path):
    shutil.copytree(cohort, tmp_path / "real", ignore=shutil.ignore_patterns("prepared"))
    (tmp_path / "real" / "simulation.json").unlink()
    prepare(tmp_path / "real", tmp_path / "store", "train", ("anglez",), quiet=True)
    with pytest.raises(
        InputError, match="store was prepared from recordings of people; give anoth"
    ):
        prepare(cohort, tmp_path / "store", "train", ("anglez",), quiet=True)


def test_the_fold_is_checked_before_anything_is_read(tiny_config):
    config = tiny_config({"data.root": "nowhere", "data.fold": 3})
    with pytest.raises(InputError, match="data.fold=3 must be from 0 to 2"):
        open_training_data(config.data, config.simulate)


def test_windows_longer_than_every_recording(tiny_config):
    config = tiny_config({"data.duration": 51_841})
    with pytest.raises(InputError, match="data.duration=51841 .* 'sim.*', has 51840 .72.0 hours"):
        open_training_data(config.data, config.simulate)
    assert open_training_data(dict(config.data, duration=51_840), config.simulate)


def test_timestamps_without_offset_and_series_left_out(cohort, tiny_config, tmp_path):
    """What this config says decides, whatever an earlier one said of the same store."""
    naive = pl.col("timestamp").str.slice(0, 19)
    frame = pl.read_parquet(cohort / "train_series.parquet").with_columns(naive)
    bad = pl.col("series_id") == frame["series_id"][0]
    frame.with_columns(enmo=pl.when(~bad).then("enmo")).write_parquet(
        tmp_path / "train_series.parquet"
    )
    events = pl.read_csv(cohort / "train_events.csv", infer_schema=False)
    events.with_columns(naive).write_csv(tmp_path / "train_events.csv")
    open_with = lambda **more: open_training_data(
        dict(tiny_config({"data.root": str(tmp_path)}).data, **more), {}
    )
    with pytest.raises(InputError, match="has no UTC offset"):
        open_with(drop_bad=False)
    with pytest.raises(InputError, match="100%; at most 50%"):
        open_with(tz="America/New_York")
    data = open_with(tz="America/New_York", drop_bad=True)
    assert len(data.train) + len(data.valid) == 5
    written = (data.store.root / "manifest.json").stat().st_mtime_ns
    prepared = dict(root=str(data.store.root), tz="America/New_York", drop_bad=True)
    assert open_with(**prepared).store.series_ids == data.store.series_ids
    for change, message in {
        ("tz", "Europe/London"): "data.tz='Europe/London', but .* with 'America/New_York'; set --c",
        ("tz", ""): "data.tz=None, but .* with 'America/New_York'; set --config.data.tz=America/N",
        ("drop_bad", False): "data.drop_bad=False, but .* with True; set --config.data.drop_bad=T",
        ("store", "elsewhere"): "data.store='elsewhere' would not be used: .* Leave data.store out",
    }.items():
        with pytest.raises(InputError, match=message):
            open_with(**prepared | dict([change]))
    assert (data.store.root / "manifest.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="100%; at most 50%"):
        open_with(tz="America/New_York")
    with pytest.raises(InputError, match="has no UTC offset"):
        open_with(drop_bad=False)


def test_a_class_without_events_scores_nan(tiny_config):
    config = tiny_config()
    data = open_training_data(config.data, config.simulate)

    def eval_fn(batch) -> Any:
        probs = np.full((*batch["x"].shape[:2], 3), 0.5, np.float32)
        return probs, np.float32(1), np.float32(2)

    onsets = data.solution.filter(event="onset")
    found = event_ap.evaluate(
        data.valid, onsets, eval_fn, windowing=Windowing.of(config), post=dict(config.post)
    )
    assert np.isnan(found.metrics["event_ap/wakeup"])
    assert np.isnan(found.metrics["event_ap/wakeup@36"])
    assert found.metrics["event_ap"] == metrics.event_detection_ap(onsets, found.events)
    assert found.metrics["loss"] == 0.5
    json.dumps(found.metrics)
