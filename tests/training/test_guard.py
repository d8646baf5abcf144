"""Ruinous updates are skipped on the device, counted, and end the run when there are too many."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax.runs import log
from sleepjax.training import guard, loop
from sleepjax.types import DivergedError
from tests.support.runs import final_state, leaves_equal
from tests.support.training import make_state

ONE = jnp.float32(1)


@jax.jit
def update(state, loss, grad_norm, count=ONE):
    """Every number of the state becomes 1, if the guard lets it."""
    new = make_state(value=1.0)._replace(step=state.step + 1, guard=state.guard)
    return guard.guarded(state, new, loss, count, grad_norm, 10.0)


def reference(losses, counts, norms, spike):
    """What is skipped, by a plain loop: the mean of 50 losses, then an average that forgets."""
    typical, seen, skipped = 0.0, [], []
    for loss, count, norm in zip(losses, counts, norms, strict=True):
        judged = count > 0 and len(seen) >= guard.START
        sound = np.isfinite(loss) and np.isfinite(norm) and not (judged and loss > spike * typical)
        if sound and count > 0:
            seen.append(float(loss))
            forgets = guard.MEMORY * typical + (1 - guard.MEMORY) * loss
            typical = np.mean(seen) if len(seen) <= 50 else forgets
        skipped.append(not sound)
    return typical, skipped


@pytest.mark.parametrize(
    "loss, norm, seen, count, sound",
    [
        (1.0, 1.0, 0, 1, True),
        (1e30, 1.0, 0, 1, True),  # nothing is known yet
        (1e30, 1.0, guard.START - 1, 1, True),  # too little is known
        (9.9, 1.0, 60, 1, True),
        (10.1, 1.0, 60, 1, False),
        (10.1, 1.0, guard.START, 1, False),
        (10.1, 1.0, 60, 0, True),  # nothing was counted: nothing to compare
        (np.nan, 1.0, 60, 1, False),
        (np.nan, 1.0, 60, 0, False),
        (np.inf, 1.0, 0, 1, False),
        (1.0, np.nan, 60, 1, False),
        (1.0, np.inf, 0, 1, False),
    ],
)
def test_a_ruinous_update_changes_nothing_but_the_step(loss, norm, seen, count, sound):
    before = make_state(step=7, typical=1.0, seen=seen, skips=2)
    after, metrics = update(before, jnp.float32(loss), jnp.float32(norm), jnp.float32(count))
    assert int(after.step) == 8 and bool(metrics["skipped"]) is not sound
    expected = make_state(value=1.0) if sound else before
    leaves_equal(after[1:5], expected[1:5])
    assert int(after.guard.skips) == int(metrics["skips"]) == (0 if sound else 3)


def test_the_average_is_that_of_sound_updates():
    rng = np.random.default_rng(0)
    losses = rng.uniform(0.1, 1, 90).astype(np.float32)
    losses[[0, 5, 20, 21, 70, 75]] = 1e-9, 1e-9, 50, np.nan, 9, 40
    counts = np.where(np.isin(np.arange(90), (0, 5, 75)), 0, 3).astype(np.float32)
    norms = np.where(np.arange(90) == 30, np.inf, 1).astype(np.float32)
    state, skipped = make_state(), []
    for loss, count, norm in zip(losses, counts, norms, strict=True):
        state, metrics = update(state, loss, norm, count)
        skipped.append(bool(metrics["skipped"]))
    typical, expected = reference(losses, counts, norms, 10.0)
    assert skipped == expected and [i for i, x in enumerate(skipped) if x] == [20, 21, 30, 70]
    assert int(state.guard.seen) == 90 - 3 - 4
    assert float(state.guard.typical) == pytest.approx(typical, rel=1e-5)


@pytest.fixture
def poisoned(monkeypatch):
    """Batches of the given steps are NaN."""
    original = loop.windows.train_batch

    def poison(*steps):
        def batch_at(*args, step, **kwargs):
            batch = original(*args, step=step, **kwargs)
            return batch | {"x": np.full_like(batch["x"], np.nan)} if step in steps else batch

        monkeypatch.setattr(loop.windows, "train_batch", batch_at)

    return poison


def test_one_bad_batch_is_skipped_and_counted(tiny_config, tmp_path, poisoned):
    poisoned(1)
    result = loop.run(tiny_config(), tmp_path, evaluators={})
    rows = [r for r in log.read_metrics(tmp_path) if "train/skipped" in r]
    assert [row["train/skipped"] for row in rows] == [1, 0]
    assert all(np.isfinite(row["train/loss"]) for row in rows)
    assert np.isfinite(result.metrics["loss"]) and not (tmp_path / guard.FILE).exists()


def test_too_many_in_a_row_end_the_run_and_name_the_windows(tiny_config, tmp_path, poisoned):
    poisoned(2, 3)
    config = tiny_config({"guard.patience": 2})
    message = r"steps 2 to 3 were all skipped: loss nan, gradient norm nan .*skipped\.json"
    with pytest.raises(DivergedError, match=message):
        loop.run(config, tmp_path, evaluators={})
    assert final_state(tmp_path)[0] == 2
    found = json.loads((tmp_path / guard.FILE).read_text())["batches"]
    assert [batch["step"] for batch in found] == [2, 3]
    series = json.loads((tmp_path / "run.json").read_text())["train_series"]
    for batch in found:
        assert len(batch["windows"]) == config.batch_size
        assert all(s in series and 0 <= start for s, start in batch["windows"])


def test_weights_that_predict_nan_end_the_run_as_diverged(tiny_config, tmp_path):
    """One sound update may be so large that the weights overflow; no batch is to blame."""
    config = tiny_config({"optim.lr": 1e6, "optim.clip": 1e6})
    with pytest.raises(DivergedError, match=r"predicts NaN for validation series 'sim.*optim\.lr"):
        loop.run(config, tmp_path, evaluators={})
    assert json.loads((tmp_path / guard.FILE).read_text())["batches"] == []
    with pytest.raises(DivergedError):  # not after a resume either
        loop.run(config, tmp_path, evaluators={})


def test_the_file_names_the_batch_that_was_trained_on(tiny_config):
    from sleepjax.data import source
    from sleepjax.parallel import sharding
    from sleepjax.training import input_pipeline

    config = tiny_config({"seed": 3, "batch_size": 8})
    data = source.open_training_data(config.data, config.simulate)
    made = input_pipeline.make(data.train, config, sharding.data_mesh())
    by_id = {one.meta.series_id: one for one in data.train}
    x = made.batch_at(5)["x"]
    for row, (series, start) in zip(x, made.windows_at(5), strict=True):
        window = by_id[series].features["anglez"][start : start + 960]
        np.testing.assert_array_equal(row[: len(window), 0], window)
