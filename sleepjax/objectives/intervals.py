"""The sleep intervals of a window, recovered inside jit from its per-frame labels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from sleepjax.objectives.base import Batch, centres


class Intervals(NamedTuple):
    """N places for the sleep intervals of each window, in no particular order."""

    ends: Float[Array, "B N 2"]
    """Onset and wakeup in steps from the window's start, clipped to the window."""
    inside: Bool[Array, "B N 2"]
    """Whether that end is an event in the window, and not where the window cuts."""
    real: Bool[Array, "B N"]
    """False where the place is empty."""


def intervals_of(batch: Batch, downsample: int, places: int) -> Intervals:
    """Intervals from the distances and ``asleep`` of a batch; none in windows without mask.

    An event lies in a frame whose centre it is at most (d-1)/2 steps from. An onset ends at the
    next wakeup unless another onset comes first; a wakeup that no onset claims began before the
    window. A window without events that is mostly asleep is one interval, cut at both sides.
    """
    frames = batch["asleep"].shape[1]
    last = float(frames * downsample)
    time = centres(frames, downsample)[None, :, None] - batch["distance"]
    within = jnp.abs(batch["distance"]) <= (downsample - 1) / 2 + 1e-3
    events = jnp.where(within, time, jnp.inf)  # [B,T',2]
    # One more than there are places, so that the last onset has a next one.
    count = min(places + 1, frames)
    first = -jax.lax.top_k(-events.swapaxes(1, 2), count)[0]  # [B,2,N+1], ascending
    onset, wakeup = first[:, 0], first[:, 1]

    def next_after(times: Float[Array, "B N"], moments: Float[Array, "B M"]) -> Float[Array, "B M"]:
        later = times[:, None, :] > moments[:, :, None]
        return jnp.where(later, times[:, None, :], jnp.inf).min(axis=-1)

    latest_before = lambda times, moments: -next_after(-times, -moments)

    end, following = next_after(wakeup, onset), next_after(onset, onset)
    has_end = jnp.isfinite(end) & (end < following)
    end = jnp.where(has_end, end, jnp.minimum(following, last))
    begun = jnp.stack([onset, end], axis=-1), jnp.stack([onset < jnp.inf, has_end], axis=-1)

    before = latest_before(wakeup, wakeup)
    orphan = jnp.isfinite(wakeup) & (latest_before(onset, wakeup) <= before)
    cut = jnp.maximum(before, 0.0)
    ended = jnp.stack([cut, wakeup], axis=-1), jnp.stack([orphan & False, orphan], axis=-1)

    silent = ~(within.any(axis=(1, 2))) & (batch["asleep"].mean(axis=1) > 0.5)
    whole = jnp.broadcast_to(jnp.array([[0.0, last]]), (len(silent), 2))[:, None]

    ends = jnp.concatenate([begun[0], ended[0], whole], axis=1)
    inside = jnp.concatenate([begun[1], ended[1], jnp.zeros_like(whole, bool)], axis=1)
    real = jnp.concatenate([onset < jnp.inf, orphan, silent[:, None]], axis=1)
    real &= (batch["mask"] > 0).any(axis=1)[:, None]
    order = jnp.argsort(~real, axis=1, stable=True)[:, :places]
    take = lambda a: jnp.take_along_axis(a, order[..., None], axis=1)
    real = jnp.take_along_axis(real, order, axis=1)
    ends = jnp.where(real[..., None], take(ends), 0.0)
    return Intervals(ends, take(inside) & real[..., None], real)
