"""Worn as an output: trained, validated and saved beside the classes, with any architecture."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from sleepjax import models
from sleepjax.data.raw import recordings_from_frame
from sleepjax.predict import Predictor, load
from sleepjax.runs import validation
from sleepjax.training import input_pipeline
from sleepjax.types import CLASSES, InputError
from tests.support.models import DOWNSAMPLE, MEMBERS


def test_a_run_saves_a_fourth_probability(worn_finished):
    curves, _ = validation.load(worn_finished.workdir)
    assert {one.probabilities.shape[1] for one in curves} == {4}
    assert 0 <= worn_finished.metrics["event_ap"] <= 1


@pytest.fixture(scope="module")
def series(cohort):
    scan = pl.scan_parquet(cohort / "train_series.parquet")
    first = scan.select(pl.col("series_id").first()).collect().item()
    return scan.filter(pl.col("series_id") == first).collect()


def test_the_predictor_reports_it_at_every_step(worn_finished, finished, series):
    predictor = load(worn_finished.workdir)
    curves = predictor.probabilities(series)
    assert curves.columns == ["series_id", "step", "asleep", "onset", "wakeup", "worn"]
    assert curves["step"].equals(series["step"].cast(pl.Int64))
    assert set(curves.dtypes[2:]) == {pl.Float32} and curves["worn"].is_between(0, 1).all()
    found = predictor.find(recordings_from_frame(series)[0])
    np.testing.assert_array_equal(found.probabilities, curves.select(*CLASSES, "worn").to_numpy())
    mixed = Predictor((*predictor.members, *load(finished.workdir).members), {})
    assert mixed.probabilities(series).columns == curves.columns[:-1]


def test_without_the_watch_there_is_no_event_and_no_window(worn_finished, series):
    """A model that says worn in the first half only finds nothing in the second."""
    predictor = load(worn_finished.workdir)
    (member,) = predictor.members

    def predict_mean(_, x):
        any_event = np.random.default_rng(0).random((*x.shape[:2], 3))
        first_half = x[..., -1:] < 0.5  # by the feature step
        return np.concatenate([any_event, first_half], axis=-1, dtype=np.float32)

    config = member.config.copy_and_resolve_references()
    with config.unlocked():
        config.data.features = ("enmo", "step")
        config.eval.trim = 0
    half = len(series) // 2
    other = dataclasses.replace(member, config=config, predict_mean=predict_mean)
    found = Predictor((other,), {"height": 0.01}).find(recordings_from_frame(series)[0])
    steps = found.events["step"].to_numpy()
    assert len(steps) and steps.max() < half + 6  # snapping moves an event by up to 6 steps
    assert (found.windows["onset_step"] < half + 360).all()


@pytest.mark.parametrize("name", [n for n in MEMBERS if n not in ("centernet", "detr")])
def test_every_model_that_answers_per_frame_has_it(name):
    one = MEMBERS[name]
    model = models.build(one.name, downsample=DOWNSAMPLE, worn=True, **one.settings)
    call = lambda x: model.init_with_output(jax.random.key(0), x, train=False)[0]
    (logits, _) = jax.eval_shape(call, jnp.zeros((2, 64, 3)))
    assert logits.shape == (2, 16, 4)


def test_without_known_wear_there_is_nothing_to_learn(tiny_config, cohort, tmp_path):
    for name in ("train_series.parquet", "train_events.csv"):
        (tmp_path / name).symlink_to(cohort / name)
    with pytest.raises(InputError, match=r"loss.worn=1.0 needs .*train_nonwear.csv.*loss.worn=0"):
        input_pipeline.open_data(tiny_config({"data.root": str(tmp_path), "loss.worn": 1.0}))
