"""The loss of masked frames is nothing at all; targets are functions of the distance alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sleepjax import objectives
from sleepjax.objectives import losses
from sleepjax.types import TOLERANCES, InputError
from tests.reference import losses as reference

RNG = np.random.default_rng(0)
LOGITS = jnp.asarray(RNG.normal(size=(2, 5, 3)), jnp.float32)
TARGETS = jnp.asarray(RNG.random((2, 5, 3)), jnp.float32)
WEIGHTS = (0.5, 2.0, 3.0)
MASK = jnp.asarray([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], jnp.float32)


JITTED = jax.jit(partial(losses.masked_bce, weights=WEIGHTS))


@given(
    arrays(np.float32, (4, 3), elements=st.floats(-6, 6, width=32)),
    arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (4,), elements=st.sampled_from([0.0, 0.25, 1.0])),
)
def test_bce_equals_its_formula(logits, targets, mask):
    total, count = JITTED(logits[None], targets[None], mask[None])
    lists = (a.astype(float).tolist() for a in (logits, targets, mask))
    expected = reference.bce(*lists, weights=WEIGHTS)
    np.testing.assert_allclose((float(total), float(count)), expected, rtol=1e-5, atol=1e-6)


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


DISTANCES = st.integers(-400, 400).map(float) | st.sampled_from(
    [-1e6, 1e6, *map(float, TOLERANCES)]
)


@given(arrays(np.float32, (1, 7, 2), elements=DISTANCES | st.just(-11.5)), st.integers(0, 12))
def test_tolerance_targets_equal_their_definition(distance, drops):
    asleep = np.full((1, 7), 0.25, np.float32)
    found = np.asarray(losses.tolerance_targets(jnp.asarray(asleep), jnp.asarray(distance), drops))
    expected = [[reference.tolerance_target(d, drops) for d in frame] for frame in distance[0]]
    np.testing.assert_allclose(found[0, :, 1:], expected, atol=1e-6)
    np.testing.assert_array_equal(found[..., 0], asleep)


def test_a_tolerance_target_is_the_score_of_an_event_there():
    """The mean over the metric's tolerances of a hit, for an event at each distance."""
    import polars as pl

    from sleepjax.metrics import event_detection_ap

    truth = pl.DataFrame({"series_id": ["a"], "event": ["onset"], "step": [1000]})
    for distance in (0, 11, 12, 35, 36, 359, 360):
        found = truth.with_columns(step=pl.lit(1000 - distance), score=pl.lit(1.0))
        target = losses.tolerance_targets(
            jnp.zeros((1, 1)), jnp.full((1, 1, 2), -distance, jnp.float32), 0
        )
        assert float(target[0, 0, 1]) == pytest.approx(event_detection_ap(truth, found))


def test_tolerance_targets_narrow_with_the_step_and_keep_their_core():
    targets = losses.targets("tolerance", sigma=1.0, decay=1000)
    distance = jnp.asarray([[[0.0, 30.0], [-350.0, 100.0]]])
    at = lambda step: np.asarray(jax.jit(targets)(jnp.zeros((1, 2)), distance, step))[0, :, 1:]
    np.testing.assert_allclose(at(0), [[1, 0.9], [0.1, 0.6]], atol=1e-6)
    np.testing.assert_allclose(at(99), at(0))
    np.testing.assert_allclose(at(100), [[1, 0.8], [0, 0.5]], atol=1e-6)
    np.testing.assert_allclose(at(599), [[1, 0.4], [0, 0.1]], atol=1e-6)
    np.testing.assert_allclose(at(900), [[1, 0], [0, 0]])
    np.testing.assert_allclose(at(10**8), at(900))
    steady = losses.targets("tolerance", sigma=1.0, decay=0)
    np.testing.assert_allclose(
        steady(jnp.zeros((1, 2)), distance, jnp.asarray(10**8))[0, :, 1:], at(0)
    )


def test_the_objective_passes_its_settings_on():
    """Validation at a step uses the targets of training at that step: one function makes both."""
    batch = {
        "asleep": jnp.asarray(RNG.random((2, 5)), jnp.float32),
        "distance": jnp.asarray(RNG.integers(-100, 100, (2, 5, 2)), jnp.float32),
        "mask": MASK,
    }
    settings = dict(sigma=9.0, weights=WEIGHTS, target="tolerance", decay=100)
    objective = objectives.make("segmentation", downsample=4, **settings)
    targets = losses.tolerance_targets(batch["asleep"], batch["distance"], 3)
    expected = losses.masked_bce(LOGITS, targets, MASK, WEIGHTS)
    assert objective.loss((LOGITS, {}), batch, jnp.asarray(39)) == expected
    plain = objectives.make("segmentation", downsample=4, sigma=9.0, weights=WEIGHTS)
    targets = losses.gaussian_targets(batch["asleep"], batch["distance"], 9.0)
    expected = losses.masked_bce(LOGITS, targets, MASK, WEIGHTS)
    np.testing.assert_allclose(plain.loss((LOGITS, {}), batch, jnp.asarray(39)), expected)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(target="tolerence"), "loss.target='tolerence' is unknown, did you mean 'tolerance'?"),
        (dict(decay=5), "loss.decay=5 must be at least 0, and 0 unless loss.target is 'tolerance'"),
        (dict(target="tolerance", decay=-1), "loss.decay=-1 must be at least 0"),
    ],
)
def test_settings_that_make_no_loss(settings, message):
    with pytest.raises(InputError) as error:
        objectives.make("segmentation", downsample=4, sigma=9.0, weights=WEIGHTS, **settings)
    assert message in str(error.value)
