"""Targets of each frame and the masked cross-entropy: functions inside the jitted step."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sleepjax import custom
from sleepjax.objectives.base import gaussian_steps
from sleepjax.types import CLASSES, STEPS_PER_HOUR, TOLERANCES, InputError

Asleep = Float[Array, "B frames"]
Distance = Float[Array, "B frames 2"]
Target = Float[Array, "B frames 3"]
Targets = Callable[[Asleep, Distance, Int[Array, ""]], Target]
"""(asleep, distance, step) -> targets from 0 to 1."""


def targets(name: str, *, sigma: float, decay: int) -> Targets:
    """Targets called ``name``: ``gaussian`` of ``sigma`` steps, ``tolerance`` or user-defined.

    Tolerance targets lose a tenth at each tenth of ``decay`` updates, see `tolerance_targets`; 0
    leaves them as they are. A user-defined target is a function of (asleep, distance, sigma), as
    `gaussian_targets`. Raises InputError for settings that make no target.
    """
    shapes: dict[str, Targets] = {
        "gaussian": lambda asleep, distance, step: gaussian_targets(asleep, distance, sigma),
        "tolerance": lambda asleep, distance, step: tolerance_targets(
            asleep, distance, step * len(TOLERANCES) // decay if decay else 0
        ),
    }
    found = custom.find("loss.target", name, shapes)
    if decay < 0 or (decay and name != "tolerance"):
        raise InputError(
            f"loss.decay={decay} must be at least 0, and 0 unless loss.target is 'tolerance'."
        )
    if not custom.is_custom(name):
        return found

    def own(asleep: Asleep, distance: Distance, step: Int[Array, ""]) -> Target:
        with custom.calling("loss.target", name):
            made = found(asleep, distance, sigma)
        want = (*asleep.shape, len(CLASSES))
        if getattr(made, "shape", None) != want:
            raise InputError(
                f"loss.target {name!r} returns {getattr(made, 'shape', type(made).__name__)}; it "
                f"must return {want}: a target for each of {', '.join(CLASSES)}."
            )
        return made

    return own


def event_steps(name: str, *, sigma: float, decay: int) -> float:
    """Sum over steps of the targets around an event, as they are at the end of training."""
    if name == "gaussian":  # which may be wider than the two hours below
        return gaussian_steps(sigma)
    distance = jnp.arange(-STEPS_PER_HOUR, STEPS_PER_HOUR + 1.0)
    two = jnp.stack([distance, distance], axis=-1)[None]
    at_the_end = targets(name, sigma=sigma, decay=decay)
    made = at_the_end(jnp.zeros((1, len(distance))), two, jnp.int32(decay))
    if custom.is_custom(name):
        low, high, most = float(made.min()), float(made.max()), float(made[..., 1:].max())
        if not (0 <= low <= high <= 1 and most > 0):
            raise InputError(
                f"loss.target={name!r} gives targets from {low:g} to {high:g} within an hour of an "
                f"event, those of events at most {most:g}; they must lie between 0 and 1, and be "
                "above 0 at an event."
            )
    return float(made[..., 1].sum())


def gaussian_targets(asleep: Asleep, distance: Distance, sigma: float) -> Target:
    """Targets in the order asleep, onset, wakeup.

    Args:
      asleep: fraction of the frame's steps asleep.
      distance: steps from the nearest onset and wakeup to the frame's centre.
      sigma: width of the Gaussian in steps; it is nowhere cut off.
    """
    events = jnp.exp(-0.5 * jnp.square(distance / sigma))
    return jnp.concatenate([asleep[..., None], events], axis=-1)


def tolerance_targets(asleep: Asleep, distance: Distance, drops: Int[Array, ""] | int) -> Target:
    """Targets: the fraction of the metric's tolerances that an event at this frame meets.

    ``drops`` (at least 0) is how many tenths have been taken off the fractions below 1 so far, as
    the winners of the competition did after each of ten epochs: a wide target finds the event, and
    the narrow one that is left in the end (within a minute) places it. ``asleep`` and ``distance``
    are those of `gaussian_targets`.
    """
    met = sum((jnp.abs(distance) < tolerance).astype(jnp.int32) for tolerance in TOLERANCES)
    left = jnp.where(met == len(TOLERANCES), met, jnp.maximum(met - drops, 0))
    events = left.astype(asleep.dtype) / len(TOLERANCES)
    return jnp.concatenate([asleep[..., None], events], axis=-1)


def masked_bce(
    logits: Float[Array, "B frames K"],
    targets: Float[Array, "B frames K"],
    mask: Float[Array, "B frames"],
    weights: Sequence[float],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """(sum, count) of the weighted binary cross-entropy over the frames with mask > 0.

    Targets are from 0 to 1, there is a weight for each class, and sum / count is the weighted mean.
    """
    each = -targets * jax.nn.log_sigmoid(logits) - (1 - targets) * jax.nn.log_sigmoid(-logits)
    per_frame = jnp.einsum("btk,k->bt", each, jnp.asarray(weights, each.dtype))
    # where, not a product: a masked frame must not turn an infinite loss into NaN.
    total = jnp.where(mask > 0, per_frame * mask, 0.0).sum()
    return total, mask.sum() * sum(weights)
