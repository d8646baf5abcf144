"""1-D U-Net over frames, and the logits."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.models.head import CLASS_BIAS, Head
from sleepjax.models.layers import DoubleConv, Dtype, Norm, Upsample, batch_norm, max_pool


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
    bias: tuple[float, ...] = CLASS_BIAS

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
        return Head(self.bias, name="head")(x), out
