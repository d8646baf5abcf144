"""One battery over every model and part: shapes, gradients, padding, precision, learning."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from sleepjax import objectives
from sleepjax.types import CLASSES
from tests.support.models import (
    BATCH,
    DOWNSAMPLE,
    FEATURES,
    MEMBERS,
    ONES,
    REAL,
    REAL_FRAMES,
    STEPS,
    apply,
    build,
)

# What these consist of is in other members too; compiling is most of the time here.
AGAIN = ("spec, lstm", "transformer")
PARAMS = {n: pytest.param(n, marks=pytest.mark.slow) if n in AGAIN else n for n in MEMBERS}
PER_FRAME = [param for name, param in PARAMS.items() if name != "detr"]
"""Without the model whose queries stand evenly over the whole window, padding included."""


@pytest.fixture(scope="module", params=PARAMS.values())
def tiny(request):
    """A tiny model, its variables and its two compiled functions."""
    one = MEMBERS[request.param]
    model = build(one)
    objective = objectives.make(**one.loss, downsample=DOWNSAMPLE)
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), BATCH["x"][:1])
    flat, unravel = ravel_pytree(variables["params"])

    @jax.jit
    def train(flat, rest, key):
        def loss(flat):
            output, new = apply(model, rest | {"params": unravel(flat)}, BATCH["x"], None, key)
            total, count = objective.loss(output, BATCH, jnp.zeros((), jnp.int32))
            return total / count, (output[0], new)

        return jax.value_and_grad(loss, has_aux=True)(flat)

    @jax.jit
    def masked(variables, x, mask):
        return apply(model, variables, x, mask)[0]

    def evaluate(variables, x, mask=ONES):  # an argument in any case: one compilation
        return masked(variables, x, mask)

    return SimpleNamespace(
        name=request.param, one=one, model=model, variables=variables, objective=objective,
        flat=flat, rest={k: v for k, v in variables.items() if k != "params"}, unravel=unravel,
        train=train, evaluate=evaluate,
    )  # fmt: skip


def paths(tree):
    return {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_leaves_with_path(tree)}


def test_logits_are_float32_per_frame_and_class(tiny):
    logits, out = tiny.evaluate(tiny.variables, BATCH["x"])
    assert logits.shape == (3, *tiny.one.outputs) and logits.dtype == jnp.float32
    assert all(np.isfinite(value).all() for value in [logits, *out.values()])
    np.testing.assert_allclose(np.mean(logits, axis=(0, 1))[:3], tiny.one.first, atol=1.5)


def test_probabilities_are_from_0_to_1_at_every_step(tiny):
    output = tiny.evaluate(tiny.variables, BATCH["x"])
    probs = tiny.objective.probabilities(output, STEPS)
    assert probs.shape == (3, STEPS, len(CLASSES)) and probs.dtype == jnp.float32
    assert 0 <= probs.min() < probs.max() <= 1


def test_every_parameter_has_a_finite_gradient_that_is_not_zero(tiny):
    _, grads = tiny.train(tiny.flat, tiny.rest, jax.random.key(1))
    for path, grad in paths(tiny.unravel(grads)).items():
        assert grad.dtype == jnp.float32, path
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 0, path


def test_parameters_do_not_depend_on_length(tiny):
    init = partial(tiny.model.init, train=False)
    shapes = [
        jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, steps, FEATURES)))
        for steps in (1, 17_280)
    ]
    assert shapes[0] == shapes[1] == jax.eval_shape(lambda: tiny.variables)


@pytest.mark.parametrize("tiny", PER_FRAME, indirect=True)
def test_padding_does_not_change_real_frames_out_of_reach(tiny):
    """The same parameters at two lengths, the longer one filled up with zeros and masked."""
    padded = BATCH["x"].at[:, REAL:].set(0.0)
    mask = ONES.at[:, REAL_FRAMES:].set(0.0)
    whole, _ = tiny.evaluate(tiny.variables, padded, mask)
    part, _ = tiny.evaluate(tiny.variables, BATCH["x"][:, :REAL], mask[:, :REAL_FRAMES])
    assert part.shape[1] == REAL_FRAMES
    far = REAL_FRAMES - tiny.one.reach
    np.testing.assert_allclose(whole[:, :far], part[:, :far], atol=tiny.one.atol)


def test_signal_in_the_padding_does_not_change_real_frames_out_of_reach(tiny):
    """It is the mask that counts, where a model has context that a mask can cut."""
    mask = ONES.at[:, REAL_FRAMES:].set(0.0)
    whole, _ = tiny.evaluate(tiny.variables, BATCH["x"].at[:, REAL:].set(0.0), mask)
    loud = BATCH["x"].at[:, REAL : REAL + tiny.one.silent].set(0.0)
    other, _ = tiny.evaluate(tiny.variables, loud, mask)
    far = REAL_FRAMES - tiny.one.reach
    np.testing.assert_allclose(other[:, :far], whole[:, :far], atol=tiny.one.atol)
    free, _ = tiny.evaluate(tiny.variables, loud)
    assert tiny.one.masked != np.allclose(free[:, -20:], other[:, -20:], atol=1e-4)


def test_windows_do_not_influence_each_other_in_evaluation(tiny):
    whole, _ = tiny.evaluate(tiny.variables, BATCH["x"])
    other, _ = tiny.evaluate(tiny.variables, BATCH["x"].at[1:].set(7.0))
    np.testing.assert_allclose(whole[0], other[0], atol=1e-5)
    assert not np.allclose(whole[1], other[1], atol=1e-4)


def test_dropout_changes_features_but_never_zeroes_logits(tiny):
    (_, (one, _)), _ = tiny.train(tiny.flat, tiny.rest, jax.random.key(1))
    (_, (two, _)), _ = tiny.train(tiny.flat, tiny.rest, jax.random.key(2))
    assert np.abs(np.array(one - two)).max() > 0
    assert (np.array(one)[..., :3] != 0).all()


def test_statistics_change_only_in_training_and_only_in_batch_norms(tiny):
    (_, (_, new)), _ = tiny.train(tiny.flat, tiny.rest, jax.random.key(1))
    assert ("batch_stats" in tiny.variables) == (tiny.name == "spec2d")
    assert all(path.startswith("['batch_stats']['unet2d']") for path in paths(new))
    old = {path: value for path, value in paths(tiny.variables).items() if path in paths(new)}
    assert all((np.array(value) != np.array(paths(new)[path])).any() for path, value in old.items())


PRECISION = ("spec2d", "panns, tcn", "lstm, mlp", "mingru", "transformer_cnn", "encoder")
"""Members that have every kind of layer among them; compiling all would say no more."""


@pytest.mark.parametrize("name", MEMBERS)
def test_bfloat16_has_float32_parameters_and_outputs(name):
    model = build(MEMBERS[name], dtype="bfloat16")
    init = partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), BATCH["x"])
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    logits, out = jax.eval_shape(lambda v, x: apply(model, v, x, None)[0], shapes, BATCH["x"])
    assert logits.dtype == jnp.float32
    assert jnp.dtype("bfloat16") in {value.dtype for value in out.values()}


@pytest.mark.parametrize("tiny", PRECISION, indirect=True)
def test_bfloat16_computes_close_to_float32(tiny):
    model = build(tiny.one, dtype="bfloat16")
    logits, _ = jax.jit(lambda v, x: apply(model, v, x, None)[0])(tiny.variables, BATCH["x"])
    exact, _ = tiny.evaluate(tiny.variables, BATCH["x"])
    np.testing.assert_allclose(logits, exact, atol=0.1)
    assert np.abs(np.array(logits - exact)).max() > 0


OVERFIT_STEPS = 60


def test_overfits_one_batch(tiny):
    """60 steps of Adam; knowing the share of each class only would give a segmentation 0.47."""
    tx = optax.adam(1e-2)
    update = jax.jit(lambda grads, state: tx.update(grads, state))
    flat, rest, state = tiny.flat, tiny.rest, tx.init(tiny.flat)
    losses = []
    for step in range(OVERFIT_STEPS):
        (loss, (_, rest)), grads = tiny.train(flat, dict(rest), jax.random.key(step))
        change, state = update(grads, state)
        flat = flat + change
        losses.append(float(loss))
    assert losses[-1] < tiny.one.low
