"""FiLM: what is known of a person scales and shifts what a decoder sees (Perez et al. 2018)."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

HIDDEN = 32


class FiLM(nn.Module):
    """Frames times (1 + scale) plus shift, both functions of the person; at first the identity."""

    @nn.compact
    def __call__(
        self, frames: Float[Array, "B frames C"], subject: Float[Array, "B N"]
    ) -> Float[Array, "B frames C"]:
        """Return the frames of each person as the decoder is to see them."""
        hidden = nn.gelu(nn.Dense(HIDDEN, name="hidden")(subject))
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
