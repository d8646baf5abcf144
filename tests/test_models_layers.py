"""Each block against a slow oracle, with attention to where in time its outputs lie."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.models.extractors import CNNSpectrogram
from sleepjax.models.initializers import he_uniform, lecun_uniform
from sleepjax.models.layers import (
    FrameConv,
    Upsample,
    blocks_from_pixels,
    max_pool,
    pixels_from_blocks,
)
from sleepjax.models.unet2d import Stem
from tests.reference import models as reference

RATES = (1, 2, 4, 6, 8, 12)


@pytest.mark.parametrize("rate", RATES)
def test_kernels_can_be_centred_on_a_frame_and_see_all_of_it(rate):
    for kernel in range(1, 34):
        init = FrameConv(3, kernel, rate).init
        shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 40, 2)))
        size = shapes["params"]["kernel"].shape[0]
        assert size >= rate and (size - rate) % 2 == 0
        assert size - max(kernel, rate) in (0, 1)


@settings(max_examples=6)
@given(
    steps=st.integers(1, 60),
    rate=st.sampled_from(RATES),
    excess=st.integers(0, 12),
    seed=st.integers(0, 99),
)
def test_frame_conv_equals_the_strided_sum_around_each_frames_centre(steps, rate, excess, seed):
    rng = np.random.default_rng(seed)
    size = rate + 2 * excess
    x, kernel, bias = rng.normal(size=(steps, 2)), rng.normal(size=(size, 2, 3)), rng.normal(size=3)
    apply = jax.jit(FrameConv(3, size, rate).apply)
    got = apply({"params": {"kernel": kernel, "bias": bias}}, x[None].astype(np.float32))
    want = reference.frame_conv(x, kernel, bias, rate)
    np.testing.assert_allclose(got[0], want, atol=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_impulse_answers_at_its_own_frame_in_every_bank(rate):
    """With kernels that peak at their centre, the greatest answer to step t is at frame t // d."""
    steps = 5 * rate + 1
    module = CNNSpectrogram(height=2, kernels=(32, 16), downsample=rate)
    x = jnp.eye(steps)[..., None]  # one window per impulse, [B=T,T,F=1]
    params = jax.eval_shape(partial(module.init, train=False), jax.random.key(0), x)["params"]
    for bank in params.values():
        size, *rest = bank["kernel"].shape
        peak = 1 - np.abs(np.arange(size) - (size - 1) / 2) / size
        bank["kernel"] = np.broadcast_to(peak[:, None, None], (size, *rest))
        bank["bias"] = np.zeros(bank["bias"].shape)
    image = jax.jit(partial(module.apply, train=False))({"params": params}, x)  # [T,T',H,C]
    assert image.shape == (steps, -(-steps // rate), 2, 3)
    want = np.broadcast_to(np.arange(steps)[:, None, None] // rate, (steps, 2, 3))
    np.testing.assert_array_equal(image.argmax(axis=1), want)


@pytest.mark.parametrize("extent", [(8, 6), (7, 5)])
def test_stem_equals_the_strided_convolution(extent):
    x = np.random.default_rng(0).normal(size=(*extent, 2))
    module = Stem(3)
    params = module.init(jax.random.key(1), jnp.asarray(x)[None])["params"]
    got = module.apply({"params": params}, jnp.asarray(x)[None])
    np.testing.assert_allclose(got[0], reference.stem(x, np.array(params["kernel"])), atol=1e-5)


@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("extent", [1, 2, 7, 8])
def test_max_pool_equals_the_window_maximum(window, extent):
    x = np.random.default_rng(extent).normal(size=extent).astype(np.float32) - 9
    got = max_pool(jnp.asarray(x)[None, :, None], window, axis=1)[0, :, 0]
    np.testing.assert_array_equal(got, reference.max_pool(x, window))


@pytest.mark.parametrize("shape", [(7,), (8,), (7, 5), (8, 6)])
def test_blocks_come_back_as_the_pixels_they_were(shape):
    x = jnp.arange(2.0 * np.prod(shape)).reshape(2, *shape, 1)
    blocks = blocks_from_pixels(x, len(shape))
    assert blocks.shape == (2, *(-(-n // 2) for n in shape), 2 ** len(shape))
    np.testing.assert_array_equal(pixels_from_blocks(blocks, shape), x)
    if shape == (8, 6):
        np.testing.assert_array_equal(blocks[0, 1, 2], x[0, 2:4, 4:6, 0].ravel())


def test_upsampling_writes_each_places_own_block():
    module = Upsample(3)
    x = jnp.ones((1, 4, 2))
    params = module.init(jax.random.key(0), x, (7,))["params"]
    before = np.array(module.apply({"params": params}, x, (7,)))
    after = np.array(module.apply({"params": params}, x.at[0, 2].set(2.0), (7,)))
    same = np.equal(before, after).all(axis=(0, 2))
    np.testing.assert_array_equal(same, [True] * 4 + [False] * 2 + [True])


def test_initial_weights_have_their_variance_and_no_pattern():
    shape = (3, 64, 256)
    weights = np.array(he_uniform(jax.random.key(0), shape)).ravel()
    assert abs(weights.mean()) < 1e-3
    assert weights.std() == pytest.approx((2 / (3 * 64)) ** 0.5, rel=0.01)
    assert np.abs(weights).max() <= (6 / (3 * 64)) ** 0.5
    other = np.array(he_uniform(jax.random.key(1), shape)).ravel()
    pairs = [(weights, other)] + [(weights[:-lag], weights[lag:]) for lag in (1, 2, 16, 256)]
    assert all(abs(np.corrcoef(a, b)[0, 1]) < 0.02 for a, b in pairs)
    linear = np.array(lecun_uniform(jax.random.key(0), shape)).std()
    assert linear == pytest.approx(weights.std() / 2**0.5, rel=1e-5)
