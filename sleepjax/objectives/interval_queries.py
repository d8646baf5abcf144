"""Sleep as a set of intervals: each query of the model is one of them or nothing.

Carion et al. 2020 (DETR) in one dimension. A query has 5 outputs: the logits that it is an
interval, that its onset and that its wakeup lie inside the window, and both positions in steps.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int
from optax.assignment import hungarian_algorithm

from sleepjax.objectives.base import (
    Batch,
    Objective,
    Output,
    SumCount,
    centres,
    columns,
    gaussian_steps,
)
from sleepjax.objectives.intervals import Intervals, intervals_of
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, InputError

OUTPUTS = 5
Ends = Float[Array, "*#shape 2"]


def detr(*, downsample: int, sigma: float, weights: Sequence[float]) -> Objective:
    """Weights of the cross-entropies, of the distance in hours and of the overlap.

    The best assignment of intervals to queries is found inside jit. Cross-entropy without further
    weighting makes the scores frequencies. An end that the window cuts off has no position to
    learn and is no event. ``sigma`` (steps) is the width of an event where probabilities are drawn.
    """
    interval_weight, position_weight, overlap_weight = weights

    def loss(output: Output, batch: Batch, step: Int[Array, ""]) -> SumCount:
        del step
        found = columns(output, OUTPUTS, "detr", "model.name='detr'")  # [B,Q,5]
        queries = found.shape[1]
        check_queries(queries, batch["mask"].shape[1] * downsample)
        true = intervals_of(batch, downsample, queries)
        ends = found[..., 3:]
        # Every query against every interval: [B,Q,N].
        apart = distance(ends[:, :, None], true.ends[:, None], true.inside[:, None])
        overlap = generalised_iou(visible(ends, true), true.ends[:, None])
        cost = (
            position_weight * apart
            - overlap_weight * overlap
            - interval_weight * jax.nn.sigmoid(found[..., :1])
        )
        query = jax.lax.stop_gradient(assign(cost, true.real))  # [B,N]

        pick = lambda a: jnp.take_along_axis(a, query[:, None], axis=1)[:, 0]  # [B,Q,N] -> [B,N]
        window = jnp.arange(len(found))[:, None]
        taken = jnp.zeros(found.shape[:2]).at[window, query].max(true.real.astype(jnp.float32))
        # Where nobody knows, a query that says sleep is neither right nor wrong.
        sure = jnp.maximum(taken, known_fraction(ends, batch["mask"], downsample))
        is_interval = optax.sigmoid_binary_cross_entropy(found[..., 0], taken)
        flags = jnp.take_along_axis(found[..., 1:3], query[..., None], axis=1)  # [B,N,2]
        is_inside = optax.sigmoid_binary_cross_entropy(flags, true.inside.astype(jnp.float32))
        matched = lambda a: jnp.where(true.real, a, 0.0).sum()
        total = (
            interval_weight * ((sure * is_interval).sum() + matched(is_inside.sum(axis=-1)))
            + position_weight * matched(pick(apart))
            + overlap_weight * matched(1 - pick(overlap))
        )
        return total, true.real.sum().astype(jnp.float32)

    def probabilities(output: Output, n_steps: int) -> Float[Array, "B {n_steps} 3"]:
        found = columns(output, OUTPUTS, "detr", "model.name='detr'")
        is_interval = jax.nn.sigmoid(found[..., :1])  # [B,Q,1]
        inside, ends = jax.nn.sigmoid(found[..., 1:3]), found[..., 3:]
        step = jnp.arange(n_steps, dtype=jnp.float32)[None, :, None, None]
        away = (step - ends[:, None]) / sigma  # [B,T,Q,2]
        score = (is_interval * inside)[:, None]
        events = (score * jnp.exp(-0.5 * jnp.square(away))).max(axis=2)  # [B,T,2]
        # An end outside the window leaves the interval open to that side.
        open_side = 1 - inside[:, None]
        begun = jnp.maximum(jax.nn.sigmoid(4 * away[..., 0]), open_side[..., 0])
        not_over = jnp.maximum(jax.nn.sigmoid(-4 * away[..., 1]), open_side[..., 1])
        asleep = (is_interval[:, None, :, 0] * begun * not_over).max(axis=2, keepdims=True)
        return jnp.concatenate([asleep, events], axis=-1)

    return Objective(loss, probabilities, gaussian_steps(sigma))


def check_queries(queries: int, steps: int) -> None:
    """Raise InputError unless there is a query for each interval that a window may hold."""
    needed = 2 + steps // STEPS_PER_DAY
    if queries < needed:
        raise InputError(
            f"model.queries={queries} must be at least {needed} for windows of {steps} steps."
        )


def assign(cost: Float[Array, "B Q Q"], real: Bool[Array, "B Q"]) -> Int[Array, "B Q"]:
    """The query of each of as many intervals, so that the sum of their costs is least.

    Empty places cost nothing wherever they go.
    """
    cost = jnp.where(real[:, None], cost, 0.0)

    def one(cost: Float[Array, "Q Q"]) -> Int[Array, " Q"]:
        rows, places = hungarian_algorithm(cost)
        return jnp.zeros_like(rows).at[places].set(rows)

    return jax.vmap(one)(jax.lax.stop_gradient(cost))


def distance(ends: Ends, true: Ends, inside: Bool[Array, "*#shape 2"]) -> Float[Array, " ..."]:
    """Hours between two intervals' ends, summed over those that are inside the window."""
    return (jnp.abs(ends - true) * inside).sum(axis=-1) / STEPS_PER_HOUR


def visible(ends: Float[Array, "B Q 2"], true: Intervals) -> Float[Array, "B Q N 2"]:
    """Predicted ends; where the window cuts the true interval, its edge stands in their place."""
    return jnp.where(true.inside[:, None], ends[:, :, None], true.ends[:, None])


def generalised_iou(a: Ends, b: Ends) -> Float[Array, " ..."]:
    """Overlap of intervals, from -1 (far apart) to 1 (equal): IoU - gap / hull.

    (Rezatofighi et al. 2019.) An interval whose ends are swapped has no length.
    """
    length = lambda x: jnp.maximum(x[..., 1] - x[..., 0], 0.0)
    common = jnp.minimum(a[..., 1], b[..., 1]) - jnp.maximum(a[..., 0], b[..., 0])
    common = jnp.maximum(common, 0.0)
    union = jnp.maximum(length(a) + length(b) - common, 1.0)
    hull = jnp.maximum(a, b).max(axis=-1) - jnp.minimum(a, b).min(axis=-1)
    hull = jnp.maximum(hull, union)
    return common / union - (hull - union) / hull


def known_fraction(
    ends: Float[Array, "B Q 2"], mask: Float[Array, "B frames"], downsample: int
) -> Float[Array, "B Q"]:
    """Fraction of the frames between the ends whose mask is set; no gradient."""
    centre = centres(mask.shape[1], downsample)[None, None]
    between = (centre >= ends[..., :1]) & (centre <= ends[..., 1:])  # [B,Q,T']
    known = jnp.einsum("bqt,bt->bq", between.astype(mask.dtype), mask)
    frames = between.sum(axis=-1)
    return jax.lax.stop_gradient(
        jnp.where(frames > 0, known / jnp.maximum(frames, 1), mask.max(-1, keepdims=True))
    )
