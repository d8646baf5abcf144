"""Other ways to write the recurrences of sleepjax.models.recurrent, to compare their speed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl


def serial(keep: jax.Array, add: jax.Array) -> jax.Array:
    """h[t] = keep[t] h[t-1] + add[t] along the first axis, one step after the other."""

    def step(state, now):
        state = now[0] * state + now[1]
        return state, state

    return jax.lax.scan(step, jnp.zeros_like(add[0]), (keep, add))[1]


LANES = 128
"""Sequences that one program of the kernel carries along."""


def _kernel(keep, add, out):
    def step(t, state):
        state = keep[t, :] * state + add[t, :]
        out[t, :] = state
        return state

    jax.lax.fori_loop(0, keep.shape[0], step, jnp.zeros(keep.shape[1], keep.dtype))


def _scan(keep: jax.Array, add: jax.Array) -> jax.Array:
    """The recurrence in one kernel that reads and writes every number once."""
    t, n = keep.shape[0], keep[0].size
    pad = ((0, 0), (0, -n % LANES))
    flat = [jnp.pad(a.reshape(t, n), pad) for a in (keep, add)]
    on_gpu = jax.default_backend() == "gpu"
    more = {}
    if on_gpu:
        from jax.experimental.pallas import triton

        more = {"compiler_params": triton.CompilerParams(num_warps=4)}
    block = pl.BlockSpec((t, LANES), lambda i: (0, i))
    states = pl.pallas_call(
        _kernel,
        out_shape=jax.ShapeDtypeStruct(flat[0].shape, keep.dtype),
        grid=(flat[0].shape[1] // LANES,),
        in_specs=[block, block],
        out_specs=block,
        interpret=not on_gpu,
        **more,
    )(*flat)
    return states[:, :n].reshape(keep.shape)


@jax.custom_vjp
def fused(keep: jax.Array, add: jax.Array) -> jax.Array:
    """As `serial`, in one kernel forwards and one backwards."""
    return _scan(keep, add)


def _forward(keep, add):
    states = _scan(keep, add)
    return states, (keep, states)


def _backward(saved, grad):
    """The gradient of the states is the same recurrence from the end, with keep of the next."""
    keep, states = saved
    later = jnp.concatenate([keep[1:], jnp.zeros_like(keep[:1])])
    of_states = _scan(later[::-1], grad[::-1])[::-1]
    earlier = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    return of_states * earlier, of_states


fused.defvjp(_forward, _backward)


class cudnn_lstm:
    """One LSTM layer in both directions by cuDNN (float32): (weights, x [B,T,C]) -> [B,T,2W]."""

    def __init__(self, width: int, batch: int, steps: int):
        self.width, self.batch, self.steps = width, batch, steps

    def weights(self) -> jax.Array:
        from jax.experimental import rnn

        return rnn.init_lstm_weight(jax.random.key(0), self.width, self.width, 1, True)

    def __call__(self, weights: jax.Array, x: jax.Array) -> jax.Array:
        from jax.experimental import rnn

        zero = jnp.zeros((2, self.batch, self.width))
        length = jnp.full(self.batch, self.steps, jnp.int32)
        return rnn.lstm(
            x, zero, zero, weights, length, self.width, self.width, 1, 0.0, True,
        )[0]  # fmt: skip
