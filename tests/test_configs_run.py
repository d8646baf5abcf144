"""Every config trains in its tiny variant: two updates here, a whole run with pytest -m slow."""

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

import sleepjax
from sleepjax.training import checks
from sleepjax.training.build import build
from tests.support.project import CONFIGS

EVERY = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def one_night(config):
    """A batch of two windows of noise, with one sleep in each."""
    rng = np.random.default_rng(0)
    d, frames = config.data.downsample, config.data.duration // config.data.downsample
    centre = np.arange(frames) * d + (d - 1) / 2
    distance = centre[:, None] - np.array([frames * d // 4, frames * d * 3 // 4])
    batch = {
        "x": rng.normal(size=(2, config.data.duration, len(config.data.features))),
        "asleep": np.tile((distance[:, 0] >= 0) & (distance[:, 1] < 0), (2, 1)),
        "distance": np.tile(distance, (2, 1, 1)),
        "mask": np.ones((2, frames)),
    }
    if config.loss.get("worn", 0):
        batch |= {"worn": np.ones((2, frames)), "worn_mask": np.ones((2, frames))}
    return {name: jnp.asarray(values, jnp.float32) for name, values in batch.items()}


@EVERY
def test_two_updates_of_the_tiny_variant(path):
    # parts.py has one size of model; its smallest decoder compiles fastest.
    arg = "tiny,decoder=mlp" if path.stem == "parts" else "tiny"
    config = sleepjax.load_config(f"{path}:{arg}")
    checks.check(config)
    built, batch, key = build(config), one_night(config), jax.random.key(0)
    update, state = jax.jit(built.train_step), jax.jit(built.init)(key)
    for _ in range(2):
        state, metrics = update(state, batch, key)
        assert np.isfinite(metrics["loss"]) and not metrics["skipped"]
    assert int(state.step) == 2


@pytest.mark.slow
@EVERY
def test_tiny_variant_runs_from_training_to_events(path, cohort, tmp_path):
    config = sleepjax.load_config(f"{path}:tiny", {"data.root": str(cohort)})
    result = sleepjax.train(config, tmp_path)
    assert np.isfinite(result.metrics["loss"]) and 0 <= result.metrics["event_ap"] <= 1
    series = pl.read_parquet(cohort / "test_series.parquet")
    events = sleepjax.load(tmp_path).predict(series)
    assert set(events["event"]) <= {"onset", "wakeup"} and events["score"].is_finite().all()
