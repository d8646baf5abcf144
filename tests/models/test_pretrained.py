"""ImageNet weights in torchvision's names become the encoder's; what does not fit is refused."""

import sys
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax import models
from sleepjax.models.pretrained import load_encoder, place_of
from sleepjax.training.state import Guard, TrainState, start_from
from sleepjax.types import InputError

save_file = pytest.importorskip("safetensors.numpy", reason="extra pretrained").save_file

WIDTH, DEPTHS = 4, (1, 2)


def build(**unet2d):
    settings = dict(depths=DEPTHS, width=WIDTH) | unet2d
    return models.build("spec2d", extractor=dict(height=8, kernels=(8,)), unet2d=settings)


@pytest.fixture(scope="module")
def variables():
    init = partial(build().init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 32, 3)))
    return jax.tree.map(lambda leaf: jnp.full(leaf.shape, 7.0), shapes)


def torchvision_tensors():
    """A small network in the names and layouts of torchvision's state_dict."""
    rng = np.random.default_rng(0)
    tensors = {"fc.weight": rng.normal(size=(10, 8)), "fc.bias": np.zeros(10)}

    def norm(name, width):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.{leaf}"] = rng.random(width)
        tensors[f"{name}.num_batches_tracked"] = np.array(5)

    tensors["conv1.weight"] = rng.normal(size=(WIDTH, 3, 7, 7))
    norm("bn1", WIDTH)
    before = WIDTH
    for stage, depth in enumerate(DEPTHS):
        width = WIDTH * 2**stage
        for block in range(depth):
            name = f"layer{stage + 1}.{block}"
            tensors[f"{name}.conv1.weight"] = rng.normal(size=(width, before, 3, 3))
            norm(f"{name}.bn1", width)
            tensors[f"{name}.conv2.weight"] = rng.normal(size=(width, width, 3, 3))
            norm(f"{name}.bn2", width)
            if before != width:
                tensors[f"{name}.downsample.0.weight"] = rng.normal(size=(width, before, 1, 1))
                norm(f"{name}.downsample.1", width)
            before = width
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


@pytest.fixture
def file(tmp_path):
    def write(tensors):
        # Contiguous, as the format has no strides.
        save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, tmp_path / "r.st")
        return str(tmp_path / "r.st")

    return write


def test_every_value_of_the_encoder_comes_from_the_file_and_no_other(variables, file):
    tensors = torchvision_tensors()
    loaded = load_encoder(file(tensors), variables)
    params, stats = (loaded[name]["unet2d"]["encoder"] for name in ("params", "batch_stats"))
    kernel = params["layer2_0"]["shortcut"]["kernel"]
    np.testing.assert_array_equal(
        kernel[0, 0].T, tensors["layer2.0.downsample.0.weight"][..., 0, 0]
    )
    # Horizontal in the picture is time, the first axis here.
    kernel = params["layer2_1"]["conv2"]["kernel"]
    np.testing.assert_array_equal(kernel[2, 0, 3, 5], tensors["layer2.1.conv2.weight"][5, 3, 0, 2])
    np.testing.assert_array_equal(
        stats["layer1_0"]["norm2"]["var"], tensors["layer1.0.bn2.running_var"]
    )
    np.testing.assert_array_equal(params["norm1"]["scale"], tensors["bn1.weight"])
    for path, leaf in jax.tree_util.tree_leaves_with_path(loaded):
        assert (np.array(leaf) == 7.0).all() == ("encoder" not in jax.tree_util.keystr(path))


def first_kernel(file, tensors, channels):
    """The kernel of the first convolution [7,7,channels,WIDTH] after loading the tensors."""
    banks = (8,) * (channels - 1)
    model = models.build(
        "spec2d",
        extractor=dict(height=8, kernels=banks)
        if banks
        else dict(name="spec", height=8, sensors=1),
        unet2d=dict(depths=DEPTHS, width=WIDTH),
    )
    init = partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 32, 3)))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    return load_encoder(file(tensors), zeros)["params"]["unet2d"]["encoder"]["conv1"]["kernel"]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_equal_channels_answer_as_a_grey_picture_did(file, channels):
    tensors = torchvision_tensors()
    kernel = first_kernel(file, tensors, channels)
    assert kernel.shape == (7, 7, channels, WIDTH)
    want = tensors["conv1.weight"].sum(axis=1).transpose(2, 1, 0)
    np.testing.assert_allclose(kernel.sum(axis=2), want, rtol=1e-5, atol=1e-5)


def test_three_channels_are_taken_as_they_are(file):
    tensors = torchvision_tensors()
    kernel = first_kernel(file, tensors, 3)
    np.testing.assert_allclose(kernel, tensors["conv1.weight"].T, rtol=1e-6)


def without(key):
    return lambda tensors: {k: v for k, v in tensors.items() if not k.startswith(key)}


@pytest.mark.parametrize(
    "change, message",
    [
        (without("layer2.1"), "has no tensor for .*layer2_1/.* of the encoder"),
        (lambda t: t | {"layer3.0.conv1.weight": np.zeros((4, 4, 3, 3))}, "holds 1 tensors more"),
        (
            lambda t: t | {"layer1.0.bn2.bias": np.zeros(3)},
            r"shape \(3,\), the encoder's is \(4,\)",
        ),
        (
            lambda t: t | {"layer1.0.conv3.weight": np.zeros(3)},
            "'layer1.0.conv3.weight' does not belong",
        ),
        (
            lambda t: {f"model.{k}": v for k, v in t.items()},
            "'model.*' does not belong to a ResNet-18 or -34",
        ),
        (
            lambda t: t | {"conv1.weight": np.zeros((4, 3))},
            r"conv1/kernel is of shape \(4, 3\), the",
        ),
        (
            lambda t: t | {"conv1.weight": np.zeros((4, 0, 7, 7))},
            r"conv1/kernel is of shape .*, 0,",
        ),
        (
            lambda t: t | {"conv1.weight": np.zeros((7, 7, 3, 4))},
            r"conv1/kernel is of shape \(4, 3,",
        ),
    ],
)
def test_other_networks_are_refused(variables, file, change, message):
    with pytest.raises(InputError, match=message):
        load_encoder(file(change(torchvision_tensors())), variables)


def test_a_file_with_statistics_is_refused_where_the_encoder_has_none(file):
    init = partial(build(norm="layer").init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 32, 3)))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    with pytest.raises(
        InputError, match="holds .* tensors more .*; .*depths and norm='batch' must"
    ):
        load_encoder(file(torchvision_tensors()), zeros)


def test_files_that_cannot_be_read_are_refused(variables, tmp_path):
    with pytest.raises(InputError, match="there is no file 'nothing.safetensors'"):
        load_encoder("nothing.safetensors", variables)
    (tmp_path / "x").write_text("no tensors")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_encoder(str(tmp_path / "x"), variables)


def test_a_repository_of_the_hub(variables, file, monkeypatch):
    """Its model.safetensors, wherever the hub's client keeps it; its refusals are one line."""
    path, asked = file(torchvision_tensors()), []

    def download(repository, name):
        asked.append((repository, name))
        if repository == "timm/gone":
            raise ConnectionError("cannot reach the hub\nwith a second line")
        return path

    hub = SimpleNamespace(hf_hub_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    loaded = load_encoder("hf:timm/resnet34.tv_in1k", variables)
    jax.tree.map(np.testing.assert_array_equal, loaded, load_encoder(path, variables))
    assert asked == [("timm/resnet34.tv_in1k", "model.safetensors")]
    with pytest.raises(InputError, match=r"weights='hf:timm/gone' cannot be fetched: .* hub$"):
        load_encoder("hf:timm/gone", variables)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="needs huggingface_hub: pip install 'sleepjax.pretrain"):
        load_encoder("hf:timm/resnet34.tv_in1k", variables)


def test_a_fresh_state_takes_the_weights_into_its_average_too(variables, file):
    rest = {"batch_stats": variables["batch_stats"]}
    average = jax.tree.map(jnp.copy, variables)
    zero = jnp.zeros((), jnp.int32)
    state = TrainState(
        zero, variables["params"], rest, (), average, Guard(jnp.zeros(()), zero, zero)
    )
    state = start_from(file(torchvision_tensors()), state)
    assert set(state.model_state) == {"batch_stats"}
    whole = {"params": state.params, **state.model_state}
    assert jax.tree.structure(state.ema) == jax.tree.structure(whole)
    for one, other in zip(jax.tree.leaves(state.ema), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (state.params["unet2d"]["encoder"]["conv1"]["kernel"] != 7.0).all()


def test_names_of_torchvision():
    assert place_of("layer2.0.bn1.running_mean") == ("batch_stats", "layer2_0", "norm1", "mean")
    assert place_of("layer1.2.downsample.1.weight") == (
        "params", "layer1_2", "shortcut_norm", "scale",
    )  # fmt: skip
    assert place_of("conv1.weight") == ("params", "conv1", "kernel")
    assert place_of("conv2.weight") is None and place_of("conv1.bias") is None
