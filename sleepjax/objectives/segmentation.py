"""A class per frame: soft targets and weighted cross-entropy; beside them whether it is worn."""

import math
from collections.abc import Sequence

import jax
from jaxtyping import Array, Float, Int

from sleepjax.objectives import losses
from sleepjax.objectives.base import Batch, Objective, Output, SumCount, columns, to_steps
from sleepjax.types import CLASSES, InputError


def segmentation(
    *,
    downsample: int,
    sigma: float,
    weights: Sequence[float],
    target: str = "gaussian",
    decay: int = 0,
    worn: float = 0.0,
) -> Objective:
    """Logits of the three classes against soft targets, by weighted cross-entropy (see `losses`).

    With ``worn`` above 0 there is a fourth logit, whether the watch is worn, which learns with that
    weight where ``worn_mask`` of the batch is set, and adds its own frames to sum and count.
    Where a batch holds ``soft``, the probabilities of a teacher, they are the targets of all logits
    (Hinton et al. 2015, at temperature 1), and ``mask`` counts for all.
    """
    if not 0 <= worn < math.inf:
        raise InputError(f"loss.worn={worn} must be a finite weight of at least 0.")
    targets_at = losses.targets(target, sigma=sigma, decay=decay)
    count = len(CLASSES) + (worn > 0)

    def logits_of(output: Output) -> Float[Array, "B frames K"]:
        return columns(output, count, "segmentation", "models that answer per frame")

    def loss(output: Output, batch: Batch, step: Int[Array, ""]) -> SumCount:
        logits = logits_of(output)
        if "soft" in batch:
            every = (*weights, worn)[:count]
            return losses.masked_bce(logits, batch["soft"][..., :count], batch["mask"], every)
        targets = targets_at(batch["asleep"], batch["distance"], step)
        classes = logits[..., : len(CLASSES)]
        total, frames = losses.masked_bce(classes, targets, batch["mask"], weights)
        if worn > 0:
            more, n = losses.masked_bce(
                logits[..., len(CLASSES) :], batch["worn"][..., None], batch["worn_mask"], (worn,)
            )
            total, frames = total + more, frames + n
        return total, frames

    def probabilities(output: Output, n_steps: int) -> Float[Array, "B {n_steps} K"]:
        return to_steps(jax.nn.sigmoid(logits_of(output)), n_steps, downsample)

    return Objective(loss, probabilities, losses.event_steps(target, sigma=sigma, decay=decay))
