"""Which data a run uses: splits without leakage, and words for data that cannot be split."""

import json
import shutil
from typing import Any

import numpy as np
import polars as pl
import pytest

from sleepjax import metrics
from sleepjax.data.source import open_training_data, uses_simulation
from sleepjax.data.store import prepare
from sleepjax.evaluators import event_ap
from sleepjax.types import InputError


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


def test_a_prepared_store_is_data_too(cohort, tiny_config, tmp_path):
    prepare(cohort, tmp_path / "store", "train", quiet=True)
    config = tiny_config({"data.root": str(tmp_path / "store")})
    assert not uses_simulation(config.data)
    assert open_training_data(config.data, config.simulate).simulated


def test_features_that_the_store_does_not_hold(cohort, tiny_config, tmp_path):
    prepare(cohort, tmp_path / "store", "train", ("anglez", "enmo"), quiet=True)
    config = tiny_config({"data.root": str(tmp_path / "store")})
    with pytest.raises(InputError, match="data.features asks for hour_sin, hour_cos, repeat"):
        open_training_data(config.data, config.simulate)


def test_a_class_without_events_scores_nan(tiny_config):
    config = tiny_config()
    data = open_training_data(config.data, config.simulate)
    window = dict(config.eval, duration=config.data.duration, downsample=12)
    del window["every"]

    def eval_fn(batch) -> Any:
        probs = np.full((*batch["x"].shape[:2], 3), 0.5, np.float32)
        return probs, np.float32(1), np.float32(2)

    onsets = data.solution.filter(event="onset")
    found = event_ap.evaluate(data.valid, onsets, eval_fn, window=window, post=dict(config.post))
    assert np.isnan(found.metrics["event_ap/wakeup"])
    assert np.isnan(found.metrics["event_ap/wakeup@36"])
    assert found.metrics["event_ap"] == metrics.event_detection_ap(onsets, found.events)
    assert found.metrics["loss"] == 0.5
    json.dumps(found.metrics)
