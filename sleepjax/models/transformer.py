"""A transformer over frames with local and global context."""

import flax.linen as nn
import jax.numpy as jnp

from sleepjax.models.attention import FeedForward, LocalAttention, SummaryAttention
from sleepjax.models.blocks import Dtype, FrameConv, FrameMask, Outputs, Signals
from sleepjax.models.bounds import Checked
from sleepjax.models.head import CLASS_BIAS, Head
from sleepjax.models.spec import check_features, real_frames


class TransformerEncoder(Checked):
    """Strided convolution, ``depth`` blocks, logits: [B,T,F] -> (logits [B,T',K], out).

    A block attends to the frames at most ``window`` away, to the means of all stretches of
    ``window`` frames, and then transforms each frame. Positions are relative throughout, so a
    window may be longer or shorter than in training.
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    window: int = 60
    kernel: int = 32
    dropout: float = 0.1
    downsample: int = 2
    features: int | None = None
    dtype: Dtype = jnp.float32
    bias: tuple[float, ...] = CLASS_BIAS

    @nn.compact
    def __call__(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Outputs:
        """Return logits and named intermediates; ``train`` turns dropout on.

        ``mask`` [B,T'] is 1 at frames of the recording (`real_frames` unless given).
        """
        check_features(x, self.features)
        mask = real_frames(x, self.downsample) if mask is None else mask
        drop = lambda y: nn.Dropout(self.dropout)(y, deterministic=not train)
        norm = lambda name: nn.LayerNorm(dtype=self.dtype, name=name)
        stem = FrameConv(self.width, self.kernel, self.downsample, self.dtype, name="stem")
        # tanh, as in CNNSpectrogram: z-scored enmo reaches 110.
        x = jnp.tanh(stem(x))
        out = {"stem": x}
        for i in range(self.depth):
            near = LocalAttention(self.heads, self.window, self.dtype, name=f"local{i}")
            far = SummaryAttention(self.heads, self.window, self.dtype, name=f"global{i}")
            y = norm(f"norm{i}a")(x)
            x = x + drop(near(y, mask) + far(y, mask))
            y = norm(f"norm{i}b")(x)
            x = out[f"block{i}"] = x + drop(FeedForward(self.dtype, name=f"mlp{i}")(y))
        return Head(self.bias, name="head")(norm("norm")(x)), out
