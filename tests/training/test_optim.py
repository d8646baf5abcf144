"""The schedule warms up, peaks and ends at the last step; decay and clipping reach their arrays."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sleepjax.training import optim
from sleepjax.types import InputError

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
