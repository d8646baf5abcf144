"""A batch whose every value says where it is from, and augmentations of it."""

from typing import Any

import jax
import numpy as np

from sleepjax.training import augment

FEATURES = ("anglez", "enmo", "hour_sin", "hour_cos", "repeat", "step")
DOWNSAMPLE, STEPS, SAMPLES = 4, 2400, 8
KEY = jax.random.key(3)


def maker(**changes: Any) -> augment.Augment:
    return jax.jit(made(**changes))


def made(**changes: Any) -> augment.Augment:
    base: dict[str, Any] = dict(
        features=FEATURES, duration=STEPS, downsample=DOWNSAMPLE, loss="segmentation"
    )
    return augment.make(**(base | changes))


def marked_batch(samples=SAMPLES, steps=STEPS):
    """Every value says which sample and step it is of: x[b,t,:] = 10,000 b + t."""
    frames = steps // DOWNSAMPLE
    step = np.arange(steps)[None] + 10_000 * np.arange(samples)[:, None]
    centre = step[:, ::DOWNSAMPLE].astype(np.float32)
    rng = np.random.default_rng(0)
    return {
        "x": np.repeat(step[..., None], len(FEATURES), axis=2).astype(np.float32),
        "asleep": centre,
        "distance": np.stack([centre, -centre], axis=-1),
        "mask": (rng.random((samples, frames)) < 0.9).astype(np.float32),
    }
