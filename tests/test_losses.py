"""The loss of masked frames is nothing at all, and targets are Gaussians that nothing cuts off."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax import losses

RNG = np.random.default_rng(0)
LOGITS = jnp.asarray(RNG.normal(size=(2, 5, 3)), jnp.float32)
TARGETS = jnp.asarray(RNG.random((2, 5, 3)), jnp.float32)
WEIGHTS = (0.5, 2.0, 3.0)
MASK = jnp.asarray([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], jnp.float32)


def test_bce_equals_its_formula():
    p = 1 / (1 + np.exp(-np.asarray(LOGITS, np.float64)))
    y = np.asarray(TARGETS, np.float64)
    each = -(y * np.log(p) + (1 - y) * np.log(1 - p)) * np.asarray(MASK)[..., None]
    each *= WEIGHTS
    total, count = losses.masked_bce(LOGITS, TARGETS, MASK, WEIGHTS)
    assert float(total) == pytest.approx(each.sum(), rel=1e-6)
    assert float(count) == 7 * 5.5


def test_masking_equals_dropping():
    keep = np.asarray(MASK, bool)
    total, count = losses.masked_bce(LOGITS, TARGETS, MASK, WEIGHTS)
    dropped, n = losses.masked_bce(
        LOGITS[keep][None], TARGETS[keep][None], jnp.ones((1, 7)), WEIGHTS
    )
    assert float(total) == pytest.approx(float(dropped), rel=1e-6)
    assert float(count) == float(n)


def test_gradient_is_finite_and_zero_under_the_mask():
    wild = jnp.where(MASK[..., None] > 0, LOGITS, 1e30)
    grad = jax.grad(lambda x: losses.masked_bce(x, TARGETS, MASK, WEIGHTS)[0])(wild)
    assert bool(jnp.isfinite(grad).all())
    assert bool((grad[MASK == 0] == 0).all())


def test_targets_are_gaussians_of_the_distance():
    asleep = jnp.asarray([[0.0, 1.0, 0.5]])
    distance = jnp.asarray([[[0.0, 20.0], [-20.0, 60.0], [1e6, -1e6]]])
    targets = np.asarray(losses.gaussian_targets(asleep, distance, 20.0))
    e = np.exp
    expected = [[0, 1, e(-0.5)], [1, e(-0.5), e(-4.5)], [0.5, 0, 0]]
    np.testing.assert_allclose(targets[0], expected, atol=1e-7)
