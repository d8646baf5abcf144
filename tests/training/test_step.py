"""The compiled step: learns, averages, and is the same in parts and over devices."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sleepjax import models
from sleepjax.config import load_config
from sleepjax.parallel import sharding
from sleepjax.training import checks
from sleepjax.training.build import build
from sleepjax.training.state import eval_variables, init_state
from sleepjax.training.step import eval_step, predict_mean, predict_step
from sleepjax.types import InputError
from tests.support.runs import leaves_equal
from tests.support.training import LR_AT, MODEL, OBJECTIVE, SMALL, TX, make_batch, stepper

# Without dropout and batch statistics a window's output does not depend on how it is batched.
DETERMINISTIC = models.build(
    "spec1d", **SMALL, decoder=dict(widths=(8, 16), dropout=0.0, norm="layer")
)


@pytest.fixture(scope="module")
def fresh():
    @cache
    def make(ema=0.0, model=MODEL):
        init = jax.jit(partial(init_state, model=model, tx=TX, ema=ema))
        return init(jax.random.key(0), make_batch()["x"])

    return make


@pytest.fixture(scope="module")
def step():
    return stepper()


@pytest.fixture(scope="module")
def deterministic():
    """The step of the model whose windows do not depend on each other."""
    return stepper(model=DETERMINISTIC)


def test_the_learning_rate_is_that_of_the_state_s_step(fresh, step):
    """Not of the updates that the optimiser made: the guard may have skipped some."""
    batch, moved = make_batch(), {}
    for at in (1, 38):
        state = fresh()._replace(step=jnp.int32(at))
        new, _ = step(state, batch)
        moved[at] = float(optax.tree.norm(jax.tree.map(jnp.subtract, new.params, state.params)))
    assert moved[38] / moved[1] == pytest.approx(float(LR_AT(38) / LR_AT(1)), rel=0.02)


def test_loss_falls_on_one_batch_without_recompiling(fresh, step):
    state, batch, losses = fresh(), make_batch(), []
    for _ in range(40):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.8 * losses[0]
    assert int(state.step) == 40
    assert step._cache_size() == 1


def test_masked_frames_do_not_matter(fresh, step):
    batch = make_batch()
    wild = dict(batch)
    wild["distance"] = np.where(batch["mask"][..., None] > 0, batch["distance"], 0).astype("f")
    wild["asleep"] = np.where(batch["mask"] > 0, batch["asleep"], 7).astype("f")
    leaves_equal(step(fresh(), batch), step(fresh(), wild))


def test_accumulation_equals_the_large_batch(project):
    """With the norm that the refusal of batch norm advises, and no dropout, which draws anew."""
    spec = str(project / "configs" / "spec1d.py:tiny")
    settings = {"model.decoder.norm": "layer", "model.decoder.dropout": 0.0}
    config: Any = load_config(spec, settings)
    n_frames = config.data.duration // config.data.downsample
    batch = {name: a[:, :n_frames] for name, a in make_batch(batch=4, steps=4 * n_frames).items()}
    n_features = len(config.data.features)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, config.data.duration, n_features)).astype(np.float32)
    after = {}
    for parts in (1, 2):
        config = load_config(spec, settings | {"accumulate": parts})
        checks.check_batches(config, 1)
        built = build(config)
        state = built.init(jax.random.key(0))
        after[parts] = jax.jit(built.train_step)(state, batch | {"x": x}, jax.random.key(1))
    leaves_equal(after[1][0].params, after[2][0].params, rtol=1e-4, atol=1e-6)
    for name, rel in (("loss", 1e-6), ("grad_norm", 1e-5)):
        assert float(after[1][1][name]) == pytest.approx(float(after[2][1][name]), rel=rel)


def test_accumulation_over_batch_statistics_is_refused(project):
    """Whatever the setting is called: the model's variables tell."""
    for name in ("spec1d", "spec2d", "centernet", "detr"):
        config = load_config(str(project / "configs" / f"{name}.py:tiny"), {"accumulate": 2})
        with pytest.raises(InputError, match="accumulate=2 is not the update .* norm='layer'"):
            checks.check_batches(config, 1)
    config = load_config(str(project / "configs" / "transformer.py:tiny"), {"accumulate": 2})
    checks.check_batches(config, 1)


def test_one_device_equals_four(fresh, deterministic):
    if jax.device_count() < 4:
        pytest.skip("needs four devices")
    replicated, by_batch = sharding.shardings(sharding.data_mesh())
    state = fresh(model=DETERMINISTIC)
    one = deterministic(state, make_batch())
    placed = jax.device_put(state, replicated)
    many = deterministic(placed, sharding.to_global(make_batch(), by_batch))
    leaves_equal(one[0].params, many[0].params, rtol=1e-4, atol=1e-5)
    assert float(one[1]["loss"]) == pytest.approx(float(many[1]["loss"]), rel=1e-5)


def test_ema_follows_the_parameters_and_is_what_is_evaluated(fresh):
    step = stepper(ema=0.9)
    state = fresh(ema=0.9)
    before = state.params
    after, _ = step(state, make_batch())
    decay = 1 / 10  # the average starts fast: (1 + step) / (10 + step)
    expected = jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, before, after.params)
    leaves_equal(after.ema["params"], expected, rtol=1e-5, atol=1e-7)
    assert set(after.ema) == {"params", *after.model_state}
    assert eval_variables(after) is after.ema
    assert eval_variables(fresh())["params"] is not None


def test_validation_loss_is_the_training_loss(fresh, deterministic):
    model = DETERMINISTIC
    state, batch = fresh(model=model), make_batch()
    _, metrics = deterministic(state, batch)
    probs, total, count = jax.jit(
        lambda v, b: eval_step(v, b, state.step, model=model, objective=OBJECTIVE)
    )(eval_variables(state), batch)
    assert float(total / count) == pytest.approx(float(metrics["loss"]), rel=1e-5)
    predicted = jax.jit(lambda v, x: predict_step(v, x, model=model, objective=OBJECTIVE))(
        eval_variables(state), batch["x"]
    )
    leaves_equal(probs, predicted, rtol=1e-6, atol=1e-7)


PANNS: dict[str, Any] = dict(name="panns", height=8, kernels=(16,), sensors=1)
TOGETHER: dict[str, Any] = {
    "image": models.build("spec1d", downsample=4, extractor=PANNS, decoder=dict(widths=(8, 16))),
    "no image": models.build("transformer", width=16, depth=1, heads=2, downsample=4),
}


@pytest.mark.parametrize("model", TOGETHER.values(), ids=TOGETHER)
def test_the_mean_of_members_is_that_of_each_alone(model):
    x, how = jnp.asarray(make_batch()["x"]), {"model": model, "objective": OBJECTIVE}
    begin = jax.jit(partial(model.init, train=False))
    members = [begin(jax.random.key(i), x) for i in range(3)]
    alone = jax.jit(partial(predict_step, **how))
    each = [alone(one, x) for one in members]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    found = jax.jit(partial(predict_mean, **how))(stacked, x)
    leaves_equal(found, sum(each) / len(each), rtol=1e-5, atol=1e-6)
    assert float(jnp.abs(found - each[0]).max()) > 0.01
