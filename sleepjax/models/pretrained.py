"""ImageNet weights for the 2-D encoder, from a safetensors file named as torchvision or timm do.

    c.model.unet2d.weights = "resnet34.safetensors"            # a file
    c.model.unet2d.weights = "hf:timm/resnet34.tv_in1k"        # its model.safetensors on the hub

The hub needs the extra ``pretrained``: pip install sleepjax[pretrained].
"""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

from sleepjax.text import first_line
from sleepjax.types import InputError

HUB = "hf:"

PARTS = {"conv1": "conv1", "bn1": "norm1", "conv2": "conv2", "bn2": "norm2"}
SHORTCUT = {"downsample.0": "shortcut", "downsample.1": "shortcut_norm"}

LEAVES = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
"""Tensor of a batch norm -> collection and name here."""

IGNORED = re.compile(r"(fc|classifier)\.|.*num_batches_tracked$")


def load_encoder(weights: str, variables: dict[str, Any]) -> dict[str, Any]:
    """``variables`` of a Spec2DCNN with its 2-D encoder's values taken from ``weights``.

    The first convolution is adapted to the channel count of the image. Pictures have time as their
    horizontal axis.

    Raises InputError when the file cannot be read, or holds another network than the encoder.
    """
    tensors = {k: v for k, v in read_tensors(weights).items() if not IGNORED.match(k)}
    found: dict[tuple[str, ...], np.ndarray] = {}
    for name, tensor in tensors.items():
        path = place_of(name)
        if path is None:
            raise InputError(f"{weights}: tensor {name!r} does not belong to a ResNet-18 or -34.")
        # Kernels [out,in,height,width] -> [time,height,in,out].
        found[path] = tensor.transpose(3, 2, 1, 0) if tensor.ndim == 4 else tensor

    def value(path: Any, old: jax.Array) -> jax.Array:
        keys = tuple(key.key for key in path)
        if "encoder" not in keys:
            return old
        inner = (keys[0], *keys[keys.index("encoder") + 1 :])
        if inner not in found:
            raise InputError(
                f"{weights} has no tensor for {'/'.join(inner)} of the encoder; "
                "model.unet2d.depths and norm='batch' must be those of the file's network."
            )
        new = found.pop(inner)
        if inner == ("params", "conv1", "kernel") and new.ndim == 4 and new.shape[2] > 0:
            new = with_channels(new, old.shape[2])
        if new.shape != old.shape:
            raise InputError(
                f"{weights}: {'/'.join(inner)} is of shape {new.shape}, the encoder's is "
                f"{old.shape}; model.unet2d.width must be that of the file's network."
            )
        return jax.device_put(jnp.asarray(new, old.dtype), old.sharding)

    result = jax.tree_util.tree_map_with_path(value, variables)
    if found:
        more = ", ".join("/".join(path) for path in list(found)[:3])
        raise InputError(
            f"{weights} holds {len(found)} tensors more than the encoder ({more}, ...); "
            "model.unet2d.depths and norm='batch' must be those of the file's network."
        )
    return result


def with_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A kernel [7,7,3,W] of colours for another number of channels.

    Red, green and blue in turn, scaled by 3 / channels; what is then missing of their sum is spread
    over all. If all channels are equal, the answer is that to a grey picture.
    """
    total = kernel.sum(axis=2, keepdims=True)
    turns = kernel[:, :, np.arange(channels) % kernel.shape[2]] * (kernel.shape[2] / channels)
    return turns + (total - turns.sum(axis=2, keepdims=True)) / channels


def place_of(name: str) -> tuple[str, ...] | None:
    """Path of a torchvision tensor in the encoder's variables; None when it has no place.

    ``layer2.0.bn1.running_mean`` -> ("batch_stats", "layer2_0", "norm1", "mean").
    """
    match = re.fullmatch(r"(?:layer(\d)\.(\d+)\.)?(.+)\.(\w+)", name)
    if match is None:
        return None
    stage, block, part, leaf = match.groups()
    module = (PARTS | SHORTCUT if stage else {k: PARTS[k] for k in ("conv1", "bn1")}).get(part)
    if module is None:
        return None
    inside = (f"layer{stage}_{block}", module) if stage else (module,)
    if "norm" not in module:
        return ("params", *inside, "kernel") if leaf == "weight" else None
    if leaf not in LEAVES:
        return None
    collection, here = LEAVES[leaf]
    return (collection, *inside, here)


def read_tensors(weights: str) -> dict[str, np.ndarray]:
    """All tensors of a file, or of a hub repository's model.safetensors."""
    try:
        if weights.startswith(HUB):
            from huggingface_hub import hf_hub_download  # type: ignore

            path = hf_hub_download(weights.removeprefix(HUB), "model.safetensors")
        else:
            path = weights
    except ImportError as error:
        raise InputError(
            f"model.unet2d.weights={weights!r} needs {error.name}: "
            "pip install 'sleepjax[pretrained]'."
        ) from None
    except Exception as error:  # the hub's errors are many
        reason = first_line(error)
        raise InputError(f"model.unet2d.weights={weights!r} cannot be fetched: {reason}") from error
    if not Path(path).is_file():
        raise InputError(f"model.unet2d.weights: there is no file {path!r}.")
    try:
        return load_file(path)
    except Exception as error:  # the reader's errors are its own
        raise InputError(f"{path} cannot be read as safetensors: {error}.") from None
