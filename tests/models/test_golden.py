"""Standard blocks agree with PyTorch's, whose values tests/reference/golden_blocks.py computed."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax.models.attention import SelfAttention
from sleepjax.models.blocks import (
    Conv,
    FrameConv,
    LinearUpsample,
    Upsample,
    layer_norm,
)
from sleepjax.models.extractors import SpecFeatureExtractor
from sleepjax.models.pretrained import place_of
from sleepjax.models.recurrent import BiLSTM, linear_recurrence
from sleepjax.models.unet2d import BasicBlock
from tests.support.project import PROJECT


@pytest.fixture(scope="module")
def golden():
    path = PROJECT / "tests" / "reference" / "golden_blocks.npz"
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    return lambda block: {
        name.removeprefix(f"{block}/"): value
        for name, value in arrays.items()
        if name.startswith(f"{block}/")
    }


def agree(module, params, block, **kwargs):
    got = module.apply({"params": params}, jnp.asarray(block["x"]), **kwargs)
    np.testing.assert_allclose(got, block["y"], atol=2e-5)


@pytest.mark.parametrize("name, dilation", [("conv", 1), ("dilated", 4)])
def test_convolutions(golden, name, dilation):
    block = golden(name)
    module = Conv(5, (3,), kernel_dilation=(dilation,))
    agree(module, {"kernel": block["weight"].transpose(2, 1, 0)}, block)


def test_strided_convolution_is_the_frame_convolution(golden):
    block = golden("strided")
    params = {"kernel": block["weight"].transpose(2, 1, 0), "bias": block["bias"]}
    agree(FrameConv(5, 8, 4), params, block)


def test_transposed_convolution(golden):
    block = golden("transposed")
    kernel = block["weight"].transpose(0, 2, 1).reshape(3, -1)  # [in,2*out]
    params = {"blocks": {"kernel": kernel, "bias": np.tile(block["bias"], 2)}}
    got = Upsample(5).apply({"params": params}, jnp.asarray(block["x"]), (48,))
    np.testing.assert_allclose(np.asarray(got), block["y"], atol=1e-5)


def test_linear_upsampling(golden):
    block = golden("linear")
    params = {"channels": {"kernel": np.eye(3), "bias": np.zeros(3)}}
    got = LinearUpsample(3).apply({"params": params}, jnp.asarray(block["x"]), (48,))
    np.testing.assert_allclose(np.asarray(got), block["y"], atol=1e-6)


def test_lstm(golden):
    block, params = golden("lstm"), {}
    for direction, end in (("forward", ""), ("backward", "_reverse")):
        params[f"input_{direction}"] = {
            "kernel": block[f"weight_ih_l0{end}"].T,
            "bias": block[f"bias_ih_l0{end}"] + block[f"bias_hh_l0{end}"],
        }
        params[f"recurrent_{direction}"] = block[f"weight_hh_l0{end}"].T
    agree(BiLSTM(4), params, block)


def test_gru_without_recurrent_weights_is_a_linear_recurrence(golden):
    """h = z h + (1 - z) n with z and n of the input alone: what `BiMinGRU` computes."""
    block = golden("gru")
    states = []
    for end, flip in (("", False), ("_reverse", True)):
        x = np.flip(block["x"], axis=1) if flip else block["x"]
        gates = x @ block[f"weight_ih_l0{end}"].T + block[f"bias_ih_l0{end}"]
        z = 1 / (1 + np.exp(-gates[..., 4:8]))
        candidate = np.tanh(gates[..., 8:])
        time_first = lambda a: jnp.asarray(a.swapaxes(0, 1))
        h = linear_recurrence(time_first(z), time_first((1 - z) * candidate)).swapaxes(0, 1)
        states.append(np.flip(h, axis=1) if flip else h)
    np.testing.assert_allclose(np.concatenate(states, axis=-1), block["y"], atol=1e-5)


def test_multi_head_attention(golden, monkeypatch):
    """PyTorch's has no positions: all rotations are by the angle of position 0."""
    block = golden("attention")
    monkeypatch.setattr("sleepjax.models.attention.rotate", lambda x, position: x)
    parts = zip(
        ("query", "key", "value"),
        np.split(block["in_proj_weight"], 3),
        np.split(block["in_proj_bias"], 3),
        strict=True,
    )
    params = {name: {"kernel": weight.T, "bias": bias} for name, weight, bias in parts}
    params["out"] = {"kernel": block["out_proj.weight"].T, "bias": block["out_proj.bias"]}
    agree(SelfAttention(2), params, block, mask=jnp.asarray(block["mask"]))


def test_spectrogram(golden):
    block = golden("stft")
    module = SpecFeatureExtractor(height=8, sensors=1, downsample=4)
    got = jax.jit(partial(module.apply, {}, train=False))(block["x"])
    np.testing.assert_allclose(got, block["y"], atol=1e-4)


def test_layer_norm(golden):
    block = golden("layer_norm")
    agree(layer_norm(train=False), {"scale": block["weight"], "bias": block["bias"]}, block)


def test_resnet_block_under_its_names_in_torchvision(golden):
    block = golden("resnet")
    variables: dict = {"params": {}, "batch_stats": {}}
    for name, value in block.items():
        place = place_of(f"layer1.0.{name}") if name not in ("x", "y") else None
        if place is None:
            continue
        collection, _, module, leaf = place
        value = value.transpose(3, 2, 1, 0) if value.ndim == 4 else value
        variables[collection].setdefault(module, {})[leaf] = value
    module = BasicBlock(6, 2, "batch")
    apply = jax.jit(partial(module.apply, train=False))
    got = apply(variables, jnp.asarray(block["x"]))
    np.testing.assert_allclose(np.asarray(got), block["y"], atol=1e-5)
