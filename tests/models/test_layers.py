"""Each block against a slow oracle, with attention to where in time its outputs lie."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.models.attention import LocalAttention, rotate
from sleepjax.models.blocks import (
    FrameConv,
    LinearUpsample,
    Upsample,
    blocks_from_pixels,
    he_uniform,
    lecun_uniform,
    max_pool,
    pixels_from_blocks,
    summed_by_taps,
)
from sleepjax.models.extractors import CNNSpectrogram, LSTMFeatureExtractor, SpecFeatureExtractor
from sleepjax.models.recurrent import BiLSTM, BiMinGRU, linear_recurrence
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


@pytest.mark.parametrize("rate", RATES)
def test_impulse_answers_at_its_own_frame_in_every_row_of_the_spectrum(rate):
    steps = 5 * rate + 1
    module = SpecFeatureExtractor(height=4, sensors=1, downsample=rate)
    x = 100 * jnp.eye(steps)[..., None]  # one window per impulse, above the floor of the scale
    image = jax.jit(lambda x: module.apply({}, x, train=False))(x)  # [T,T',H,1]
    assert image.shape == (steps, -(-steps // rate), 4, 1)
    want = np.broadcast_to(np.arange(steps)[:, None, None] // rate, (steps, 4, 1))
    np.testing.assert_array_equal(image.argmax(axis=1), want)


@pytest.mark.parametrize("rate", RATES)
def test_impulse_enters_both_directions_of_the_lstm_at_its_own_frame(rate):
    steps = 5 * rate + 1
    module = LSTMFeatureExtractor(height=3, depth=1, downsample=rate)
    x = jnp.eye(steps + 1, steps)[..., None]  # one window per impulse, and one of silence
    shapes = jax.eval_shape(partial(module.init, train=False), jax.random.key(0), x[:1])
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)
    states = np.array(jax.jit(partial(module.apply, train=False))(params, x))
    moved = np.abs(states[:-1] - states[-1:]).max(axis=2) > 0  # [T,T',2]
    frames, own = np.arange(-(-steps // rate)), np.arange(steps)[:, None] // rate
    np.testing.assert_array_equal(moved[..., 0], frames >= own)
    np.testing.assert_array_equal(moved[..., 1], frames <= own)


@settings(max_examples=4)
@given(
    steps=st.integers(1, 50), rate=st.sampled_from(RATES), height=st.integers(2, 9),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_spectrum_equals_its_definition(steps, rate, height, seed):
    x = np.random.default_rng(seed).normal(size=(steps, 3))
    module = SpecFeatureExtractor(height=height, sensors=2, downsample=rate)
    got = jax.jit(lambda x: module.apply({}, x, train=False))(x[None].astype(np.float32))
    want = reference.spectrum(x[:, :2], height, rate)
    np.testing.assert_allclose(got[0], want, atol=1e-4)


def test_spectrum_of_a_sine_does_not_depend_on_its_phase_or_neighbours():
    time = np.arange(400)
    row = 10  # of 33: frequency 10 / 64
    waves = [2 * np.sin(2 * np.pi * row / 64 * time + phase) for phase in (0.0, 1.0, 2.5)]
    module = SpecFeatureExtractor(height=33, sensors=1, downsample=2)
    apply = jax.jit(lambda x: module.apply({}, x[..., None].astype(jnp.float32), train=False))
    image = apply(np.stack(waves))
    inner = np.array(image)[:, 40:160, row]
    np.testing.assert_allclose(inner, (10 * np.log10(1.0) + 20) / 20, atol=0.01)
    loud = np.stack(waves)
    loud[:, 390:] *= 1000
    other = apply(loud)
    np.testing.assert_allclose(np.array(other)[:, :160], np.array(image)[:, :160], atol=1e-4)


@settings(max_examples=5)
@given(steps=st.sampled_from([1, 7, 16]), seed=st.integers(0, 99))
def test_linear_recurrence_equals_the_loop(steps, seed):
    rng = np.random.default_rng(seed)
    keep, add = rng.random((steps, 3)), rng.normal(size=(steps, 3))
    got = jax.jit(linear_recurrence)(keep, add)
    np.testing.assert_allclose(got, reference.recurrence(keep, add), atol=1e-5)


def test_the_cells_of_an_lstm_add_up_small_parts_in_bfloat16():
    """A thousand times 0.001, from which a cell of 8 bits would keep a quarter."""
    width, steps = 2, 1000
    bias = np.repeat([0.0, 20.0, np.arctanh(0.002), 0.0], width).astype(np.float32)
    one = {"kernel": np.zeros((1, 4 * width)), "bias": bias}
    params = {f"input_{d}": one for d in ("forward", "backward")}
    params |= {f"recurrent_{d}": np.zeros((width, 4 * width)) for d in ("forward", "backward")}
    apply = jax.jit(BiLSTM(width, jnp.bfloat16).apply)
    states = np.array(apply({"params": params}, jnp.zeros((1, steps, 1))), np.float32)
    want = 0.5 * np.tanh(1.0)
    np.testing.assert_allclose(states[0, [-1, 0], [0, -1]], want, rtol=0.01)


def test_minimal_gru_equals_its_loop_in_both_directions():
    x = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
    mask = np.ones((2, 9), np.float32)
    mask[1, 6:] = 0
    module = BiMinGRU(4)
    params = jax.jit(module.init)(jax.random.key(0), x)
    got = jax.jit(module.apply)(params, x, mask)
    gates = params["params"]["gates"]
    want = reference.minimal_gru(x, mask, np.array(gates["kernel"]), np.array(gates["bias"]))
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_rotated_products_depend_on_the_difference_of_positions_alone():
    q, k = np.random.default_rng(0).normal(size=(2, 1, 1, 2, 8)).astype(np.float32)
    at = lambda x, position: rotate(jnp.asarray(x), jnp.asarray([position]))
    product = lambda i, j: np.einsum("btnd,btnd->n", at(q, i), at(k, j))
    np.testing.assert_allclose(product(3, 11), product(1003, 1011), atol=1e-3)
    assert np.abs(product(3, 11) - product(3, 12)).max() > 1e-2


@pytest.mark.parametrize("tokens", [1, 5, 12, 17])
def test_local_attention_equals_full_attention_under_a_band(tokens):
    window, heads, width = 4, 2, 8
    rng = np.random.default_rng(tokens)
    x, mask = rng.normal(size=(2, tokens, width)), rng.random((2, tokens)) < 0.8
    mask[:, 0] = True
    module = LocalAttention(heads, window)
    x = jnp.asarray(x, jnp.float32)
    params = jax.jit(module.init)(jax.random.key(0), x)["params"]
    params["bias"] = jnp.asarray(rng.normal(size=(heads, 2 * window + 1)), jnp.float32)
    got = jax.jit(module.apply)({"params": params}, x, jnp.asarray(mask, jnp.float32))
    want = reference.local_attention(np.array(x), mask, jax.tree.map(np.array, params), window)
    seen = np.array(
        [[m[max(0, i - window) : i + window + 1].any() for i in range(tokens)] for m in mask]
    )
    np.testing.assert_allclose(np.array(got)[seen], want[seen], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 7, 8])
def test_linear_upsampling_interpolates_between_centres(frames):
    coarse = -(-frames // 2)
    x = np.random.default_rng(0).normal(size=(1, coarse, 1)).astype(np.float32)
    module = LinearUpsample(1)
    params = {"params": {"channels": {"kernel": np.eye(1), "bias": np.zeros(1)}}}
    got = np.array(module.apply(params, jnp.asarray(x), (frames,)))
    centres = 2 * np.arange(coarse) + 0.5
    want = np.interp(np.arange(frames), centres, x.ravel())
    np.testing.assert_allclose(got[0, :, 0], want, atol=1e-6)


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


def test_a_block_holds_its_two_by_two_pixels():
    x = jnp.arange(48.0).reshape(1, 8, 6, 1)
    block = blocks_from_pixels(x, 2)[0, 1, 2]
    np.testing.assert_array_equal(block, x[0, 2:4, 4:6, 0].ravel())


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


@pytest.mark.parametrize("steps, size", [(1, 3), (7, 3), (7, 5), (2, 1)])
def test_sums_by_taps_are_a_convolution_with_zeros_outside(steps, size):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, steps, 5)), rng.normal(size=(size, 5, 4))
    expected = np.zeros((2, steps, 4))
    for t in range(steps):
        for tap in range(size):
            if 0 <= t + tap - size // 2 < steps:
                expected[:, t] += x[:, t + tap - size // 2] @ kernel[tap]
    np.testing.assert_allclose(summed_by_taps(*map(jnp.asarray, (x, kernel))), expected, atol=1e-5)
