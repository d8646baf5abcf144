"""One battery over every model: shapes, gradients, length, precision, alignment, wiring."""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax import models
from sleepjax.models.head import PRIOR
from sleepjax.models.unet2d import ResNetEncoder
from sleepjax.types import CLASSES, InputError

DOWNSAMPLE, FEATURES, STEPS = 4, 3, 803
WIDTHS = (8, 16)
TINY: dict[str, Any] = dict(
    downsample=DOWNSAMPLE,
    extractor=dict(name="cnn", height=8, kernels=(8,)),
    decoder=dict(name="unet1d", widths=WIDTHS, norm="layer"),
)
SETTINGS = {"spec1d": TINY, "spec2d": TINY | dict(unet2d=dict(depths=(1, 1), width=8))}
PERIOD = {"spec1d": 2, "spec2d": 8}  # frames by which a model's deepest level strides


def apply(model, variables, x, key=None):
    """((logits, out), new statistics); with a key in training mode."""
    return model.apply(
        variables,
        x,
        train=key is not None,
        rngs=None if key is None else {"dropout": key},
        mutable=["batch_stats"] if key is not None else [],
    )


@pytest.fixture(scope="module", params=list(models.MODELS))
def tiny(request):
    """A tiny model, its variables and its two compiled functions."""
    model = models.build(request.param, features=FEATURES, **SETTINGS[request.param])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, STEPS, FEATURES)), jnp.float32)
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), x[:1])

    @jax.jit
    def train(variables, x, key):
        def loss(params):
            (logits, out), new = apply(model, variables | {"params": params}, x, key)
            return jnp.mean(logits**2), (logits, out, new)

        return jax.value_and_grad(loss, has_aux=True)(variables["params"])

    evaluate = jax.jit(lambda variables, x: apply(model, variables, x)[0])
    return SimpleNamespace(
        name=request.param, model=model, variables=variables, x=x, train=train, evaluate=evaluate
    )


def paths(tree):
    return {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_leaves_with_path(tree)}


def test_logits_are_float32_per_frame_and_class(tiny):
    logits, out = tiny.evaluate(tiny.variables, tiny.x)
    frames = math.ceil(STEPS / DOWNSAMPLE)
    assert logits.shape == (3, frames, len(CLASSES)) and logits.dtype == jnp.float32
    assert out["image"].shape == (3, frames, 8, 2)
    assert all(np.isfinite(value).all() for value in [logits, *out.values()])


def test_every_parameter_has_a_finite_gradient_that_is_not_zero(tiny):
    (_, _), grads = tiny.train(tiny.variables, tiny.x, jax.random.key(1))
    for path, grad in paths(grads).items():
        assert grad.dtype == jnp.float32, path
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 0, path


def test_parameters_do_not_depend_on_length(tiny):
    init = partial(tiny.model.init, train=False)
    shapes = [
        jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, steps, FEATURES)))
        for steps in (1, STEPS, 17_280)
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_frames_far_from_the_end_do_not_depend_on_length(tiny):
    whole, _ = tiny.evaluate(tiny.variables, tiny.x)
    part, _ = tiny.evaluate(tiny.variables, tiny.x[:, :701])
    assert part.shape[1] == 176
    np.testing.assert_allclose(whole[:, :120], part[:, :120], atol=1e-5)
    assert not np.allclose(whole[:, 174], part[:, 174], atol=1e-4)


def test_windows_do_not_influence_each_other_in_evaluation(tiny):
    whole, _ = tiny.evaluate(tiny.variables, tiny.x)
    other, _ = tiny.evaluate(tiny.variables, tiny.x.at[1:].set(7.0))
    np.testing.assert_allclose(whole[0], other[0], atol=1e-5)
    assert not np.allclose(whole[1], other[1], atol=1e-4)


def test_a_later_signal_moves_the_answer_by_as_many_frames(tiny):
    """Exact alignment through all levels: shift the input by the deepest stride, in frames."""
    frames = PERIOD[tiny.name]
    late = jnp.roll(tiny.x, frames * DOWNSAMPLE, axis=1)
    before, _ = tiny.evaluate(tiny.variables, tiny.x)
    after, _ = tiny.evaluate(tiny.variables, late)
    inner = slice(92, 100)
    shifted = slice(inner.start + frames, inner.stop + frames)
    np.testing.assert_allclose(before[:, inner], after[:, shifted], atol=1e-5)
    assert not np.allclose(before[:, inner], after[:, inner], atol=1e-4)


def test_dropout_changes_features_but_never_zeroes_logits(tiny):
    (_, (one, _, _)), _ = tiny.train(tiny.variables, tiny.x, jax.random.key(1))
    (_, (two, _, _)), _ = tiny.train(tiny.variables, tiny.x, jax.random.key(2))
    assert np.abs(np.array(one - two)).max() > 0
    assert (np.array(one) != 0).all()


def test_statistics_change_only_in_training_and_only_in_batch_norms(tiny):
    (_, (_, _, new)), _ = tiny.train(tiny.variables, tiny.x, jax.random.key(1))
    assert ("batch_stats" in tiny.variables) == (tiny.name == "spec2d")
    assert all(path.startswith("['batch_stats']['unet2d']") for path in paths(new))
    old = {path: value for path, value in paths(tiny.variables).items() if path in paths(new)}
    assert all((np.array(value) != np.array(paths(new)[path])).any() for path, value in old.items())


def test_logits_start_at_the_log_odds_of_the_prior(tiny):
    logits, _ = tiny.evaluate(tiny.variables, tiny.x)
    want = [math.log(PRIOR[name] / (1 - PRIOR[name])) for name in CLASSES]
    np.testing.assert_allclose(np.mean(logits, axis=(0, 1)), want, atol=1.5)


def test_full_resolution_skip_carries_the_signal_alone(tiny):
    """Zero everything below the top level: an impulse still answers, and near its own frame."""
    keep = ("'extractor'", "'head'", "'down0'", "'up0'", "'up1'")

    def top(path, value):
        name = jax.tree_util.keystr(path)
        kept = any(k in name for k in keep) and "'encoder'" not in name
        return value if kept or "batch_stats" in name else jnp.zeros_like(value)

    variables = jax.tree_util.tree_map_with_path(top, tiny.variables)
    frame = 97
    x = tiny.x.at[:, frame * DOWNSAMPLE + 1].add(3.0)
    quiet, out = tiny.evaluate(variables, tiny.x)
    moved, _ = tiny.evaluate(variables, x)
    assert np.abs(out["decoder/down1"]).max() == 0
    change = np.abs(np.array(moved - quiet)).max(axis=(0, 2))
    reached = np.flatnonzero(change > 1e-7)
    radius = {"spec1d": 1 + 4, "spec2d": 1 + 6 + 1 + 4}[tiny.name]
    assert change[frame] > 1e-5
    assert frame - radius <= reached.min() < frame < reached.max() <= frame + radius


def test_each_level_takes_the_level_below_and_its_skip(tiny):
    params = tiny.variables["params"]
    assert params["decoder"]["up0"]["conv1"]["kernel"].shape == (3, 2 * WIDTHS[0], WIDTHS[0])
    if tiny.name == "spec2d":
        image = 4 * 2  # 2x2 blocks of two banks
        ups = {name: params["unet2d"][name]["conv1"]["kernel"].shape for name in ("up1", "up2")}
        assert ups == {"up1": (3, 3, 4 + 8 + image, 4), "up2": (3, 3, 8 + 8, 8)}


def test_bfloat16_computes_close_to_float32_with_float32_parameters(tiny):
    settings = SETTINGS[tiny.name] | {"dtype": "bfloat16"}
    model = models.build(tiny.name, features=FEATURES, **settings)
    shapes = jax.eval_shape(partial(model.init, train=False), jax.random.key(0), tiny.x)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    (logits, out), _ = jax.jit(lambda v, x: apply(model, v, x))(tiny.variables, tiny.x)
    assert logits.dtype == jnp.float32 and out["image"].dtype == jnp.bfloat16
    exact, _ = tiny.evaluate(tiny.variables, tiny.x)
    np.testing.assert_allclose(logits, exact, atol=0.05)
    assert np.abs(np.array(logits - exact)).max() > 0


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_norms_without_running_statistics_keep_none(norm):
    model = models.build("spec2d", unet2d=dict(norm=norm), decoder=dict(norm=norm))
    x = jnp.zeros((1, 64, FEATURES))
    shapes = jax.eval_shape(partial(model.init, train=False), jax.random.key(0), x)
    assert list(shapes) == ["params"]


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("depths, want", [((2, 2, 2, 2), 11_176_512), ((3, 4, 6, 3), 21_284_672)])
def test_encoder_has_as_many_parameters_as_torchvisions_without_its_classifier(depths, want):
    encoder = ResNetEncoder(depths, norm=models.NORMS["batch"])
    init = partial(encoder.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    assert count(shapes["params"]) == want


def test_full_recipe_has_the_size_of_the_baseline_without_its_position_norms():
    """41.9 M less 6.6 M of LayerNorm([C, L]): docs/models.md lists the parts."""
    model = models.build("spec2d", features=4)
    init = partial(model.init, train=False)
    params = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 5760, 4)))["params"]
    parts = {name: count(part) for name, part in params.items()}
    assert parts == {"extractor": 12_992, "unet2d": 24_348_740, "decoder": 10_831_427}


def test_unknown_names_and_values_are_refused_with_what_is_known():
    refused = partial(pytest.raises, InputError)
    with refused(match=r"model 'spec2' is unknown, did you mean 'spec2d'\? Known: spec1d, spec2d"):
        models.build("spec2")
    with refused(match=r"setting 'decodr' of model 'spec1d' is unknown, did you mean 'decoder'\?"):
        models.build("spec1d", decodr={})
    with refused(match=r"decoder 'unet' is unknown, did you mean 'unet1d'\? Known: unet1d"):
        models.build("spec1d", decoder=dict(name="unet"))
    with refused(
        match=r"setting 'widht' of unet2d 'resnet' is unknown, did you mean 'width'\? Kno"
    ):
        models.build("spec2d", unet2d=dict(widht=16))
    with refused(match=r"model.decoder.norm 'batches' is unknown, did you mean 'batch'\?"):
        models.build("spec1d", decoder=dict(norm="batches"))
    with refused(match=r"data.downsample=0 must be a positive whole number, like 2"):
        models.build("spec1d", downsample=0)
    with refused(match=r"model.decoder.widths=8 must be a list of positive whole numbers"):
        models.build("spec1d", decoder=dict(widths=8))
    with refused(match=r"model.decoder.dropout=1.0 must be a number from 0 to below 1"):
        models.build("spec1d", decoder=dict(dropout=1.0))
    with refused(match=r"model.decoder='unet1d' must be a group, like dict\(name="):
        models.build("spec1d", decoder="unet1d")


def test_input_of_other_features_is_refused(tiny):
    with pytest.raises(ValueError, match=r"\(1, 8, 2\) must be \[batch, steps, features=3\]"):
        tiny.model.apply(tiny.variables, jnp.zeros((1, 8, 2)), train=False)
