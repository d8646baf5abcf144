"""Initial weights.

``jax.random`` costs XLA:CPU about 0.6 s of compilation per parameter that it draws (measured, jax
0.10.2), half a minute for a U-Net. Initial weights need no cryptographic generator: here a counter
is hashed with the parameter's key, which compiles to a few integer operations.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp


def he_uniform(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """Uniform weights of variance 2 / fan-in, the last axis of ``shape`` being the outputs."""
    return _uniform(key, shape, 2 / math.prod(shape[:-1]), dtype)


def lecun_uniform(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """Uniform weights of variance 1 / fan-in, for linear outputs."""
    return _uniform(key, shape, 1 / math.prod(shape[:-1]), dtype)


def _uniform(key: jax.Array, shape: tuple[int, ...], variance: float, dtype) -> jax.Array:
    bits = jax.lax.iota(jnp.uint32, math.prod(shape))
    for word in jax.random.key_data(key).ravel():
        bits = _mix(bits ^ word)
    unit = (bits >> 8).astype(jnp.float32) * 2.0**-23 - 1  # in [-1, 1)
    return (unit * math.sqrt(3 * variance)).reshape(shape).astype(dtype)


def _mix(bits: jax.Array) -> jax.Array:
    """Spread every input bit over all 32 (the finalizer of MurmurHash3, public domain)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
