"""Soft targets and masked losses: elementwise functions inside the jitted step."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax


def gaussian_targets(asleep: jax.Array, distance: jax.Array, sigma: float) -> jax.Array:
    """Targets [B,T',3] in the order asleep, onset, wakeup.

    Args:
      asleep: [B,T'] share of the frame's steps asleep.
      distance: [B,T',2] steps from the nearest onset and wakeup to the frame's centre.
      sigma: width of the Gaussian in steps; it is nowhere cut off.
    """
    events = jnp.exp(-0.5 * jnp.square(distance / sigma))
    return jnp.concatenate([asleep[..., None], events], axis=-1)


def masked_bce(
    logits: jax.Array, targets: jax.Array, mask: jax.Array, weights: Sequence[float]
) -> tuple[jax.Array, jax.Array]:
    """(sum, count) of the weighted binary cross-entropy over the frames with mask > 0.

    Args:
      logits: [B,T',K].
      targets: [B,T',K] from 0 to 1.
      mask: [B,T'].
      weights: one per class; sum / count is the weighted mean.
    """
    each = optax.sigmoid_binary_cross_entropy(logits, targets)
    per_frame = jnp.einsum("btk,k->bt", each, jnp.asarray(weights, each.dtype))
    # where, not a product: a masked frame must not turn an infinite loss into NaN.
    total = jnp.where(mask > 0, per_frame * mask, 0.0).sum()
    return total, mask.sum() * sum(weights)
