"""Augmentation inside the jitted step: the labels of a batch move with its signals.

Pure functions of a batch (`sleepjax.objectives.Batch`) and a key. The whole batch is augmented
before it is split over accumulation steps, and a sample's partner is the next one of the batch
(whose order is random already), so neither the number of devices nor of parts changes the result.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from sleepjax import custom
from sleepjax.data import subjects
from sleepjax.data.features import user_defined as user_feature
from sleepjax.data.windows import MASKS
from sleepjax.objectives import Objective, Output
from sleepjax.objectives.base import SumCount
from sleepjax.types import TOLERANCES, InputError

Batch = dict[str, Any]
"""As in `sleepjax.objectives`; after `mix` also `OTHER`."""
Augment = Callable[[Batch, Key[Array, ""]], Batch]

ORDERED = (
    *("anglez", "enmo", "anglez_sin", "anglez_cos"),
    *("minute_sin", "minute_cos", "month_sin", "month_cos", "repeat"),
    *("movement", "movement_5min", "turn", "turn_5min", "turn_range", "anglez_abs"),
)
"""Features that time reversal leaves alone but for their order. A minute keeps its number, because
events prefer some minutes of the quarter hour in either direction. ``repeat`` says that the watch
was not worn, which stays true. What looks at other steps looks as far back as ahead."""

MID_SLEEP = 2.71
"""Local hour halfway between the median onset (22:22) and wakeup (07:03) of the competition's
labels. Time reversal mirrors the clock about it: a wakeup becomes an onset at an hour at which
people fall asleep, and the clock still runs forwards."""

SEAM = max(TOLERANCES)
"""Steps to either side of a seam of `cutmix` that are masked: an event beyond the seam, which its
window no longer shows, has no target as far away as this."""

OTHER = "other"
"""Where `mix` puts the labels of the partner, with the partner's weight in their masks."""


def unchanged(batch: Batch, key: Key[Array, ""]) -> Batch:
    """No augmentation."""
    del key
    return batch


def make(
    *,
    features: Sequence[str],
    duration: int,
    downsample: int,
    loss: str,
    reverse: float = 0.0,
    cutmix: float = 0.0,
    mixup: float = 0.0,
    hide: float = 0.0,
    more: Sequence[str] = (),
) -> Augment:
    """One function that applies what is switched on, in the order of the arguments.

    Args:
      features: names of the F channels of x (`sleepjax.data.subjects.names`).
      duration: T steps; with ``reverse`` or ``cutmix`` a multiple of ``downsample``.
      downsample: steps per frame.
      loss: name of the objective; only ``segmentation`` has targets that can be mixed.
      reverse: fraction of the samples that are reversed in time.
      cutmix: fraction of the samples that get a piece of another one.
      mixup: fraction of the samples that are averaged with another one.
      hide: fraction of the samples in which a covariate is hidden, drawn for each covariate.
      more: names of user-defined augmentations, functions of (batch, key, features) that return a
        batch of the same arrays; they come first, before samples are mixed.

    Raises InputError for settings that do not go together.
    """
    if (reverse or cutmix) and duration % downsample:
        raise InputError(
            f"augment.reverse and augment.cutmix need windows of whole frames: make data.duration="
            f"{duration} a multiple of data.downsample={downsample}."
        )
    if (cutmix or mixup) and loss != "segmentation":
        raise InputError(
            f"augment.cutmix={cutmix} and augment.mixup={mixup} must be 0 with loss.name={loss!r}: "
            "only the targets of 'segmentation' can be mixed."
        )
    own = [user_defined(name, features) for name in more]
    columns = subjects.column_numbers(features)
    hide = hide if columns.any() else 0.0
    if not (reverse or cutmix or mixup or own or hide):
        return unchanged
    mirror = Mirror(features) if reverse else None

    def augment(batch: Batch, key: Key[Array, ""]) -> Batch:
        for i, function in enumerate(own):
            batch = function(batch, jax.random.fold_in(key, i))
        if hide:
            batch = hide_columns(batch, jax.random.fold_in(key, len(own)), hide, columns)
        u = jax.random.uniform(key, (6, len(batch["mask"])))  # one draw: each takes long to compile
        if mirror:
            batch = time_reversal(batch, u[0] < reverse, mirror)
        if cutmix:
            batch = cut_and_mix(batch, u[1] < cutmix, u[2:4].T, downsample)
        if mixup:
            batch = mix(batch, jnp.where(u[4] < mixup, arcsine(u[5]), 1.0))
        return batch

    return augment


def user_defined(name: str, features: Sequence[str]) -> Augment:
    """The augmentation of ``my_parts.py:name``; raises InputError where it changes a shape."""
    function = custom.load(name, "augment.more")

    def augment(batch: Batch, key: Key[Array, ""]) -> Batch:
        with custom.calling("augment.more", name):
            made = dict(function(dict(batch), key, tuple(features)))
        shapes = lambda arrays: {k: (*jnp.shape(v), str(v.dtype)) for k, v in arrays.items()}
        if shapes(made) != shapes(batch):
            raise InputError(
                f"augment.more={name!r} turns a batch of {shapes(batch)} into {shapes(made)}; it "
                "must return the same arrays, of the same shapes and types."
            )
        return made

    return augment


def arcsine(u: Float[Array, " B"]) -> Float[Array, " B"]:
    """Draws from Beta(1/2, 1/2), which prefers 0 and 1 to the middle, of uniform ones."""
    return jnp.sin(0.5 * math.pi * u) ** 2


def hide_columns(batch: Batch, key: Key[Array, ""], fraction: float, columns: np.ndarray) -> Batch:
    """Hide columns of what is known of the person, each in some samples, as if nobody had told.

    ``columns`` [F] are the numbers of `subjects.column_numbers`.
    """
    hidden = jax.random.bernoulli(key, fraction, (len(batch["mask"]), columns.max() + 1))
    hidden = hidden[:, columns] & (columns > 0)[None]  # [B,F]
    return batch | {"x": jnp.where(hidden[:, None], 0.0, batch["x"])}


class Mirror:
    """What time reversal does to the values of F features: own * x + cross * x[partner] + shift."""

    def __init__(self, features: Sequence[str]):
        """Raises InputError for features whose reversal is not known."""
        names = tuple(features)
        clock = {"hour_sin", "hour_cos"} & set(names)
        own = {name: user_feature(name).reversal for name in names if custom.is_custom(name)}
        for name, reversal in own.items():
            if reversal == "forbidden":
                raise InputError(
                    f"augment.reverse must be 0 with the feature {name!r}, which does not say how "
                    "time reversal changes it: give it reversal='same' or 'negated', or leave one "
                    "of the two out."
                )
        constant = {name for name in names if name.startswith(subjects.PREFIX)}
        unknown = (
            set(names) - constant - set(ORDERED) - {"hour_sin", "hour_cos", "step"} - own.keys()
        )
        if unknown:
            raise InputError(f"augment.reverse does not know how to reverse {sorted(unknown)}.")
        if len(clock) == 1:
            raise InputError(f"augment.reverse needs both of hour_sin and hour_cos, not {clock}.")
        self.own = np.ones(len(names), np.float32)
        self.cross = np.zeros(len(names), np.float32)
        self.partner = np.arange(len(names))
        self.shift = np.zeros(len(names), np.float32)
        if clock:  # the angle a becomes 2 m - a
            i, j = names.index("hour_sin"), names.index("hour_cos")
            twice = 2 * MID_SLEEP * 2 * math.pi / 24
            self.own[[i, j]] = -math.cos(twice), math.cos(twice)
            self.cross[[i, j]] = math.sin(twice)
            self.partner[[i, j]] = j, i
        for name, reversal in own.items():
            self.own[names.index(name)] = {"same": 1.0, "negated": -1.0}[reversal]
        if "step" in names:  # the fraction of the recording that has passed
            k = names.index("step")
            self.own[k], self.shift[k] = -1.0, 1.0

    def __call__(self, x: Float[Array, "*B T F"]) -> Float[Array, "*B T F"]:
        """Values after the reversal, for x whose order in time is reversed already."""
        row = lambda values: values.reshape((1,) * (x.ndim - 1) + (-1,))
        return row(self.own) * x + row(self.cross) * x[..., self.partner] + row(self.shift)


def time_reversal(batch: Batch, chosen: Bool[Array, " B"], mirror: Mirror) -> Batch:
    """Let time run backwards in the chosen samples, so that onsets become wakeups.

    An event lies between its step and the one before: the onset at step o of T becomes a wakeup at
    T - o, and a distance d one of -d - 1. A window that is longer than its recording stays as it
    is: models know the zeros that fill it up by their place at the end.
    """
    chosen = chosen & (batch["x"][:, -1] != 0).any(axis=-1)
    back = {name: jnp.flip(values, axis=1) for name, values in batch.items()}
    back["x"] = mirror(back["x"])
    back["distance"] = -jnp.flip(back["distance"], axis=2) - 1
    return {
        name: jnp.where(_expand(chosen, new.ndim), new, batch[name]) for name, new in back.items()
    }


def cut_and_mix(
    batch: Batch, chosen: Bool[Array, " B"], cuts: Float[Array, "B 2"], downsample: int
) -> Batch:
    """Put a piece of the next sample, from the same place, into some samples, with its labels.

    ``cuts`` are the two ends of the piece, in either order, as fractions of the window, which has
    whole frames. Frames within `SEAM` of a seam are masked.
    """
    n_frames = batch["mask"].shape[1]
    ends = jnp.round(cuts * n_frames).astype(jnp.int32)
    start, stop = ends.min(axis=1)[:, None], ends.max(axis=1)[:, None]  # frames
    frame = jnp.arange(n_frames)[None]
    piece = chosen[:, None] & (start <= frame) & (frame < stop)

    near = lambda seam: jnp.abs(frame + 0.5 - seam) * downsample < SEAM
    beside = lambda seam: (0 < seam) & (seam < n_frames) & near(seam)
    spoilt = chosen[:, None] & (start < stop) & (beside(start) | beside(stop))
    of_step = jnp.repeat(piece, downsample, axis=1)
    mixed = {
        name: jnp.where(
            _expand(of_step if name == "x" else piece, values.ndim), _next(values), values
        )
        for name, values in batch.items()
    }
    return mixed | {"mask": jnp.where(spoilt, 0.0, mixed["mask"])}


def mix(batch: Batch, weight: Float[Array, " B"]) -> Batch:
    """Average samples with the next one; the labels of both stay, see `mixed_loss`.

    ``weight`` is the sample's own part; with 1 it stays as it is. A mixed frame counts only where
    both are known.
    """
    mixed, weight = weight[:, None] < 1, weight[:, None]
    other = {name: _next(values) for name, values in batch.items()}
    average = weight[..., None] * batch["x"] + (1 - weight[..., None]) * other.pop("x")
    own = {}
    for name in MASKS & batch.keys():
        both = jnp.where(mixed, batch[name] * other[name], batch[name])
        own[name], other[name] = both * weight, both * (1 - weight)
    x = jnp.where(mixed[..., None], average, batch["x"])
    return batch | own | {"x": x, OTHER: other}


def mixed_loss(
    objective: Objective, output: Output, batch: Batch, step: Int[Array, ""]
) -> SumCount:
    """(sum, count) of an objective's loss over both labels of a batch, each with its weight.

    Where the loss is linear in its targets, as cross-entropy is, this is the loss on the mixed
    targets.
    """
    total, count = objective.loss(output, batch, step)
    if OTHER in batch:
        more, n = objective.loss(output, batch | batch[OTHER], step)
        total, count = total + more, count + n
    return total, count


def _next(values: Shaped[Array, "B ..."]) -> Shaped[Array, "B ..."]:
    return jnp.roll(values, -1, axis=0)


def _expand(mask: Bool[Array, " ..."], ndim: int) -> Bool[Array, " ..."]:
    """A mask with dimensions of size 1 appended."""
    return mask.reshape(mask.shape + (1,) * (ndim - mask.ndim))
