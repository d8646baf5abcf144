"""Blocks that every model shares: initial weights, norms, frame convolution, double convolution.

``jax.random`` costs XLA:CPU about 0.6 s of compilation per parameter that it draws (measured, jax
0.10.2), half a minute for a U-Net. Initial weights need no cryptographic generator: here a counter
is hashed with the parameter's key, which compiles to a few integer operations.

A norm is made by ``NORMS[name](train=..., dtype=..., name=...)``. Whatever the compute dtype, Flax
takes a norm's statistics and its affine map in float32.
"""

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

Dtype = Any
Signals = Float[Array, "B T F"]
Image = Float[Array, "B frames H C"]
Frames = Float[Array, "B frames C"]
FrameMask = Float[Array, "B frames"] | None
"""1 at frames of the recording, 0 where a window was filled up."""
Outputs = tuple[Float[Array, "B _ _"], dict[str, Array]]
"""(what is asked for, named intermediates)."""


def he_uniform(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """Uniform weights of variance 2 / fan-in, the last axis of ``shape`` being the outputs."""
    return _uniform(key, shape, 2 / math.prod(shape[:-1]), dtype)


def lecun_uniform(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """Uniform weights of variance 1 / fan-in, for linear outputs."""
    return _uniform(key, shape, 1 / math.prod(shape[:-1]), dtype)


def _uniform(key: jax.Array, shape: tuple[int, ...], variance: float, dtype) -> jax.Array:
    bits = jax.lax.iota(jnp.uint32, math.prod(shape))
    for word in jax.random.key_data(key).ravel():
        bits = _mix(bits ^ word)
    unit = (bits >> 8).astype(jnp.float32) * 2.0**-23 - 1  # in [-1, 1)
    return (unit * math.sqrt(3 * variance)).reshape(shape).astype(dtype)


def _mix(bits: jax.Array) -> jax.Array:
    """Spread every input bit over all 32 (the finalizer of MurmurHash3, public domain)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)


def batch_norm(*, train: bool, **kwargs) -> nn.Module:
    """Statistics over batch, time and height, running averages as in torchvision (momentum 0.1)."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, **kwargs)


def group_norm(*, train: bool, **kwargs) -> nn.Module:
    """Statistics over time, height and 4 channels of one window; padding takes part in them."""
    del train
    return nn.GroupNorm(num_groups=None, group_size=4, epsilon=1e-5, **kwargs)


def layer_norm(*, train: bool, **kwargs) -> nn.Module:
    """Statistics over the channels of one position: no length, neighbour or padding enters them."""
    del train
    return nn.LayerNorm(epsilon=1e-5, **kwargs)


NORMS: dict[str, Callable[..., nn.Module]] = {
    "batch": batch_norm,
    "group": group_norm,
    "layer": layer_norm,
}

Conv = partial(nn.Conv, use_bias=False, kernel_init=he_uniform)


def summed_by_taps(
    x: Float[Array, "B T C"], kernel: Float[Array, "size C D"], *_: Any, **how: Any
) -> Float[Array, "B T D"]:
    """A convolution of odd size, stride 1 and zeros outside: one product, whose columns are summed.

    A column is an output's share of one tap. An extractor's image is near +-1 nearly everywhere, so
    that sums over it are long, large and cancel: XLA's own convolution on a CPU has four times the
    rounding error, which the layers behind it carried on to 2e-5 of a probability.
    """
    steps, (size, c, d) = x.shape[1], kernel.shape
    x = jnp.pad(x, ((0, 0), (size // 2, size // 2), (0, 0)))
    each = (x @ kernel.transpose(1, 0, 2).reshape(c, -1)).reshape(*x.shape[:2], size, d)
    return reduce(jnp.add, [each[:, i : i + steps, i] for i in range(size)])


def dense(features: int, dtype: Dtype, *, name: str) -> nn.Module:
    """A dense layer without an activation behind it."""
    return nn.Dense(features, dtype=dtype, kernel_init=lecun_uniform, name=name)


def centred_size(size: int, downsample: int) -> int:
    """The least kernel length not below ``size`` that can be centred on a frame and covers it.

    Frame j covers steps [j*d, (j+1)*d) and its centre lies at j*d + (d-1)/2. A kernel can be
    centred there only if its length has the parity of d, and sees every step only if it is not
    shorter than d.
    """
    size = max(size, downsample)
    return size + (size - downsample) % 2


def frame_conv(
    x: Float[Array, "B T F"], weights: Float[Array, "size F C"], downsample: int
) -> Float[Array, "B frames C"]:
    """Sums around the centre of every frame.

    ``size`` is one of `centred_size`; outside x there are zeros. Computed as an unstrided
    convolution over frames of d*F channels: the same sums as the strided one, several times faster
    with few input features on a CPU.
    """
    d, (b, t, f), size = downsample, x.shape, weights.shape[0]
    taps, frames, left = -(-size // d), -(-t // d), (size - d) // 2
    right = (frames + taps - 1) * d - left - t
    x = jnp.pad(x, ((0, 0), (left, right), (0, 0)))
    x = x.reshape(b, frames + taps - 1, d * f)  # [B,T'+taps-1,d*F]
    weights = jnp.pad(weights, ((0, taps * d - size), (0, 0), (0, 0)))
    weights = weights.reshape(taps, d * f, -1)
    return jax.lax.conv_general_dilated(
        x, weights, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
    )


class FrameConv(nn.Module):
    """Strided 1-D convolution whose receptive field is centred on its frame: [B,T,F] -> [B,T',C].

    ``kernel`` is raised to the next length that can be centred (`centred_size`).
    """

    features: int
    kernel: int
    downsample: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B T F"]) -> Float[Array, "B frames {self.features}"]:
        """Return one value per frame and feature; the last frame may be partly zeros."""
        size = centred_size(self.kernel, self.downsample)
        weights = self.param("kernel", lecun_uniform, (size, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, weights, bias = promote_dtype(x, weights, bias, dtype=self.dtype)
        return frame_conv(x, weights, self.downsample) + bias.reshape(1, 1, -1)


def blocks_from_pixels(x: jax.Array, ndim: int) -> jax.Array:
    """Blocks of 2 along each of ``ndim`` axes become channels: [B,T,C] -> [B,T/2,2C], and so on.

    An odd extent is first padded with zeros at its end.
    """
    axes = range(1, ndim + 1)
    x = jnp.pad(x, [(0, x.shape[i] % 2 if i in axes else 0) for i in range(ndim + 2)])
    shape = [x.shape[0], *(n for i in axes for n in (x.shape[i] // 2, 2)), x.shape[-1]]
    order = [0, *range(1, 2 * ndim, 2), *range(2, 2 * ndim + 1, 2), 2 * ndim + 1]
    x = x.reshape(shape).transpose(order)  # [B,T/2,H/2,2,2,C]
    return x.reshape(*x.shape[: ndim + 1], -1)


def pixels_from_blocks(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Undo ``blocks_from_pixels``, cropped to the extents ``shape``: (T,) or (T, H)."""
    ndim = len(shape)
    x = x.reshape(*x.shape[:-1], *(2,) * ndim, -1)
    order = [0, *(i for a in range(1, ndim + 1) for i in (a, a + ndim)), 2 * ndim + 1]
    x = x.transpose(order)  # [B,T/2,2,H/2,2,C]
    x = x.reshape(x.shape[0], *(2 * x.shape[i] for i in range(1, 2 * ndim, 2)), -1)
    return x[(slice(None), *map(slice, shape))]


def max_pool(x: jax.Array, window: int, axis: int) -> jax.Array:
    """Maximum of ``window`` (2 or 3) neighbours at every second place: extent n -> ceil(n/2).

    A window of 2 covers (2i, 2i+1), one of 3 (2i-1, 2i, 2i+1). Written as slices because the
    gradient of XLA's window reduction is over ten times slower on a CPU.
    """
    half = -(-x.shape[axis] // 2)
    first = -((window - 1) // 2)
    pad = [(0, 0)] * x.ndim
    pad[axis] = (-first, 2 * half - x.shape[axis])
    x = jnp.pad(x, pad, constant_values=-jnp.inf)
    shifts = [jax.lax.slice_in_dim(x, i, i + 2 * half - 1, 2, axis) for i in range(window)]
    return reduce(jnp.maximum, shifts)


class Upsample(nn.Module):
    """Transposed convolution of size and stride 2 along each axis of ``shape``, then cropped to it.

    It is a matrix product: every place writes its own block of outputs, so blocks stay aligned.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """[B,T/2,C] -> [B,T,width] for shape (T,), likewise for (T, H)."""
        dense = nn.Dense(
            2 ** len(shape) * self.width, dtype=self.dtype, kernel_init=lecun_uniform, name="blocks"
        )
        return pixels_from_blocks(dense(x), shape)


class LinearUpsample(nn.Module):
    """A dense layer, then linear interpolation between the centres of the coarse frames.

    Frame 2i lies a quarter of a coarse frame before the centre of frame i, frame 2i + 1 a quarter
    behind it; before the first and behind the last centre the value is held.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """[B,T/2,C] -> [B,T,width] for shape (T,)."""
        x = dense(self.width, self.dtype, name="channels")(x)
        before = jnp.concatenate([x[:, :1], x[:, :-1]], axis=1)
        after = jnp.concatenate([x[:, 1:], x[:, -1:]], axis=1)
        pairs = jnp.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=2)
        return pairs.reshape(x.shape[0], -1, self.width)[:, : shape[0]]  # [B,T,width]


UPSAMPLES: dict[str, Callable[..., nn.Module]] = {"transposed": Upsample, "linear": LinearUpsample}


class SqueezeExcite(nn.Module):
    """Channels weighted by what the whole window holds (Hu et al. 2018): [B,T,C] -> [B,T,C]."""

    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T C"], mask: Float[Array, "B T"] | None = None
    ) -> Float[Array, "B T C"]:
        """Scale each channel by a number from 0 to 1; the mean is over frames with mask > 0."""
        c = x.shape[-1]
        where = None if mask is None else (mask > 0)[..., None]
        mean = x.mean(axis=1, keepdims=True, where=where)  # [B,1,C]
        few = nn.Dense(max(4, c // 8), dtype=self.dtype, kernel_init=he_uniform, name="squeeze")
        return x * nn.sigmoid(dense(c, self.dtype, name="excite")(nn.relu(few(mean))))


class DoubleConv(nn.Module):
    """(convolution of 3, norm, ReLU) twice, over ``ndim`` axes: [B,...,C] -> [B,...,width].

    ``se`` (along time only) weighs the channels before the last ReLU; ``residual`` adds there what
    came in, through a dense layer where the widths differ. ``of_image`` (along time only) is for
    what an extractor gives: `summed_by_taps`, but in training, where it costs 4 % of a step.
    """

    width: int
    ndim: int
    norm: str
    dtype: Dtype = jnp.float32
    se: bool = False
    residual: bool = False
    of_image: bool = False

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B *extent C"],
        *,
        train: bool,
        mask: Float[Array, "B T"] | None = None,
    ) -> Float[Array, "B *extent {self.width}"]:
        """Return a map of the same extent."""
        norm = lambda name: NORMS[self.norm](train=train, dtype=self.dtype, name=name)
        conv = partial(Conv, self.width, (3,) * self.ndim, dtype=self.dtype)
        sums = summed_by_taps if self.of_image and not train else None
        y = nn.relu(norm("norm1")(conv(name="conv1", conv_general_dilated=sums)(x)))
        y = norm("norm2")(conv(name="conv2")(y))
        if self.se:
            y = SqueezeExcite(self.dtype, name="se")(y, mask)
        if self.residual:
            same = x.shape[-1] == self.width
            y = y + (x if same else dense(self.width, self.dtype, name="shortcut")(x))
        return nn.relu(y)
