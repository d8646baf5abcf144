"""Worn as an output: trained, validated and saved beside the classes, with any architecture."""

import jax
import jax.numpy as jnp
import pytest

from sleepjax import models
from sleepjax.runs import validation
from sleepjax.training import input
from sleepjax.types import InputError
from tests.members import DOWNSAMPLE, MEMBERS


def test_a_run_saves_a_fourth_probability(worn_finished):
    curves, _ = validation.load(worn_finished.workdir)
    assert {one.probabilities.shape[1] for one in curves} == {4}
    assert 0 <= worn_finished.metrics["event_ap"] <= 1


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
        input.open_data(tiny_config({"data.root": str(tmp_path), "loss.worn": 1.0}))
