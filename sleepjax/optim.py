"""AdamW with clipping, linear warm-up and a cosine that ends at the last step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax

from sleepjax.types import InputError


def make(
    *, total_steps: int, lr: float, warmup: int, weight_decay: float, clip: float
) -> tuple[optax.GradientTransformation, Callable[[int], Any]]:
    """(transformation, learning rate of a step).

    Biases and norm scales (arrays of rank 1) are not decayed. Raises InputError for a warm-up that
    does not end before the run does.
    """
    if not 0 <= warmup < total_steps:
        raise InputError(
            f"optim.warmup={warmup} must be at least 0 and less than total_steps={total_steps}."
        )
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=lr / (warmup + 1), peak_value=lr, warmup_steps=warmup, decay_steps=total_steps
    )
    decayed = lambda params: jax.tree.map(lambda p: p.ndim > 1, params)
    tx = optax.chain(
        optax.clip_by_global_norm(clip),
        optax.adamw(schedule, weight_decay=weight_decay, mask=decayed),
    )
    return tx, schedule
