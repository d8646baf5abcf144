"""Soft targets and masked losses: elementwise functions inside the jitted step."""

from __future__ import annotations

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
    logits: jax.Array, targets: jax.Array, mask: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(sum, count) of the binary cross-entropy of [B,T',K] over the frames with mask [B,T'] > 0."""
    # where, not a product: a masked frame must not turn an infinite loss into NaN.
    per_frame = optax.sigmoid_binary_cross_entropy(logits, targets).sum(axis=-1)
    total = jnp.where(mask > 0, per_frame * mask, 0.0).sum()
    return total, mask.sum() * logits.shape[-1]
