"""Attention that knows where frames lie relative to each other, for any length."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.models.initializers import he_uniform
from sleepjax.models.layers import Dtype, dense
from sleepjax.types import InputError


def rotate(x: jax.Array, position: jax.Array) -> jax.Array:
    """Rotary positions (Su et al. 2021): turn pairs of channels by angles that grow with position.

    x [B,T,N,D] with even D, position [T]; the product of two rotated vectors depends on the
    difference of their positions alone. Computed in float32.
    """
    half = x.shape[-1] // 2
    speed = 10_000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)  # radians per frame
    angle = jnp.einsum("t,d->td", position.astype(jnp.float32), speed)[None, :, None]
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = (a * jnp.cos(angle) - b * jnp.sin(angle), a * jnp.sin(angle) + b * jnp.cos(angle))
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)


def check_heads(width: int, heads: int) -> None:
    """Raise InputError unless every head gets the same, even number of channels."""
    if width % (2 * heads):
        raise InputError(f"width={width} must be a multiple of 2 * heads={2 * heads}.")


class SelfAttention(nn.Module):
    """Multi-head attention of all tokens to all real tokens: [B,T,W] -> [B,T,W]."""

    heads: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Attend; ``mask`` [B,T] is 1 at real tokens."""
        width = x.shape[-1]
        check_heads(width, self.heads)
        split = lambda name: dense(width, self.dtype, name=name)(x).reshape(
            *x.shape[:2], self.heads, -1
        )  # [B,T,N,D]
        position = jnp.arange(x.shape[1])
        y = jax.nn.dot_product_attention(
            rotate(split("query"), position),
            rotate(split("key"), position),
            split("value"),
            mask=None if mask is None else (mask > 0)[:, None, None, :],
        )
        return dense(width, self.dtype, name="out")(y.reshape(x.shape))


class FeedForward(nn.Module):
    """Two dense layers over each token, four times as wide between them: [B,T,W] -> [B,T,W]."""

    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Transform each token."""
        wide = nn.Dense(4 * x.shape[-1], dtype=self.dtype, kernel_init=he_uniform, name="wide")
        return dense(x.shape[-1], self.dtype, name="narrow")(nn.gelu(wide(x)))


class TransformerBlock(nn.Module):
    """Self-attention and feed-forward, each added to what it saw normalised: [B,T,W] -> [B,T,W]."""

    width: int
    heads: int
    dropout: float
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, mask: jax.Array | None = None) -> jax.Array:
        """Return the tokens with their context."""
        drop = lambda y: nn.Dropout(self.dropout)(y, deterministic=not train)
        norm = lambda name: nn.LayerNorm(dtype=self.dtype, name=name)
        attention = SelfAttention(self.heads, self.dtype, name="attention")
        x = x + drop(attention(norm("norm1")(x), mask))
        return x + drop(FeedForward(self.dtype, name="mlp")(norm("norm2")(x)))


class Patches(nn.Module):
    """Every ``patch`` frames become one token: [B,T,C] -> ([B,ceil(T/p),W], mask or None)."""

    width: int
    patch: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array | None]:
        """Return tokens, and a mask of those that hold a real frame."""
        b, t, c = x.shape
        tokens = -(-t // self.patch)
        pad = ((0, 0), (0, tokens * self.patch - t))
        if mask is not None:
            x = x * mask[..., None].astype(x.dtype)
            mask = jnp.pad(mask, pad).reshape(b, tokens, self.patch).max(axis=-1)
        x = jnp.pad(x, (*pad, (0, 0))).reshape(b, tokens, self.patch * c)
        return dense(self.width, self.dtype, name="embed")(x), mask
