"""Attention that knows where frames lie relative to each other, for any length.

Where ``mask`` [B,T] is given, it is 1 at real tokens, and nobody attends to others.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Num

from sleepjax.models.blocks import Dtype, dense, he_uniform
from sleepjax.types import InputError

Tokens = Float[Array, "B T W"]
Real = Float[Array, "B T"] | None
Heads = Float[Array, "B T N D"]


def rotate(x: Heads, position: Num[Array, " T"]) -> Heads:
    """Rotary positions (Su et al. 2021): turn pairs of channels by angles that grow with position.

    D is even; the product of two rotated vectors depends on the difference of their positions
    alone. Computed in float32.
    """
    half = x.shape[-1] // 2
    speed = 10_000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)  # radians per frame
    angle = jnp.einsum("t,d->td", position.astype(jnp.float32), speed)[None, :, None]
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = (a * jnp.cos(angle) - b * jnp.sin(angle), a * jnp.sin(angle) + b * jnp.cos(angle))
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)


def per_head(name: str, x: Tokens, heads: int, dtype: Dtype) -> Heads:
    """A dense layer, whose channels are shared out among the heads.

    Raises InputError unless every head gets the same, even number of them.
    """
    width = x.shape[-1]
    if width % (2 * heads):
        raise InputError(f"width={width} must be a multiple of 2 * heads={2 * heads}.")
    return dense(width, dtype, name=name)(x).reshape(*x.shape[:2], heads, -1)


class SelfAttention(nn.Module):
    """Multi-head attention of all tokens to all real tokens: [B,T,W] -> [B,T,W]."""

    heads: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens, mask: Real = None) -> Tokens:
        """Attend; ``mask`` [B,T] is 1 at real tokens."""
        split = lambda name: per_head(name, x, self.heads, self.dtype)
        position = jnp.arange(x.shape[1])
        y = jax.nn.dot_product_attention(
            rotate(split("query"), position),
            rotate(split("key"), position),
            split("value"),
            mask=None if mask is None else (mask > 0)[:, None, None, :],
        )
        return dense(x.shape[-1], self.dtype, name="out")(y.reshape(x.shape))


class LocalAttention(nn.Module):
    """Attention to the tokens at most ``window`` away, by a learned bias per distance.

    [B,T,W] -> [B,T,W]. Chunks of ``window`` tokens look at themselves and their two neighbours, so
    the cost grows with T, not with its square.
    """

    heads: int
    window: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens, mask: Real = None) -> Tokens:
        """Attend; ``mask`` [B,T] is 1 at real tokens."""
        (b, t, width), w, n = x.shape, self.window, self.heads
        chunks = -(-t // w)
        real = jnp.ones((b, t)) if mask is None else mask
        real = jnp.pad(real, ((0, 0), (0, chunks * w - t)))
        x = jnp.pad(x, ((0, 0), (0, chunks * w - t), (0, 0)))

        def around(a: jax.Array) -> jax.Array:
            """Each chunk between its neighbours: [B,chunks*w,...] -> [B*chunks,3w,...]."""
            a = a.reshape(b, chunks, w, *a.shape[2:])
            a = jnp.pad(a, ((0, 0), (1, 1)) + ((0, 0),) * (a.ndim - 2))
            a = jnp.concatenate([a[:, :-2], a[:, 1:-1], a[:, 2:]], axis=2)
            return a.reshape(b * chunks, 3 * w, *a.shape[3:])

        split = lambda name: per_head(name, x, n, self.dtype)
        query = split("query").reshape(b * chunks, w, n, -1)
        by_distance = self.param("bias", nn.initializers.zeros, (n, 2 * w + 1))
        away = jnp.arange(3 * w)[None] - w - jnp.arange(w)[:, None]  # [w,3w], key - query
        near = jnp.abs(away) <= w
        bias = by_distance[:, jnp.clip(away + w, 0, 2 * w)][None].astype(query.dtype)
        y = jax.nn.dot_product_attention(
            query,
            around(split("key")),
            around(split("value")),
            bias=bias,  # [1,N,w,3w]
            mask=near[None, None] & (around(real) > 0)[:, None, None],
        )
        y = y.reshape(b, chunks * w, width)[:, :t]
        return dense(width, self.dtype, name="out")(y)


def chunk_means(
    x: Float[Array, "B T W"], real: Num[Array, "B T"] | Bool[Array, "B T"], size: int
) -> tuple[Float[Array, "B chunks W"], Float[Array, "B chunks"]]:
    """Means of the real tokens of each ``size`` in a row, and how many they are."""
    b, t, width = x.shape
    chunks = -(-t // size)
    pad = ((0, 0), (0, chunks * size - t))
    real = jnp.pad(real.astype(x.dtype), pad).reshape(b, chunks, size)
    parts = jnp.pad(x, (*pad, (0, 0))).reshape(b, chunks, size, width)
    count = real.sum(axis=2)
    return jnp.einsum("bcwd,bcw->bcd", parts, real) / jnp.maximum(count, 1)[..., None], count


class SummaryAttention(nn.Module):
    """Attention of every token to the means of all chunks of ``window`` tokens, by rotation.

    [B,T,W] -> [B,T,W]: the context of the whole window at the cost of T * T / window.
    """

    heads: int
    window: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens, mask: Real = None) -> Tokens:
        """Attend; ``mask`` [B,T] is 1 at real tokens."""
        (b, t, width), w, n = x.shape, self.window, self.heads
        means, count = chunk_means(x, jnp.ones((b, t)) if mask is None else mask > 0, w)
        split = lambda name, x: per_head(name, x, n, self.dtype)
        middle = jnp.arange(means.shape[1]) * w + (w - 1) / 2
        y = jax.nn.dot_product_attention(
            rotate(split("query", x), jnp.arange(t)),
            rotate(split("key", means), middle),
            split("value", means),
            mask=(count > 0)[:, None, None, :],
        )
        return dense(width, self.dtype, name="out")(y.reshape(x.shape))


class FeedForward(nn.Module):
    """Two dense layers over each token, four times as wide between them: [B,T,W] -> [B,T,W]."""

    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens) -> Tokens:
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
    def __call__(self, x: Tokens, *, train: bool, mask: Real = None) -> Tokens:
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
    def __call__(
        self, x: Float[Array, "B T C"], mask: Float[Array, "B T"] | None
    ) -> tuple[Float[Array, "B tokens W"], Float[Array, "B tokens"] | None]:
        """Return tokens, and a mask of those that hold a real frame."""
        b, t, c = x.shape
        tokens = -(-t // self.patch)
        pad = ((0, 0), (0, tokens * self.patch - t))
        if mask is not None:
            x = x * mask[..., None].astype(x.dtype)
            mask = jnp.pad(mask, pad).reshape(b, tokens, self.patch).max(axis=-1)
        x = jnp.pad(x, (*pad, (0, 0))).reshape(b, tokens, self.patch * c)
        return dense(self.width, self.dtype, name="embed")(x), mask
