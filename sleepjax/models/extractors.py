"""Extractors: signals [B,T,F] -> an image [B,T',H,C] whose first axis is time in frames."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sleepjax.models.blocks import (
    Dtype,
    FrameConv,
    FrameMask,
    Image,
    Signals,
    centred_size,
    frame_conv,
)
from sleepjax.models.bounds import Checked
from sleepjax.models.recurrent import BiLSTM
from sleepjax.types import InputError


class CNNSpectrogram(Checked):
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
    def __call__(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Image:
        """Return the image, T' = ceil(T / downsample)."""
        del train, mask  # the reach is finite
        banks = [
            FrameConv(self.height, kernel, self.downsample, self.dtype, name=f"bank{i}")(x)
            for i, kernel in enumerate((*self.kernels, self.downsample))
        ]
        return jnp.tanh(jnp.stack(banks, axis=-1))  # [B,T',H,C]


FLOOR = 1e-4
"""Least power, in squared standard deviations of the signal: the spectrum's bottom at -40 dB."""


class SpecFeatureExtractor(Checked):
    """Short-time Fourier magnitudes in dB of the sensors' signals: [B,T,F] -> [B,T',H,C].

    The first ``sensors`` features are signals (anglez, enmo); clock features have no spectrum. Rows
    are H = ``height`` frequencies from 0 to the highest, channels are sensors. The window is a Hann
    window of 2*height - 1 steps, or of the frame's own length where that is longer, centred on the
    frame. A sine of amplitude A on a row's frequency has (A/2)^2 there whatever its phase. The dB
    scale is fixed, (dB + 20) / 20: nothing depends on what else is in the window. No parameters.
    """

    height: int = 64
    sensors: int = 2
    downsample: int = 2
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Image:
        """Return the spectrogram, T' = ceil(T / downsample)."""
        del train, mask  # the reach is finite
        b, t, f = x.shape
        if self.sensors > f:
            raise InputError(
                f"model.extractor.sensors={self.sensors} is more than the {f} features there are."
            )
        signals = x[..., : self.sensors].swapaxes(1, 2).reshape(-1, t, 1)  # [B*C,T,1]
        weights = fourier_weights(self.height, self.downsample)
        parts = frame_conv(signals, jnp.asarray(weights), self.downsample)  # [B*C,T',2*H]
        power = jnp.square(parts).reshape(*parts.shape[:2], 2, self.height).sum(axis=2)
        # (dB + 20) / 20 of power + FLOOR, from the floor up: exact where there is little power.
        level = jnp.log1p(power / FLOOR) * (0.5 / math.log(10)) + (0.5 * math.log10(FLOOR) + 1)
        image = level.reshape(b, self.sensors, -1, self.height).transpose(0, 2, 3, 1)
        return image.astype(self.dtype)  # [B,T',H,C]


def fourier_weights(height: int, downsample: int) -> np.ndarray:
    """float32 [size,1,2*height]: cosines and sines under a Hann window whose sum is 1."""
    size = centred_size(2 * height - 1, downsample)
    time = np.arange(size) - (size - 1) / 2  # steps from the frame's centre
    window = np.cos(np.pi * time / (size + 1)) ** 2
    frequency = np.linspace(0, 0.5, height)  # cycles per step
    phase = 2 * np.pi * time[:, None] * frequency
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    return (waves * (window / window.sum())[:, None]).astype(np.float32)[:, None]


class PANNsFeatureExtractor(Checked):
    """Learned and Fourier spectrogram side by side as channels: [B,T,F] -> [B,T',H,C]."""

    height: int = 64
    kernels: tuple[int, ...] = (32, 16)
    sensors: int = 2
    downsample: int = 2
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Image:
        """Return the image, T' = ceil(T / downsample)."""
        d, dtype = self.downsample, self.dtype
        learned = CNNSpectrogram(self.height, self.kernels, d, dtype, name="cnn")
        fourier = SpecFeatureExtractor(self.height, self.sensors, d, dtype, name="spec")
        images = [part(x, train=train, mask=mask) for part in (learned, fourier)]
        return jnp.concatenate(images, axis=-1)


class LSTMFeatureExtractor(Checked):
    """Strided convolution of the frame's own length, then LSTMs: [B,T,F] -> [B,T',H,2].

    The channels are the two directions of time, H = ``height`` the state's size.
    """

    height: int = 64
    depth: int = 2
    downsample: int = 2
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Image:
        """Return the states, T' = ceil(T / downsample)."""
        del train
        d = self.downsample
        x = jnp.tanh(FrameConv(self.height, d, d, self.dtype, name="frames")(x))
        for i in range(self.depth):
            x = BiLSTM(self.height, self.dtype, name=f"lstm{i}")(x, mask)  # [B,T',2*H]
        return x.reshape(*x.shape[:2], 2, -1).swapaxes(2, 3)  # [B,T',H,2]
