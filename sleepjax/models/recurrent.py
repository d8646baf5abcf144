"""Recurrences over frames in both directions of time: the LSTM, and one that needs no serial steps.

Where ``mask`` [B,T] is given, a state is zero at masked frames, so that nothing enters from them.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sleepjax.models.blocks import Dtype, dense, lecun_uniform

DIRECTIONS = ("forward", "backward")


def in_order(x: Float[Array, "2 B T *rest"]) -> Float[Array, "2 B T *rest"]:
    """Direction-first sequences, the second one turned around in time (or back)."""
    return jnp.stack([x[0], jnp.flip(x[1], axis=1)])


class BiLSTM(nn.Module):
    """One LSTM layer in both directions: [B,T,C] -> [B,T,2*width], forward states first.

    Both directions advance in the same serial step. Gates in the order input, forget, cell, output
    (torch's); the forget gate starts open, with a bias of 1. Cells are float32: over a day of
    frames in bfloat16 what a step adds would be lost in rounding.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T C"], mask: Float[Array, "B T"] | None = None
    ) -> Float[Array, "B T {2*self.width}"]:
        """Return the states of all frames."""
        w = self.width
        forget = lambda key, shape, dtype: jnp.zeros(shape, dtype).at[w : 2 * w].set(1.0)
        project = lambda name: nn.Dense(
            4 * w, dtype=self.dtype, kernel_init=lecun_uniform, bias_init=forget, name=name
        )
        gates = in_order(jnp.stack([project(f"input_{d}")(x) for d in DIRECTIONS]))  # [2,B,T,4W]
        kernel = jnp.stack(
            [self.param(f"recurrent_{d}", lecun_uniform, (w, 4 * w)) for d in DIRECTIONS]
        ).astype(gates.dtype)  # [2,W,4W]
        keep = jnp.ones(x.shape[:2], gates.dtype) if mask is None else mask.astype(gates.dtype)
        keep = in_order(jnp.stack([keep, keep]))[..., None]  # [2,B,T,1]

        def step(carry: tuple[jax.Array, jax.Array], now: tuple[jax.Array, jax.Array]):
            state, cell = carry
            gate, keep = now
            gate = gate + jnp.einsum(
                "dbw,dwg->dbg", state, kernel, preferred_element_type=jnp.float32
            )
            i, f, g, o = jnp.split(gate, 4, axis=-1)
            cell = keep * (jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g))
            state = (jax.nn.sigmoid(o) * jnp.tanh(cell)).astype(state.dtype)
            return (state, cell), state

        zero = jnp.zeros((2, x.shape[0], w))
        start = (zero.astype(gates.dtype), zero)
        time_first = lambda a: jnp.moveaxis(a, 2, 0)
        _, states = jax.lax.scan(step, start, (time_first(gates), time_first(keep)))
        states = in_order(jnp.moveaxis(states, 0, 2))  # [2,B,T,W]
        return jnp.concatenate([states[0], states[1]], axis=-1)


def linear_recurrence(
    keep: Float[Array, "T ..."], add: Float[Array, "T ..."]
) -> Float[Array, "T ..."]:
    """h[t] = keep[t] * h[t-1] + add[t] along the first axis, from h = 0, in log2(T) rounds.

    Two steps in a row are one step of the same form, so that prefixes can be combined in any
    grouping (Blelloch's scan): depth in time costs no serial steps.
    """

    def both(first, second):
        return first[0] * second[0], first[1] * second[0] + second[1]

    return jax.lax.associative_scan(both, (keep, add), axis=0)[1]


class BiMinGRU(nn.Module):
    """A minimal GRU in both directions: [B,T,C] -> [B,T,2*width], forward states first.

    h[t] = (1 - z[t]) h[t-1] + z[t] c[t]; gate z = sigmoid(linear(x)) and candidate c = linear(x) do
    not look at the state (Feng et al. 2024, "Were RNNs All We Needed?"), which makes the recurrence
    linear in it. It runs in float32.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T C"], mask: Float[Array, "B T"] | None = None
    ) -> Float[Array, "B T {2*self.width}"]:
        """Return the states of all frames."""
        gates = dense(4 * self.width, self.dtype, name="gates")(x).astype(jnp.float32)  # [B,T,4W]
        gates = jnp.moveaxis(gates.reshape(*x.shape[:2], 2, -1), 2, 0)  # [2,B,T,2W]
        gate, candidate = jnp.split(in_order(gates), 2, axis=-1)
        keep, add = jax.nn.sigmoid(-gate), jax.nn.sigmoid(gate) * candidate
        if mask is not None:
            real = in_order(jnp.stack([mask, mask]))[..., None].astype(keep.dtype)
            keep, add = keep * real, add * real
        time_first = lambda a: jnp.moveaxis(a, 2, 0)  # the scan compiles twice as fast so
        states = linear_recurrence(time_first(keep), time_first(add))
        states = in_order(jnp.moveaxis(states, 0, 2))  # [2,B,T,W]
        return jnp.concatenate([states[0], states[1]], axis=-1).astype(self.dtype)
