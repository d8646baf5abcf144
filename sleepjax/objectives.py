"""What a model is trained for: how its output is compared with labels and read as probabilities.

A model's output is ``(logits, named intermediates)``. An objective turns it into a loss, as a (sum,
count) pair, and into probabilities at every step, so that the step, the evaluation and the
post-processing behind them are the same for every kind of model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from sleepjax import losses
from sleepjax.config import nearest
from sleepjax.types import InputError

Batch = dict[str, jax.Array]
Output = Any
"""(logits, named intermediates) as a Linen module returns them."""


@dataclass(frozen=True)
class Objective:
    """Two pure functions of a model's output."""

    loss: Callable[[Output, Batch, jax.Array], tuple[jax.Array, jax.Array]]
    """(output, batch, step int32 []) -> (sum, count), float32 []."""
    probabilities: Callable[[Output, int], jax.Array]
    """(output, T) -> float32 [B,T,3] of asleep, onset and wakeup at every step."""


def make(name: str, *, downsample: int, **settings: Any) -> Objective:
    """The objective of that name. Raises InputError for an unknown one."""
    if name not in OBJECTIVES:
        raise InputError(
            f"loss.name={name!r} is unknown{nearest(name, OBJECTIVES)} "
            f"Known: {', '.join(OBJECTIVES)}."
        )
    return OBJECTIVES[name](downsample=downsample, **settings)


def segmentation(
    *,
    downsample: int,
    sigma: float,
    weights: Sequence[float],
    target: str = "gaussian",
    decay: int = 0,
    positive: Sequence[float] = (1.0, 1.0, 1.0),
    focal: float = 0.0,
) -> Objective:
    """Logits [B,T',3] against soft targets, by weighted cross-entropy; settings as in `losses`."""
    targets_at = losses.targets(target, sigma=sigma, decay=decay)

    def loss(output: Output, batch: Batch, step: jax.Array) -> tuple[jax.Array, jax.Array]:
        targets = targets_at(batch["asleep"], batch["distance"], step)
        logits = output[0].astype(jnp.float32)
        return losses.masked_bce(
            logits, targets, batch["mask"], weights, positive=positive, focal=focal
        )

    def probabilities(output: Output, n_steps: int) -> jax.Array:
        return to_steps(jax.nn.sigmoid(output[0].astype(jnp.float32)), n_steps, downsample)

    return Objective(loss, probabilities)


def to_steps(frames: jax.Array, n_steps: int, downsample: int) -> jax.Array:
    """Linear interpolation of values [B,T',K] at frame centres to all steps [B,T,K].

    Frame j of d = downsample steps has its centre at step j*d + (d-1)/2; before the first and
    after the last centre the value is held.
    """
    n_frames = frames.shape[1]
    position = (jnp.arange(n_steps) - (downsample - 1) / 2) / downsample
    low = jnp.clip(jnp.floor(position), 0, n_frames - 1).astype(jnp.int32)
    high = jnp.minimum(low + 1, n_frames - 1)
    weight = jnp.clip(position - low, 0.0, 1.0)[None, :, None]
    return frames[:, low] * (1 - weight) + frames[:, high] * weight


OBJECTIVES: dict[str, Callable[..., Objective]] = {"segmentation": segmentation}
