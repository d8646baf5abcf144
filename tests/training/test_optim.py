"""The schedule warms up, peaks and ends at the last step; decay and clipping reach their arrays."""

import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sleepjax.parallel import sharding
from sleepjax.runs import checkpoints
from sleepjax.runs.checkpoints import Checkpoints
from sleepjax.training import loop, optim
from sleepjax.training.state import Guard, TrainState, eval_variables
from sleepjax.types import InputError
from tests.support.runs import final_state, leaves_equal

SETTINGS: dict[str, Any] = dict(lr=1e-3, warmup=10, weight_decay=0.1, clip=1.0)


def test_schedule():
    _, lr = optim.make(total_steps=100, **SETTINGS)
    values = np.array([float(lr(step)) for step in range(101)])
    assert values.argmax() == 10 and values[10] == pytest.approx(1e-3)
    assert (np.diff(values[:11]) > 0).all() and (np.diff(values[10:]) < 0).all()
    assert values[0] > 0 and values[100] == pytest.approx(0, abs=1e-9)


def test_only_matrices_decay():
    tx, _ = optim.make(total_steps=100, **SETTINGS)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    zero = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    updates: Any = tx.update(zero, tx.init(params), params, step=jnp.int32(10))[0]
    assert bool((updates["kernel"] < 0).all()) and bool((updates["bias"] == 0).all())


def test_large_gradients_are_clipped():
    settings: dict[str, Any] = SETTINGS | {"weight_decay": 0.0}
    tx, _ = optim.make(total_steps=100, **settings)
    params = {"w": jnp.zeros(4)}
    small = {"w": jnp.array([0.5, 0.5, 0.5, 0.5])}
    large = {"w": 1e4 * small["w"]}

    def first_moment(grads):
        state: Any = tx.update(grads, tx.init(params), params, step=jnp.int32(0))[1]
        return optax.tree.norm(state[1].mu)

    np.testing.assert_allclose(first_moment(large), first_moment(small), rtol=1e-5)


def test_it_is_optax_adamw_at_the_learning_rate_of_the_step():
    settings: dict[str, Any] = SETTINGS | {"clip": 1e9}
    tx, lr = optim.make(total_steps=100, **settings)
    params = {"kernel": jnp.full((2, 2), 0.5), "bias": jnp.ones(2)}
    grads = {"kernel": jnp.array([[1.0, -2.0], [0.1, 0.0]]), "bias": jnp.array([3.0, -1.0])}
    decayed = lambda tree: {"kernel": True, "bias": False}
    state: Any = tx.init(params)
    for count, step in enumerate((0, 7, 90)):  # steps between them were skipped
        plain = optax.adamw(float(lr(step)), weight_decay=0.1, mask=decayed)
        expected: Any = None
        other: Any = plain.init(params)
        for _ in range(count + 1):
            expected, other = plain.update(grads, other, params)
        found: Any
        found, state = tx.update(grads, state, params, step=jnp.int32(step))
        for name in params:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_warmup_longer_than_the_run():
    with pytest.raises(InputError, match="optim.warmup=10 must be .* less than total_steps=10"):
        optim.make(total_steps=10, **SETTINGS)


def tiny_state(tx, params):
    zero = jnp.zeros((), jnp.int32)
    guard = Guard(jnp.zeros((), jnp.float32), zero, zero)
    return TrainState(zero, params, {}, tx.init(params), {}, guard)


@pytest.mark.parametrize("freeze", [(), ("a/*",)], ids=["free", "frozen"])
@pytest.mark.parametrize("name", optim.DIRECTIONS)
def test_every_optimiser_descends_and_resumes_bit_for_bit(name, freeze, tmp_path):
    """On a quadratic of a few numbers, saved and restored in the middle as a run is."""
    settings = SETTINGS | {"warmup": 0, "lr": 0.05, "weight_decay": 0.01, "name": name}
    settings |= {"freeze": freeze, "schedule": "constant"}
    tx, _ = optim.make(total_steps=20, **settings)
    kernel = jax.random.normal(jax.random.key(0), (3, 4, 5)) / 2
    params = {"a": {"kernel": kernel, "bias": jnp.ones(5)}, "b": {"kernel": kernel[0] + 1.0}}
    loss = lambda p: sum(jnp.square(leaf - 0.3).sum() for leaf in jax.tree.leaves(p))

    @jax.jit
    def update(state):
        grads = jax.grad(loss)(state.params)
        updates, opt_state = tx.update(grads, state.opt_state, state.params, step=state.step)
        params = optax.apply_updates(state.params, updates)
        return state._replace(step=state.step + 1, params=params, opt_state=opt_state)

    start = state = tiny_state(tx, params)
    for step in range(20):
        if step == 10:
            with Checkpoints(tmp_path) as saved:
                saved.save(state)
        state = update(state)
    here = sharding.shardings(sharding.data_mesh())[0]
    resumed = checkpoints.restore(tmp_path, sharding.placed(jax.eval_shape(lambda: start), here))
    assert int(resumed.step) == 10
    for _ in range(10):
        resumed = update(resumed)
    leaves_equal(state, resumed)
    leaves_equal(eval_variables(state), eval_variables(resumed))
    found: Any = eval_variables(state)["params"]
    assert float(loss(found)) < (0.9 if freeze else 0.7) * float(loss(params))
    assert bool((found["a"]["kernel"] == params["a"]["kernel"]).all()) == bool(freeze)


def test_the_average_of_schedule_free_is_what_is_evaluated():
    """Against the recurrence of the paper: x is the mean of z, y lies between them."""
    settings = SETTINGS | {"warmup": 0, "weight_decay": 0.0, "clip": 1e9, "lr": 0.1}
    tx, _ = optim.make(total_steps=9, name="schedule_free", schedule="constant", **settings)
    params = {"w": jnp.array([1.0, -2.0])}
    state = tiny_state(tx, params)
    z, second = np.array(params["w"]), np.zeros(2)
    zs = []
    for k in range(1, 6):
        grads = {"w": 2 * state.params["w"]}
        second = 0.999 * second + 0.001 * np.square(grads["w"])
        z = z - 0.1 * np.asarray(grads["w"]) / (np.sqrt(second / (1 - 0.999**k)) + 1e-8)
        zs.append(z)
        updates, opt_state = tx.update(grads, state.opt_state, state.params, step=jnp.int32(k))
        state = state._replace(params=optax.apply_updates(state.params, updates))
        state = state._replace(opt_state=opt_state)
        mean = np.mean(zs, axis=0)
        np.testing.assert_allclose(eval_variables(state)["params"]["w"], mean, rtol=1e-4)
        np.testing.assert_allclose(state.params["w"], 0.9 * mean + 0.1 * z, rtol=1e-4)


def test_weights_that_are_loaded_later_are_where_the_average_starts():
    tx, _ = optim.make(total_steps=100, name="schedule_free", schedule="constant", **SETTINGS)
    params, loaded = {"w": jnp.zeros((2, 2))}, {"w": jnp.ones((2, 2))}
    opt_state = optim.restarted(tx.init(params), loaded)
    leaves_equal(optim.averaged(opt_state, loaded), loaded)


def test_factors_of_the_learning_rate_and_frozen_parameters():
    params = {"deep": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "head": jnp.ones((2, 2))}
    grads = jax.tree.map(jnp.ones_like, params)

    def first(**more):
        tx, _ = optim.make(total_steps=100, **(SETTINGS | more))
        return tx.update(grads, tx.init(params), params, step=jnp.int32(10))[0]

    plain: Any = first()
    scaled: Any = first(lr_factors=("deep/bias=0.5", "deep/*=0.1"))
    np.testing.assert_allclose(scaled["deep"]["kernel"], 0.1 * plain["deep"]["kernel"], rtol=1e-6)
    np.testing.assert_allclose(scaled["deep"]["bias"], 0.5 * plain["deep"]["bias"], rtol=1e-6)
    np.testing.assert_array_equal(scaled["head"], plain["head"])
    frozen: Any = first(freeze=("deep/*",))
    assert not frozen["deep"]["kernel"].any() and not frozen["deep"]["bias"].any()
    assert (frozen["head"] < 0).all()


def test_a_training_with_frozen_parts_resumes_bit_for_bit(tiny_config, tmp_path):
    settings = {"optim.name": "schedule_free", "optim.schedule": "constant"}
    settings |= {"optim.freeze": ("extractor/*",), "optim.lr_factors": ("decoder/down*=0.1",)}
    config = tiny_config(settings | {"eval.every": 4})
    loop.run(config, tmp_path / "run", evaluators={})
    step, whole = final_state(tmp_path / "run")
    assert step == 4
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "latest" / "4")
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    kept = [row for row in rows if '"step": 4' not in row]
    (tmp_path / "run" / "metrics.jsonl").write_text("\n".join(kept) + "\n")
    loop.run(config, tmp_path / "run", evaluators={})
    leaves_equal(whole, final_state(tmp_path / "run")[1])
