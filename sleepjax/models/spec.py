"""Models put together from parts: spectrogram -> (2-D U-Net ->) decoder -> outputs per frame."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from sleepjax.models.blocks import FrameMask, Frames, Image, Outputs, Signals


def check_features(x: Array, features: int | None, covariates: int = 0) -> None:
    """Raise ValueError unless x is [B,T,F] with the F that the model was built for."""
    expected = None if features is None else features + covariates
    if x.ndim != 3 or (expected is not None and x.shape[-1] != expected):
        raise ValueError(
            f"input of shape {x.shape} must be [batch, steps, features={expected}]; "
            "give the model the features it was trained on, in the same order."
        )


def real_frames(x: Float[Array, "B T F"], downsample: int) -> Float[Array, "B frames"]:
    """0 at the frames that only fill up the end of a window.

    A window that is longer than its recording ends in steps whose every feature is exactly 0.
    Zeros inside a recording are no padding, nor is a window of nothing but zeros.
    """
    steps = x.shape[1]
    empty_tail = jnp.argmax(jnp.flip((x != 0).any(axis=-1), axis=1), axis=1)  # [B]
    first = jnp.arange(-(-steps // downsample)) * downsample
    return (first[None] < (steps - empty_tail)[:, None]).astype(jnp.float32)


def prefixed(prefix: str, out: dict[str, Array]) -> dict[str, Array]:
    """Name the intermediates of a part after the part."""
    return {f"{prefix}/{name}": value for name, value in out.items()}


class FiLM(nn.Module):
    """What is known of a person scales and shifts what a decoder sees (Perez et al. 2018).

    Frames times (1 + scale) plus shift; at first the identity.
    """

    @nn.compact
    def __call__(self, frames: Frames, subject: Float[Array, "B N"]) -> Frames:
        """Return the frames of each person as the decoder is to see them."""
        hidden = nn.gelu(nn.Dense(32, name="hidden")(subject))
        both = nn.Dense(
            2 * frames.shape[-1], kernel_init=nn.initializers.zeros_init(), name="scale_shift"
        )(hidden)
        scale, shift = jnp.split(both[:, None].astype(frames.dtype), 2, axis=-1)
        return frames * (1 + scale) + shift


def split_subject(
    x: Float[Array, "B T F"], covariates: int
) -> tuple[Float[Array, "B T S"], Float[Array, "B N"]]:
    """(signals, the last ``covariates`` channels at the first step, which is never filled up)."""
    signals = x.shape[-1] - covariates
    return x[..., :signals], x[:, 0, signals:]


class Spec1D(nn.Module):
    """An extractor straight into a decoder: [B,T,F] -> (logits [B,T',K], out).

    The last ``covariates`` of the F channels are what is known of the person
    (`sleepjax.data.subjects`); they condition the decoder.
    """

    extractor: nn.Module
    decoder: nn.Module
    downsample: int = 2
    features: int | None = None
    covariates: int = 0

    @nn.compact
    def __call__(
        self, x: Signals, *, train: bool, mask: FrameMask = None, image: Image | None = None
    ) -> Outputs:
        """Return logits and named intermediates; ``train`` turns dropout on.

        ``mask`` [B,T'] is 1 at frames of the recording, 0 where the window was filled up
        (`real_frames` unless given). ``image`` is that of `image_of`, where it is there already.
        """
        check_features(x, self.features, self.covariates)
        if image is None:
            image = self.image_of(x, train=train, mask=mask)
        x, subject = split_subject(x, self.covariates)
        mask = real_frames(x, self.downsample) if mask is None else mask
        frames, seen = self.to_frames(image, train)
        if self.covariates:
            frames = FiLM(name="film")(frames, subject)
        logits, out = self.decoder(frames, train=train, mask=mask)
        return logits, {"image": image, **seen, **prefixed("decoder", out)}

    def image_of(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Image:
        """What the extractor makes of the signals."""
        x, _ = split_subject(x, self.covariates)
        mask = real_frames(x, self.downsample) if mask is None else mask
        return self.extractor(x, train=train, mask=mask)

    def to_frames(self, image: Image, train: bool) -> Outputs:
        """What the decoder sees of the image, [B,T',H*C], and named intermediates."""
        del train
        return image.reshape(*image.shape[:2], -1), {}


class CenterNet(Spec1D):
    """`Spec1D` with the outputs of `sleepjax.objectives.keypoints`: [B,T,F] -> ([B,T',7], out).

    Logits of asleep, onset and wakeup, then offsets and sizes of both events, which are keypoints.
    """


class Spec2DCNN(Spec1D, kw_only=True):
    """`Spec1D` whose image is first cleaned by a 2-D U-Net: [B,T,F] -> (logits [B,T',K], out).

    The 2-D U-Net's norm may differ from the decoder's: ImageNet weights need batch statistics.
    """

    unet2d: nn.Module

    def to_frames(self, image: Image, train: bool) -> Outputs:
        """The frames [B,T',H] of the 2-D U-Net, and named intermediates."""
        frames, out = self.unet2d(image, train=train)
        return frames, {"frames": frames, **prefixed("unet2d", out)}
