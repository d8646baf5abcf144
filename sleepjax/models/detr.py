"""DETR over intervals: learned queries that each point at an onset and a wakeup, or at nothing."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from sleepjax.models.attention import FeedForward, TransformerBlock, chunk_means, per_head
from sleepjax.models.blocks import Dtype, FrameMask, Outputs, Signals, dense, lecun_uniform
from sleepjax.models.bounds import Checked
from sleepjax.models.decoders import DilatedConvs
from sleepjax.models.head import log_odds
from sleepjax.models.spec import check_features, real_frames
from sleepjax.types import STEPS_PER_HOUR

FLAG_BIAS = (log_odds(0.2), log_odds(0.8), log_odds(0.8))
"""Logits at first: a query is an interval, its onset is inside the window, its wakeup is."""

USUAL_HALF = 4 * STEPS_PER_HOUR
"""Half the length of the interval that a query stands for at first."""

PERIODS = tuple(2 * STEPS_PER_HOUR * 2**i for i in range(7))
"""Periods in steps, 2 to 128 h, of the waves that tell where in the window a token lies."""


def waves(position: Array) -> Array:
    """Sines and cosines [...,14] of positions [...] in steps."""
    speed = jnp.array([2 * math.pi / period for period in PERIODS])
    angle = jnp.einsum("...,p->...p", position, speed)
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class CrossBlock(nn.Module):
    """Queries look at each other, then at the tokens, then at themselves: [B,Q,W] -> [B,Q,W]."""

    width: int
    heads: int
    dropout: float
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, where: Array, tokens: Array, mask: Array, train: bool) -> Array:
        """``where`` [1,Q,W] says which query is which, ``mask`` [B,T] which tokens are real."""
        drop = lambda y: nn.Dropout(self.dropout)(y, deterministic=not train)
        norm = lambda name: nn.LayerNorm(dtype=self.dtype, name=name)

        def attend(name: str, x: Array, to: Array, key_of: Array, mask) -> Array:
            part = lambda part, x: per_head(f"{name}_{part}", x, self.heads, self.dtype)
            y = jax.nn.dot_product_attention(
                part("query", x), part("key", key_of), part("value", to), mask=mask
            )
            return dense(self.width, self.dtype, name=f"{name}_out")(y.reshape(x.shape))

        y = norm("norm1")(x)
        x = x + drop(attend("self", y + where, y, y + where, None))
        y = norm("norm2")(x)
        real = (mask > 0)[:, None, None, :]
        x = x + drop(attend("cross", y + where, tokens, tokens, real))
        return x + drop(FeedForward(self.dtype, name="mlp")(norm("norm3")(x)))


class DETR(Checked):
    """[B,T,F] -> (intervals [B,Q,5] float32, out).

    A query's outputs are the logits of being an interval, of its onset and of its wakeup lying in
    the window, and the two positions in steps. A position is the mean of a distribution over all
    frames: how well a frame's features answer the query's pointer, times a bell around the place
    where the query expects the event. At first the queries stand evenly over the window, each for
    8 hours of sleep. Features per frame come from dilated convolutions, context between distant
    frames from a transformer over tokens of ``patch`` frames. ``depth`` counts the blocks of both
    transformers.
    """

    extractor: nn.Module
    queries: int = 8
    width: int = 64
    depth: int = 2
    heads: int = 4
    patch: int = 8
    levels: int = 6
    dropout: float = 0.1
    norm: str = "batch"
    downsample: int = 2
    features: int | None = None
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Signals, *, train: bool, mask: FrameMask = None) -> Outputs:
        """Return intervals and named intermediates; ``train`` turns dropout on.

        ``mask`` [B,T'] is 1 at frames of the recording (`real_frames` unless given).
        """
        check_features(x, self.features)
        mask = real_frames(x, self.downsample) if mask is None else mask
        image = self.extractor(x, train=train, mask=mask)
        b, t = image.shape[:2]
        trunk = DilatedConvs(
            self.width, self.levels, self.dropout, self.norm, self.dtype, name="trunk"
        )
        frames, _ = trunk(image.reshape(b, t, -1), train=train)  # [B,T',W]
        tokens, real = chunk_means(frames, mask, self.patch)
        place = (jnp.arange(tokens.shape[1]) + 0.5) * self.patch * self.downsample  # its middle
        for i in range(self.depth):
            block = TransformerBlock(
                self.width, self.heads, self.dropout, self.dtype, name=f"encoder{i}"
            )
            tokens = block(tokens, train=train, mask=real)
        tokens = tokens + dense(self.width, self.dtype, name="place")(waves(place))[None]

        steps = t * self.downsample
        middle = (jnp.arange(self.queries) + 0.5) / self.queries * steps
        anchor = jnp.stack([middle - USUAL_HALF, middle + USUAL_HALF], axis=-1)  # [Q,2]
        where = dense(self.width, self.dtype, name="anchor")(waves(middle))[None]
        learned = self.param("queries", lecun_uniform, (self.queries, self.width))
        query = jnp.broadcast_to(learned.astype(tokens.dtype), (b, *learned.shape))
        for i in range(self.depth):
            block = CrossBlock(self.width, self.heads, self.dropout, self.dtype, name=f"query{i}")
            query = block(query, where, tokens, real, train)
        query = nn.LayerNorm(dtype=self.dtype, name="norm")(query)

        flags = nn.Dense(
            3,
            dtype=jnp.float32,
            bias_init=lambda key, shape, dtype: jnp.array(FLAG_BIAS, dtype),
            kernel_init=nn.initializers.zeros,
            name="flags",
        )(query.astype(jnp.float32))
        ends = self.point(query, frames, tokens, anchor, mask)
        return jnp.concatenate([flags, ends], axis=-1), {"image": image, "frames": frames}

    def point(
        self, query: Array, frames: Array, tokens: Array, anchor: Array, mask: Array
    ) -> Array:
        """Positions [B,Q,2] in steps, float32."""
        b, t, w = frames.shape
        context = jnp.repeat(tokens, self.patch, axis=1)[:, :t]
        keys = dense(w, self.dtype, name="keys")(jnp.concatenate([frames, context], axis=-1))
        pointers = dense(2 * w, self.dtype, name="pointers")(query).reshape(b, -1, 2, w)
        # Rounded to bfloat16, a great answer would be the same for frames minutes apart.
        answer = jnp.einsum("bqew,btw->bqet", pointers, keys, preferred_element_type=jnp.float32)
        answer = answer / math.sqrt(w)
        # Expected place and its spread, in hours about the anchor: [B,Q,2] each.
        moved = nn.Dense(4, dtype=jnp.float32, kernel_init=nn.initializers.zeros, name="expected")(
            query.astype(jnp.float32)
        ).reshape(b, -1, 2, 2)
        expected = anchor[None] + moved[..., 0] * STEPS_PER_HOUR
        spread = 2 * STEPS_PER_HOUR * jnp.exp(jnp.clip(moved[..., 1], -2.0, 2.0))
        centre = jnp.arange(t) * self.downsample + (self.downsample - 1) / 2
        away = (centre[None, None, None] - expected[..., None]) / spread[..., None]
        score = answer - 0.5 * jnp.square(away)
        score = jnp.where((mask > 0)[:, None, None], score, -1e30)
        return jnp.einsum("bqet,t->bqe", jax.nn.softmax(score, axis=-1), centre)
