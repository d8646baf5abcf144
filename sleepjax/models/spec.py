"""The two segmentation models: learned spectrogram -> (2-D U-Net ->) 1-D U-Net -> logits."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.models.extractors import CNNSpectrogram
from sleepjax.models.layers import Dtype, Norm, batch_norm
from sleepjax.models.unet1d import UNet1DDecoder
from sleepjax.models.unet2d import UNet2D

Outputs = tuple[jax.Array, dict[str, jax.Array]]


def check_features(x: jax.Array, features: int | None) -> None:
    """Raise ValueError unless x is [B,T,F] with the F that the model was built for."""
    if x.ndim != 3 or (features is not None and x.shape[-1] != features):
        raise ValueError(
            f"input of shape {x.shape} must be [batch, steps, features={features}]; "
            "give the model the features it was trained on, in the same order."
        )


def prefixed(prefix: str, out: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Name the intermediates of a part after the part."""
    return {f"{prefix}/{name}": value for name, value in out.items()}


class Spec1D(nn.Module):
    """``CNNSpectrogram`` straight into ``UNet1DDecoder``: [B,T,F] -> (logits [B,T',K], out)."""

    features: int | None = None
    downsample: int = 2
    height: int = 64
    kernels: tuple[int, ...] = (32, 16)
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    dropout: float = 0.2
    norm: Norm = batch_norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> Outputs:
        """Return logits and named intermediates; ``train`` turns dropout on."""
        check_features(x, self.features)
        extractor = CNNSpectrogram(
            self.height, self.kernels, self.downsample, self.dtype, name="extractor"
        )
        image = extractor(x)  # [B,T',H,C]
        frames = image.reshape(*image.shape[:2], -1)  # [B,T',H*C]
        decoder = UNet1DDecoder(self.widths, self.dropout, self.norm, self.dtype, name="decoder")
        logits, out = decoder(frames, train=train)
        return logits, {"image": image, **prefixed("decoder", out)}


class Spec2DCNN(nn.Module):
    """The learned spectrogram, cleaned as a picture by a 2-D U-Net before the 1-D one.

    [B,T,F] -> (logits [B,T',K], out). The 2-D U-Net's norm may differ from the 1-D one's: ImageNet
    weights need batch statistics.
    """

    features: int | None = None
    downsample: int = 2
    height: int = 64
    kernels: tuple[int, ...] = (32, 16)
    encoder_depths: tuple[int, ...] = (3, 4, 6, 3)
    encoder_width: int = 64
    encoder_norm: Norm = batch_norm
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    dropout: float = 0.2
    norm: Norm = batch_norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> Outputs:
        """Return logits and named intermediates; ``train`` turns dropout on."""
        check_features(x, self.features)
        extractor = CNNSpectrogram(
            self.height, self.kernels, self.downsample, self.dtype, name="extractor"
        )
        unet = UNet2D(
            self.encoder_depths, self.encoder_width, self.encoder_norm, self.dtype, name="unet2d"
        )
        decoder = UNet1DDecoder(self.widths, self.dropout, self.norm, self.dtype, name="decoder")
        image = extractor(x)  # [B,T',H,C]
        frames, out2d = unet(image, train=train)  # [B,T',H]
        logits, out1d = decoder(frames, train=train)
        out = {"image": image, "frames": frames}
        return logits, out | prefixed("unet2d", out2d) | prefixed("decoder", out1d)
