"""Decoders over frames: [B,T',C] -> (logits [B,T',K] float32, out), for any T'.

Where ``mask`` [B,T'] is given (1 for real frames), what looks further than its neighbours does not
see masked frames. Dropout acts on features, never on logits. The U-Net is in `unet1d`.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from sleepjax.models.attention import Patches, TransformerBlock
from sleepjax.models.blocks import NORMS, Conv, Dtype, FrameMask, Frames, Outputs, dense, he_uniform
from sleepjax.models.bounds import Checked
from sleepjax.models.head import CLASS_BIAS, Head
from sleepjax.models.recurrent import BiLSTM, BiMinGRU


class Decoder(Checked):
    """Base of the decoders: `features`, which each computes in its own way, then the logits."""

    dropout: float = 0.2
    dtype: Dtype = jnp.float32
    bias: tuple[float, ...] = CLASS_BIAS

    @nn.compact
    def __call__(self, x: Frames, *, train: bool, mask: FrameMask = None) -> Outputs:
        """Return logits, and the features of every layer by name."""
        x, out = self.features(x, train, mask)
        return Head(self.bias, name="head")(x), out

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """Features per frame, of which the logits are linear functions, and of every layer."""
        raise NotImplementedError

    def drop(self, x: Float[Array, " ..."], train: bool) -> Float[Array, " ..."]:
        """Features of which training leaves out some."""
        return nn.Dropout(self.dropout)(x, deterministic=not train)


class DeepDecoder(Decoder):
    """A decoder of ``depth`` layers of ``width``."""

    width: int = 128
    depth: int = 2


class MLPDecoder(DeepDecoder):
    """Each frame by itself through ``depth`` layers of ``width``: the decoder without context."""

    depth: int = 3

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`."""
        out = {}
        for i in range(self.depth):
            layer = nn.Dense(self.width, dtype=self.dtype, kernel_init=he_uniform, name=f"layer{i}")
            x = out[f"layer{i}"] = nn.gelu(layer(x))
            x = self.drop(x, train)
        return x, out


class LSTMDecoder(DeepDecoder):
    """``depth`` LSTM layers, each in both directions of time: T' serial steps per layer."""

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`."""
        out = {}
        for i in range(self.depth):
            x = out[f"lstm{i}"] = BiLSTM(self.width, self.dtype, name=f"lstm{i}")(x, mask)
            x = self.drop(x, train)
        return x, out


class MinGRUDecoder(DeepDecoder):
    """``depth`` residual blocks of a minimal GRU in both directions: no serial steps over time."""

    width: int = 64
    depth: int = 4

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`."""
        out = {}
        x = dense(self.width, self.dtype, name="embed")(x)
        for i in range(self.depth):
            y = nn.LayerNorm(dtype=self.dtype, name=f"norm{i}")(x)
            y = BiMinGRU(self.width, self.dtype, name=f"gru{i}")(y, mask)  # [B,T',2W]
            # What passes from the states into the frame is gated by the frame's own features.
            gate = nn.gelu(dense(2 * self.width, self.dtype, name=f"gate{i}")(x))
            y = dense(self.width, self.dtype, name=f"mix{i}")(y * gate)
            x = out[f"block{i}"] = x + self.drop(y, train)
        return nn.LayerNorm(dtype=self.dtype, name="norm")(x), out


class DilatedConvs(nn.Module):
    """``depth`` residual blocks of convolutions of three taps: [B,T',C] -> ([B,T',width], out).

    Dilations are 1, 2, 4, ..., so the blocks together reach 2^depth - 1 frames to either side
    without losing resolution.
    """

    width: int
    depth: int
    dropout: float
    norm: str = "batch"
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Frames, *, train: bool) -> Outputs:
        """Return features per frame, and those of every block."""
        out = {}
        norm = lambda name: NORMS[self.norm](train=train, dtype=self.dtype, name=name)
        x = dense(self.width, self.dtype, name="embed")(x)
        for i in range(self.depth):
            conv = Conv(
                self.width, (3,), kernel_dilation=(2**i,), dtype=self.dtype, name=f"dilated{i}"
            )
            y = conv(nn.relu(norm(f"norm{i}a")(x)))
            y = dense(self.width, self.dtype, name=f"mix{i}")(nn.relu(norm(f"norm{i}b")(y)))
            x = out[f"block{i}"] = x + nn.Dropout(self.dropout)(y, deterministic=not train)
        return nn.relu(norm("norm")(x)), out


class TCNDecoder(DeepDecoder):
    """Dilated convolutions: a reach of 2^depth frames each way."""

    width: int = 64
    depth: int = 8
    norm: str = "batch"

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`."""
        del mask  # the reach is finite
        convs = DilatedConvs(
            self.width, self.depth, self.dropout, self.norm, self.dtype, name="convs"
        )
        return convs(x, train=train)


class TransformerDecoder(DeepDecoder):
    """``depth`` transformer blocks over tokens of ``patch`` frames, positions by rotation.

    Attention costs the square of the number of tokens: ``patch`` frames share one token; before
    the logits they are told apart again and each gets its own features back.
    """

    width: int = 256
    depth: int = 4
    heads: int = 4
    patch: int = 1

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`; those of the blocks are per token."""
        out, frames = {}, x
        tokens = Patches(self.width, self.patch, self.dtype, name="tokens")
        x, real = tokens(frames, mask)  # [B,T'/p,W]
        for i in range(self.depth):
            block = TransformerBlock(
                self.width, self.heads, self.dropout, self.dtype, name=f"block{i}"
            )
            x = out[f"block{i}"] = block(x, train=train, mask=real)
        if self.patch > 1:
            x = dense(self.patch * self.width, self.dtype, name="frames")(x)
            x = x.reshape(x.shape[0], -1, self.width)[:, : frames.shape[1]]
            x = x + dense(self.width, self.dtype, name="own")(frames)
        return nn.LayerNorm(dtype=self.dtype, name="norm")(x), out


class TransformerCNNDecoder(TransformerDecoder):
    """`TransformerDecoder`, then two residual convolutions of three frames before the logits."""

    def features(self, x: Frames, train: bool, mask: FrameMask) -> Outputs:
        """See `Decoder.features`."""
        x, out = super().features(x, train, mask)
        for i in range(2):
            conv = Conv(self.width, (3,), use_bias=True, dtype=self.dtype, name=f"conv{i}")
            x = out[f"conv{i}"] = x + nn.gelu(conv(x))
        return nn.LayerNorm(dtype=self.dtype, name="norm_conv")(x), out
