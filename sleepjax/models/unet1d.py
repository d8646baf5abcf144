"""1-D U-Net over frames, and the logits."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.models.initializers import lecun_uniform
from sleepjax.models.layers import DoubleConv, Dtype, Norm, Upsample, batch_norm, max_pool
from sleepjax.types import CLASSES

PRIOR = {"asleep": 0.4, "onset": 0.01, "wakeup": 0.01}
"""Expected mean of each class's targets; the logits start at its log-odds (-0.4, -4.6, -4.6)."""


class Head(nn.Module):
    """[B,T',C] -> float32 logits [B,T',K], at first scattered about the log-odds of ``PRIOR``.

    Event frames are rare. From a zero bias the first steps of training would be spent, with large
    gradients, on learning only that. The weights start at full scale: with small ones (SD 0.02) the
    first hundred steps learned several times slower.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits in the order of ``CLASSES``."""

        def log_odds(key, shape, dtype=jnp.float32):
            del key
            priors = [PRIOR[name] for name in CLASSES]
            return jnp.array([math.log(p / (1 - p)) for p in priors], dtype).reshape(shape)

        dense = nn.Dense(
            len(CLASSES),
            dtype=jnp.float32,
            kernel_init=lecun_uniform,
            bias_init=log_odds,
            name="logits",
        )
        return dense(x.astype(jnp.float32))


class UNet1DDecoder(nn.Module):
    """[B,T',C] -> (logits [B,T',K] float32, out), for any T'.

    Level i works at T'/2^i frames with ``widths[i]`` channels. Pooling takes the greater of two
    frames and upsampling writes both from one, so level i stays aligned to frame blocks of
    2^i. Dropout acts on the last features, never on logits.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    dropout: float = 0.2
    norm: Norm = batch_norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return logits and the features of every level."""
        out, skips = {}, []
        for i, width in enumerate(self.widths):
            x = max_pool(x, 2, axis=1) if i else x  # [B,T'/2^i,C]
            x = DoubleConv(width, 1, self.norm, self.dtype, name=f"down{i}")(x, train=train)
            out[f"down{i}"] = x
            skips.append(x)
        x = skips.pop()
        for i, width in reversed(list(enumerate(self.widths[:-1]))):
            x = Upsample(width, self.dtype, name=f"widen{i}")(x, skips[i].shape[1:2])
            x = jnp.concatenate([x, skips[i]], axis=-1)
            x = DoubleConv(width, 1, self.norm, self.dtype, name=f"up{i}")(x, train=train)
            out[f"up{i}"] = x
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        return Head(name="head")(x), out
