"""1-D U-Net over frames, and the logits."""

import jax
import jax.numpy as jnp

from sleepjax.models.blocks import UPSAMPLES, DoubleConv, FrameMask, Frames, Outputs, max_pool
from sleepjax.models.decoders import Decoder


class UNet1DDecoder(Decoder):
    """[B,T',C] -> (logits [B,T',K] float32, out), for any T'.

    Level i works at T'/2^i frames with ``widths[i]`` channels. Pooling takes the greater of two
    frames and upsampling writes both from one, so level i stays aligned to frame blocks of
    2^i. Dropout acts on the last features, never on logits. ``se`` and ``residual`` are options of
    every double convolution.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    norm: str = "batch"
    se: bool = False
    residual: bool = False
    upsample: str = "transposed"

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`; a layer is a level."""
        out, skips, masks = {}, [], []

        def level(i: int, name: str, x: jax.Array) -> jax.Array:
            shared = (self.widths[i], 1, self.norm, self.dtype, self.se, self.residual)
            block = DoubleConv(*shared, of_image=name == "down0", name=name)
            out[name] = block(x, train=train, mask=masks[i])
            return out[name]

        for i in range(len(self.widths)):
            if i:
                x = max_pool(x, 2, axis=1)  # [B,T'/2^i,C]
                mask = None if mask is None else max_pool(mask, 2, axis=1)
            masks.append(mask)
            x = level(i, f"down{i}", x)
            skips.append(x)
        x = skips.pop()
        for i, width in reversed(list(enumerate(self.widths[:-1]))):
            x = UPSAMPLES[self.upsample](width, self.dtype, name=f"widen{i}")(
                x, skips[i].shape[1:2]
            )
            x = level(i, f"up{i}", jnp.concatenate([x, skips[i]], axis=-1))
        return self.drop(x, train), out
