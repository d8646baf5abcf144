"""Events as keypoints: a heat map per class, an offset to the exact step, the interval's size.

Zhou et al. 2019, "Objects as Points", in one dimension. The 7 outputs per frame are the logits of
asleep, onset and wakeup; the offsets of onset and wakeup, in units of ``sigma`` steps; and the size
of the interval that begins at this onset or ends at this wakeup, as log(steps / 8 h).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sleepjax.objectives import losses
from sleepjax.objectives.base import (
    Batch,
    Objective,
    Output,
    SumCount,
    centres,
    columns,
    gaussian_steps,
    to_steps,
)
from sleepjax.objectives.intervals import intervals_of
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR

OUTPUTS = 7
OfEvents = Float[Array, "B frames 2"]
USUAL_SIZE = 8 * STEPS_PER_HOUR
REACH = 2.0
"""Frames up to this many sigma from an event learn where it is, and no vote goes further."""


def centernet(*, downsample: int, sigma: float, weights: Sequence[float]) -> Objective:
    """Keypoints of width ``sigma`` steps; weights of asleep, keypoints, offsets and sizes.

    Everything is a sum over objects (an object is an event) and the count is that of the objects:
    frames far from every event only enter through the heat map and through asleep, whose frames
    weigh as much as if a day had its two events.
    """

    def split(output: Output) -> list[Float[Array, "B frames _"]]:
        """Asleep [..,1], heat, offset and size [..,2] of onset and wakeup."""
        found = columns(output, OUTPUTS, "centernet", "model.name='centernet'")
        return jnp.split(found, (1, 3, 5), axis=-1)

    def loss(output: Output, batch: Batch, step: Int[Array, ""]) -> SumCount:
        del step
        asleep, heat, offset, size = split(output)
        mask = batch["mask"][..., None]
        distance = batch["distance"]  # from the event to the centre
        peak = jnp.exp(-0.5 * jnp.square(distance / sigma))
        event = (jnp.abs(distance) <= (downsample - 1) / 2 + 1e-3) & (mask > 0)
        # Each object's frames share a weight of 1. The columns of the other class have none here.
        near = peak * (jnp.abs(distance) <= REACH * sigma) * mask
        near = near * (downsample / gaussian_steps(sigma))
        sizes, known = sizes_near(batch, downsample, REACH * sigma)

        terms = [
            losses.masked_bce(asleep, batch["asleep"][..., None], batch["mask"], (1.0,))[0]
            * (2 * downsample / STEPS_PER_DAY),
            jnp.where(mask > 0, keypoint_loss(heat, peak, event), 0.0).sum(),
            (near * jnp.abs(offset + distance / sigma)).sum(),
            (near * known * jnp.abs(size - jnp.log(sizes / USUAL_SIZE))).sum(),
        ]
        total = jnp.dot(jnp.asarray(weights, jnp.float32), jnp.stack(terms))
        return total, event.sum().astype(jnp.float32)

    def probabilities(output: Output, n_steps: int) -> Float[Array, "B {n_steps} 3"]:
        asleep, heat, offset, _ = split(output)
        votes = cast_votes(jax.nn.sigmoid(heat), offset * sigma, n_steps, downsample, sigma)
        inside = to_steps(jax.nn.sigmoid(asleep), n_steps, downsample)
        return jnp.concatenate([inside, votes], axis=-1)

    return Objective(loss, probabilities, gaussian_steps(vote_width(downsample, sigma)))


def keypoint_loss(heat: OfEvents, peak: OfEvents, event: Bool[Array, "B frames 2"]) -> OfEvents:
    """CornerNet's focal loss of logits: a frame is a negative the less, the nearer its event."""
    p, up, down = jax.nn.sigmoid(heat), jax.nn.log_sigmoid(heat), jax.nn.log_sigmoid(-heat)
    return -jnp.where(event, (1 - p) ** 2 * up, (1 - peak) ** 4 * p**2 * down)


def sizes_near(batch: Batch, downsample: int, reach: float) -> tuple[OfEvents, OfEvents]:
    """Length in steps of the interval whose onset (or wakeup) is within ``reach``, and 1 if known.

    Only intervals that lie whole in the window have a length.
    """
    frames = batch["asleep"].shape[1]
    places = 2 + 2 * (frames * downsample // STEPS_PER_DAY)
    found = intervals_of(batch, downsample, places)
    whole = found.inside.all(axis=-1)  # [B,N]
    size = jnp.where(whole, found.ends[..., 1] - found.ends[..., 0], 0.0)
    away = centres(frames, downsample)[None, :, None, None] - found.ends[:, None]  # [B,T',N,2]
    own = (jnp.abs(away) <= reach) & whole[:, None, :, None]
    sizes = jnp.max(jnp.where(own, size[:, None, :, None], 0.0), axis=2)
    return jnp.maximum(sizes, 1.0), (sizes > 0).astype(jnp.float32)


def vote_width(downsample: int, sigma: float) -> float:
    """Standard deviation of a frame's vote in steps: a quarter of that of the heat map."""
    return max(sigma / 4, downsample / 2)


def cast_votes(
    heat: Float[Array, "B frames K"],
    offset: Float[Array, "B frames K"],
    n_steps: int,
    downsample: int,
    sigma: float,
) -> Float[Array, "B {n_steps} K"]:
    """Scores at every step: each frame votes, with its heat, where its offset points.

    Heat is from 0 to 1, offsets are in steps. A vote is a Gaussian (`vote_width`).
    The sum is divided by what the frames of a perfect heat map give together where all agree.
    """
    frames, width = heat.shape[1], vote_width(downsample, sigma)
    reach = REACH * sigma
    where = centres(frames, downsample)[None, :, None] + jnp.clip(offset, -reach, reach)
    step = jnp.arange(n_steps)
    around = math.ceil((reach + 3 * width) / downsample)
    total = jnp.zeros((heat.shape[0], n_steps, heat.shape[2]))
    for shift in range(-around, around + 1):
        frame = step // downsample + shift
        exists = ((frame >= 0) & (frame < frames))[None, :, None]
        frame = jnp.clip(frame, 0, frames - 1)
        away = (step.astype(jnp.float32)[None, :, None] - where[:, frame]) / width
        total += jnp.where(exists, heat[:, frame] * jnp.exp(-0.5 * jnp.square(away)), 0.0)
    together = max(1.0, gaussian_steps(sigma) / downsample)
    return jnp.minimum(total / together, 1.0)
