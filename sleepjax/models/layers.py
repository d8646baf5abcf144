"""Blocks that every model shares: norms by name, the frame convolution, the double convolution.

A norm is injected as a function ``norm(train=..., dtype=..., name=...) -> nn.Module``. Whatever the
compute dtype, Flax takes a norm's statistics and its affine map in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

Dtype = Any
Norm = Callable[..., nn.Module]


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


NORMS: dict[str, Norm] = {"batch": batch_norm, "group": group_norm, "layer": layer_norm}

Conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.he_normal())


class FrameConv(nn.Module):
    """Strided 1-D convolution whose receptive field is centred on its frame: [B,T,F] -> [B,T',C].

    Frame j covers steps [j*d, (j+1)*d) and its centre lies at j*d + (d-1)/2. A kernel can be
    centred there only if its length has the parity of d, and sees every step only if it is not
    shorter than d; other lengths are raised to the next that does.

    Computed as an unstrided convolution over frames of d*F channels: the same sums as the strided
    one, several times faster with few input features on a CPU.
    """

    features: int
    kernel: int
    downsample: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return one value per frame and feature; the last frame may be partly zeros."""
        d, (b, t, f) = self.downsample, x.shape
        size = max(self.kernel, d)
        size += (size - d) % 2
        weights = self.param("kernel", nn.initializers.lecun_normal(), (size, f, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))

        taps, frames, left = -(-size // d), -(-t // d), (size - d) // 2
        right = (frames + taps - 1) * d - left - t
        x = jnp.pad(x, ((0, 0), (left, right), (0, 0)))
        x = x.reshape(b, frames + taps - 1, d * f)  # [B,T'+taps-1,d*F]
        weights = jnp.pad(weights, ((0, taps * d - size), (0, 0), (0, 0)))
        weights = weights.reshape(taps, d * f, self.features)
        x, weights, bias = nn.dtypes.promote_dtype(x, weights, bias, dtype=self.dtype)
        y = jax.lax.conv_general_dilated(
            x, weights, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
        )
        return y + bias


class DoubleConv(nn.Module):
    """(convolution of 3, norm, ReLU) twice, over ``ndim`` axes: [B,...,C] -> [B,...,width]."""

    width: int
    ndim: int
    norm: Norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Return a map of the same extent."""
        for i in (1, 2):
            x = Conv(self.width, (3,) * self.ndim, dtype=self.dtype, name=f"conv{i}")(x)
            x = nn.relu(self.norm(train=train, dtype=self.dtype, name=f"norm{i}")(x))
        return x
