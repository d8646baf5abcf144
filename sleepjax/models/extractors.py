"""Extractors: signals [B,T,F] -> an image [B,T',H,C] whose first axis is time in frames."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.models.layers import Dtype, FrameConv


class CNNSpectrogram(nn.Module):
    """A learned spectrogram: one strided filter bank per kernel size, [B,T,F] -> [B,T',H,C].

    The filters of a bank are the H rows of the image, the banks its C channels; beside the given
    kernels there is one bank of the frame's own length. The activation is tanh. Like the
    baseline's sigmoid it bounds outliers (z-scored enmo reaches 110); unlike it, it is centred, so
    the zeros that convolutions pad with are a neutral value and no constant enters the first norm.
    """

    height: int = 64
    kernels: tuple[int, ...] = (32, 16)
    downsample: int = 2
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Return the image, T' = ceil(T / downsample)."""
        del train
        banks = [
            FrameConv(self.height, kernel, self.downsample, self.dtype, name=f"bank{i}")(x)
            for i, kernel in enumerate((*self.kernels, self.downsample))
        ]
        return jnp.tanh(jnp.stack(banks, axis=-1))  # [B,T',H,C]
