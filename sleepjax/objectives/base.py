"""Objective: a loss and a reading of probabilities, and what all objectives share."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sleepjax.types import InputError

Batch = dict[str, Array]
"""x [B,T,F], asleep [B,T'], distance [B,T',2], mask [B,T']; maybe worn and worn_mask [B,T']."""
Output = Any
"""(outputs, named intermediates) as a Linen module returns them."""
SumCount = tuple[Float[Array, ""], Float[Array, ""]]
"""Sum and count, whose quotient is a mean over everything that was added to both."""


@dataclass(frozen=True)
class Objective:
    """Two pure functions of a model's output, and how wide an event is in the second."""

    loss: Callable[[Output, Batch, Int[Array, ""]], SumCount]
    """(output, batch, step) -> sum and count of the loss."""
    probabilities: Callable[[Output, int], Float[Array, "B T K"]]
    """(output, T) -> probabilities of asleep, onset and wakeup at every step, and worn if K=4."""
    event_steps: float
    """Sum over steps of a certain event's probability: over how many steps it is spread."""


def gaussian_steps(sigma: float) -> float:
    """Sum over steps of a Gaussian of height 1 and standard deviation ``sigma`` steps."""
    return sigma * math.sqrt(2 * math.pi)


def columns(output: Output, count: int, loss: str, model: str) -> Float[Array, "B N {count}"]:
    """The outputs float32, if they have as many columns as the loss reads."""
    found = output[0].astype(jnp.float32)
    if found.shape[-1] != count:
        raise InputError(
            f"loss.name={loss!r} reads {count} outputs and the model has {found.shape[-1]}; "
            f"it belongs to {model}."
        )
    return found


def centres(frames: int, downsample: int) -> Float[Array, " {frames}"]:
    """The step, counted from the window's start, at the middle of each frame."""
    return jnp.arange(frames, dtype=jnp.float32) * downsample + (downsample - 1) / 2


def to_steps(
    frames: Float[Array, "B frames K"], n_steps: int, downsample: int
) -> Float[Array, "B {n_steps} K"]:
    """Linear interpolation of values at frame centres to all steps.

    Frame j of d = downsample steps has its centre at step j*d + (d-1)/2; before the first and
    after the last centre the value is held.
    """
    before = jnp.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    after = jnp.concatenate([frames[:, 1:], frames[:, -1:]], axis=1)
    # How far each step of a frame is behind its centre, in frames.
    behind = (np.arange(downsample, dtype=np.float32) - (downsample - 1) / 2) / downsample
    behind = behind[None, None, :, None]  # [1,1,d,1]
    weight = np.abs(behind)
    other = jnp.where(behind < 0, before[:, :, None], after[:, :, None])  # [B,T',d,K]
    steps = frames[:, :, None] * (1 - weight) + other * weight
    return steps.reshape(frames.shape[0], -1, frames.shape[2])[:, :n_steps]
