"""Soft targets and masked losses: elementwise functions inside the jitted step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from sleepjax.config import nearest
from sleepjax.types import CLASSES, TOLERANCES, InputError

Targets = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""(asleep [B,T'], distance [B,T',2], step int32 []) -> [B,T',3] from 0 to 1."""


def targets(name: str, *, sigma: float, decay: int) -> Targets:
    """Targets of the shape ``name``: ``gaussian`` of ``sigma`` steps, or ``tolerance``.

    Tolerance targets lose a tenth at each tenth of ``decay`` updates, see `tolerance_targets`; 0
    leaves them as they are. Raises InputError for settings that make no target.
    """
    shapes: dict[str, Targets] = {
        "gaussian": lambda asleep, distance, step: gaussian_targets(asleep, distance, sigma),
        "tolerance": lambda asleep, distance, step: tolerance_targets(
            asleep, distance, step * len(TOLERANCES) // decay if decay else 0
        ),
    }
    if name not in shapes:
        raise InputError(
            f"loss.target={name!r} is unknown{nearest(name, shapes)} Known: {', '.join(shapes)}."
        )
    if decay < 0 or (decay and name != "tolerance"):
        raise InputError(
            f"loss.decay={decay} must be at least 0, and 0 unless loss.target is 'tolerance'."
        )
    return shapes[name]


def gaussian_targets(asleep: jax.Array, distance: jax.Array, sigma: float) -> jax.Array:
    """Targets [B,T',3] in the order asleep, onset, wakeup.

    Args:
      asleep: [B,T'] share of the frame's steps asleep.
      distance: [B,T',2] steps from the nearest onset and wakeup to the frame's centre.
      sigma: width of the Gaussian in steps; it is nowhere cut off.
    """
    events = jnp.exp(-0.5 * jnp.square(distance / sigma))
    return jnp.concatenate([asleep[..., None], events], axis=-1)


def tolerance_targets(asleep: jax.Array, distance: jax.Array, drops: jax.Array | int) -> jax.Array:
    """Targets [B,T',3]: the share of the metric's tolerances that an event at this frame meets.

    ``drops`` is how many tenths have been taken off the shares below 1 so far, as the winners of
    the competition did after each of ten epochs: a wide target finds the event, and the narrow one
    that is left in the end (within a minute) places it.

    Args:
      asleep: [B,T'] share of the frame's steps asleep.
      distance: [B,T',2] steps from the nearest onset and wakeup to the frame's centre.
      drops: int32 [], at least 0.
    """
    met = sum((jnp.abs(distance) < tolerance).astype(jnp.int32) for tolerance in TOLERANCES)
    left = jnp.where(met == len(TOLERANCES), met, jnp.maximum(met - drops, 0))
    events = left.astype(asleep.dtype) / len(TOLERANCES)
    return jnp.concatenate([asleep[..., None], events], axis=-1)


def check(positive: Sequence[float], focal: float) -> None:
    """Raise InputError for settings that `masked_bce` cannot take for the three classes."""
    if len(positive) != len(CLASSES) or min(positive) <= 0:
        raise InputError(
            f"loss.positive={positive} must be {len(CLASSES)} numbers above 0: for "
            f"{', '.join(CLASSES)}."
        )
    if focal and focal < 1:  # the slope of |target - probability|^focal is infinite at 0
        raise InputError(f"loss.focal={focal} must be 0 or at least 1.")


def masked_bce(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array,
    weights: Sequence[float],
    *,
    positive: Sequence[float] | None = None,
    focal: float = 0.0,
) -> tuple[jax.Array, jax.Array]:
    """(sum, count) of the weighted binary cross-entropy over the frames with mask > 0.

    Args:
      logits: [B,T',K].
      targets: [B,T',K] from 0 to 1.
      mask: [B,T'].
      weights: one per class; sum / count is the weighted mean.
      positive: one per class, the weight of the half of the loss that pulls a logit up. Other
        values than 1 make a probability p of the data come out as ap / (ap + 1 - p).
      focal: exponent of |target - probability|, which multiplies the loss of each frame, so that
        what is right already counts less (Lin 2017, for soft targets Li 2020); 0 or at least 1.
    """
    up, down = -jax.nn.log_sigmoid(logits), -jax.nn.log_sigmoid(-logits)
    if positive is not None:
        up = up * jnp.asarray(positive, up.dtype)[None, None]
    each = targets * up + (1 - targets) * down
    if focal:
        each = each * jnp.abs(targets - jax.nn.sigmoid(logits)) ** focal
    per_frame = jnp.einsum("btk,k->bt", each, jnp.asarray(weights, each.dtype))
    # where, not a product: a masked frame must not turn an infinite loss into NaN.
    total = jnp.where(mask > 0, per_frame * mask, 0.0).sum()
    return total, mask.sum() * sum(weights)
