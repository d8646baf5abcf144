"""AdamW with clipping, linear warm-up and a cosine that ends at the last step.

The learning rate is a function of the run's step, not of a count of the optimiser's own: an update
that the guard skips does not shift the schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sleepjax.types import InputError


def make(
    *, total_steps: int, lr: float, warmup: int, weight_decay: float, clip: float
) -> tuple[optax.GradientTransformationExtraArgs, Callable[[Any], Any]]:
    """(transformation, learning rate of a step); ``update`` is given ``step=``.

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
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay, decayed),
        descend(schedule),
    )
    return optax.with_extra_args_support(tx), schedule


def descend(lr_at: Callable[[Any], Any]) -> optax.GradientTransformationExtraArgs:
    """Updates times minus the learning rate of ``step``, an int32 []."""

    def update(updates: Any, state: Any, params: Any = None, **extra: Any):
        del params
        lr = jnp.asarray(lr_at(extra["step"]))
        return jax.tree.map(lambda u: (-lr * u).astype(u.dtype), updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
