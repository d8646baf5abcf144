"""Models from config groups: every combination, counts of parameters, what is refused."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from sleepjax import models, objectives
from sleepjax.models.unet2d import ResNetEncoder
from sleepjax.types import InputError
from tests.support.models import BATCH, DOWNSAMPLE, MEMBERS, apply, build, member


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_norms_without_running_statistics_keep_none(norm):
    model = models.build("spec2d", unet2d=dict(norm=norm), decoder=dict(norm=norm))
    x = jnp.zeros((1, 64, 3))
    shapes = jax.eval_shape(partial(model.init, train=False), jax.random.key(0), x)
    assert list(shapes) == ["params"]


def count(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("depths, want", [((2, 2, 2, 2), 11_176_512), ((3, 4, 6, 3), 21_284_672)])
def test_encoder_has_as_many_parameters_as_torchvisions_without_its_classifier(depths, want):
    encoder = ResNetEncoder(depths, norm="batch")
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
    with refused(match=r"data.downsample=0 must be a positive whole number"):
        models.build("spec1d", downsample=0)
    with refused(match=r"model.decoder.widths=8 must be of type tuple, like \(64, 128, 256"):
        models.build("spec1d", decoder=dict(widths=8))
    with refused(match=r"model.decoder.dropout=1.0 must be a number from 0 to below 1"):
        models.build("spec1d", decoder=dict(dropout=1.0))
    with refused(match=r"model.decoder.widths=\(8, 0\) must be a list of positive whole numbers"):
        models.build("spec1d", decoder=dict(widths=[8, 0]))
    with refused(match=r"model.width=0 must be a positive whole number"):
        models.build("transformer", width=0)
    with refused(match=r"model.decoder.width=True must be of type int, like 64"):
        models.build("spec1d", decoder=dict(name="tcn", width=True))
    with refused(match=r"model.decoder='unet1d' must be a group, like dict\(name="):
        models.build("spec1d", decoder="unet1d")


def test_a_setting_of_another_decoder_leads_to_the_config_that_has_both():
    message = (
        r"setting 'widths' of decoder 'tcn' is unknown, did you mean 'width'\? Known: "
        r"dropout, width, depth, norm. It is one of decoder 'unet1d'; .*configs/parts.py:decoder=tc"
    )
    with pytest.raises(InputError, match=message):
        models.build("spec1d", decoder=dict(name="tcn", widths=(8, 16)))


def test_input_that_a_model_cannot_take_is_refused():
    model = models.build("spec1d", features=3, extractor=dict(name="spec", sensors=4))
    init = partial(jax.eval_shape, partial(model.init, train=False), jax.random.key(0))
    with pytest.raises(ValueError, match=r"\(1, 8, 2\) must be \[batch, steps, features=3\]"):
        init(jnp.zeros((1, 8, 2)))
    with pytest.raises(InputError, match=r"extractor.sensors=4 is more than the 3 features"):
        init(jnp.zeros((1, 8, 3)))
    model = models.build("spec1d", decoder=dict(name="transformer", width=30))
    with pytest.raises(InputError, match=r"width=30 must be a multiple of 2 \* heads=8"):
        jax.eval_shape(partial(model.init, train=False), jax.random.key(0), jnp.zeros((1, 8, 3)))


SMALL = {
    "cnn": dict(height=4, kernels=(8,)),
    "spec": dict(height=4),
    "panns": dict(height=4, kernels=(8,)),
    "lstm": dict(height=4, depth=1),
    "unet1d": dict(widths=(4, 8)),
    "mlp": dict(width=8, depth=1),
    "mingru": dict(width=8, depth=1),
    "tcn": dict(width=8, depth=1),
    "transformer": dict(width=8, depth=1),
    "transformer_cnn": dict(width=8, depth=1),
}


def pair(extractor, decoder) -> dict[str, Any]:
    settings = SMALL | {"lstm decoder": dict(width=8, depth=1)}
    return dict(
        extractor=dict(name=extractor, **SMALL[extractor]),
        decoder=dict(name=decoder, **settings.get(f"{decoder} decoder", settings[decoder])),
    )


@pytest.mark.parametrize("extractor", models.EXTRACTORS)
@pytest.mark.parametrize("decoder", models.DECODERS)
def test_every_extractor_feeds_every_decoder(extractor, decoder):
    downsample = 6
    model = models.build("spec1d", downsample=downsample, **pair(extractor, decoder))
    x = jnp.zeros((2, 25, 3))
    variables = jax.eval_shape(partial(model.init, train=False), jax.random.key(0), x)
    train = partial(model.apply, train=True, mutable=["batch_stats"])
    (logits, out), _ = jax.eval_shape(
        lambda v, x: train(v, x, rngs={"dropout": jax.random.key(0)}), variables, x
    )
    frames = -(-25 // downsample)
    assert logits.shape == (2, frames, 3)
    assert out["image"].shape[:3] == (2, frames, 4)


PAIRS = [(e, d) for e in models.EXTRACTORS for d in models.DECODERS]


@pytest.mark.slow
@pytest.mark.parametrize("extractor, decoder", PAIRS)
@pytest.mark.parametrize("name", ["spec1d", "spec2d", "centernet"])
def test_every_pair_learns_in_every_model_that_takes_one(name, extractor, decoder):
    """Twenty steps of Adam on one batch take off a tenth of the loss: what an MLP can do."""
    like = MEMBERS[name]
    more = {"unet2d": like.settings["unet2d"]} if name == "spec2d" else {}
    one = member(name, **pair(extractor, decoder), **more)
    model, objective = build(one), objectives.make(**like.loss, downsample=DOWNSAMPLE)
    key, tx = jax.random.key(0), optax.adam(1e-2)

    @jax.jit
    def update(params, rest, state):
        def loss(params):
            output, new = apply(model, rest | {"params": params}, BATCH["x"], None, key)
            total, count = objective.loss(output, BATCH, jnp.zeros((), jnp.int32))
            return total / count, new

        (value, rest), grads = jax.value_and_grad(loss, has_aux=True)(params)
        change, state = tx.update(grads, state)
        return optax.apply_updates(params, change), rest, state, value

    rest = dict(jax.jit(partial(model.init, train=False))(key, BATCH["x"][:1]))
    params = rest.pop("params")
    state, losses = tx.init(params), []
    for _ in range(20):
        params, rest, state, value = update(params, dict(rest), state)
        losses.append(float(value))
    assert losses[-1] < 0.9 * losses[0]
