"""`sleepjax.postprocess.find_peaks` on an accelerator, to see whether it would be worth having.

For signals without runs of equal samples above the height.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def around(x: jax.Array, reach: int) -> jax.Array:
    """Maximum of the samples at most ``reach`` away, along the last axis, in log2(reach) rounds."""
    x, length, width = jnp.pad(x, _ends(reach), constant_values=-jnp.inf), 1, 2 * reach + 1
    while 2 * length <= width:  # x[i] becomes the maximum of the ``length`` samples from i
        x, length = jnp.maximum(x[:, : -length or None], x[:, length:]), 2 * length
    rest = width - length
    return jnp.maximum(x[:, : x.shape[1] - rest], x[:, rest:])


def _ends(n: int) -> tuple[tuple[int, int], ...]:
    return (0, 0), (n, n)


def peaks_of(x: jax.Array, height: float, distance: int, most: int) -> jax.Array:
    """int32 [most,2]: row and position of the peaks of x [N,T], in order; -1 where there are fewer.

    In each round every candidate that is the highest within the distance stays and removes the
    others in its reach.
    """
    inner = (x[:, 1:-1] > x[:, :-2]) & (x[:, 1:-1] > x[:, 2:]) & (x[:, 1:-1] >= height)
    left = jnp.pad(jnp.where(inner, x[:, 1:-1], -jnp.inf), _ends(1), constant_values=-jnp.inf)

    def settle(carry):
        left, kept = carry
        highest = (left > -jnp.inf) & (left == around(left, distance - 1))
        near = around(jnp.where(highest, 1.0, 0.0), distance - 1) > 0
        return jnp.where(near, -jnp.inf, left), kept | highest

    none = jnp.zeros(x.shape, bool)
    _, kept = jax.lax.while_loop(lambda c: (c[0] > -jnp.inf).any(), settle, (left, none))
    return jnp.stack(jnp.nonzero(kept, size=most, fill_value=-1), axis=1).astype(jnp.int32)
