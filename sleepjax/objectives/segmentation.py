"""A class per frame: soft targets and weighted cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from sleepjax.objectives import losses
from sleepjax.objectives.base import Batch, Objective, Output, columns, to_steps
from sleepjax.types import CLASSES


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
    losses.check(positive, focal)
    targets_at = losses.targets(target, sigma=sigma, decay=decay)

    def logits_of(output: Output) -> jax.Array:
        return columns(output, len(CLASSES), "segmentation", "models that answer per frame")

    def loss(output: Output, batch: Batch, step: jax.Array) -> tuple[jax.Array, jax.Array]:
        targets = targets_at(batch["asleep"], batch["distance"], step)
        return losses.masked_bce(
            logits_of(output), targets, batch["mask"], weights, positive=positive, focal=focal
        )

    def probabilities(output: Output, n_steps: int) -> jax.Array:
        return to_steps(jax.nn.sigmoid(logits_of(output)), n_steps, downsample)

    return Objective(loss, probabilities)
