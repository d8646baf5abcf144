"""`find_peaks` in JAX, for probabilities that already are on a device; import it by name.

The package's own `find_peaks` runs on the host and does not need JAX. This one has fixed shapes: it
returns a mask instead of positions, with the same peaks.
"""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from sleepjax.postprocess.peaks import check


def peak_mask(
    x: jax.Array | np.ndarray, height: float | None = None, distance: float | None = None
) -> jax.Array:
    """Boolean [...,T], true at the peaks `find_peaks` finds in ``x`` [...,T] (float)."""
    check(height, distance)
    reach = 1 if distance is None else math.ceil(distance)
    return _peak_mask(jnp.asarray(x), -jnp.inf if height is None else height, reach=reach)


@partial(jax.jit, static_argnames="reach")
def _peak_mask(x: jax.Array, height: jax.Array | float, *, reach: int) -> jax.Array:
    peaks = _local_maxima(x) & (x >= height)
    if reach == 1:
        return peaks

    def undecided(state):
        alive, _ = state
        return alive.any()

    def keep_highest(state):
        alive, kept = state
        score = jnp.where(alive, x, -jnp.inf)
        before, after = _max_before(score, reach - 1), _max_after(score, reach - 1)
        # Of equal peaks in reach of each other the earlier one stays.
        best = alive & (x > before) & (x >= after)
        near = _max_before(best, reach - 1) | _max_after(best, reach - 1) | best
        return alive & ~near, kept | best

    return jax.lax.while_loop(undecided, keep_highest, (peaks, jnp.zeros_like(peaks)))[1]


def _local_maxima(x: jax.Array) -> jax.Array:
    """Middles of runs of equal samples [...,T] that are higher than both sides."""
    n_steps, axis = x.shape[-1], x.ndim - 1
    index = jnp.broadcast_to(jnp.arange(n_steps), x.shape)
    change = x[..., 1:] != x[..., :-1]
    edge = jnp.ones((*x.shape[:-1], 1), bool)
    begins, ends = jnp.concatenate([edge, change], -1), jnp.concatenate([change, edge], -1)
    first = jax.lax.cummax(jnp.where(begins, index, 0), axis)
    last = jax.lax.cummin(jnp.where(ends, index, n_steps - 1), axis, reverse=True)
    before = jnp.take_along_axis(x, (first - 1).clip(0), -1)
    after = jnp.take_along_axis(x, (last + 1).clip(max=n_steps - 1), -1)
    inside = (first > 0) & (last < n_steps - 1)
    return inside & (index == (first + last) // 2) & (before < x) & (after < x)


def _max_before(x: jax.Array, width: int) -> jax.Array:
    """Maximum of the ``width`` samples before each one, by doubling; lowest value outside."""
    result, covered = _shift(x, 1), 1
    while covered < width:
        step = min(covered, width - covered)
        result, covered = jnp.maximum(result, _shift(result, step)), covered + step
    return result


def _max_after(x: jax.Array, width: int) -> jax.Array:
    return jnp.flip(_max_before(jnp.flip(x, -1), width), -1)


def _shift(x: jax.Array, by: int) -> jax.Array:
    """Samples ``by`` to the right; what comes in is False or -inf."""
    lowest = False if x.dtype == bool else -jnp.inf
    by = min(by, x.shape[-1])
    padding = jnp.full((*x.shape[:-1], by), lowest, x.dtype)
    return jnp.concatenate([padding, x[..., : x.shape[-1] - by]], -1)
