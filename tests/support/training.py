"""A small model with its optimiser, its compiled step and a batch, without a loop."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sleepjax import models, objectives
from sleepjax.training import optim
from sleepjax.training.state import Guard, TrainState
from sleepjax.training.step import train_step

SMALL: dict[str, Any] = dict(downsample=4, extractor=dict(height=4, kernels=(8,)))
MODEL = models.build("spec1d", **SMALL, decoder=dict(widths=(8, 16)))
OBJECTIVE = objectives.make("segmentation", downsample=4, sigma=20.0, weights=(1.0, 2.0, 2.0))
TX, LR_AT = optim.make(total_steps=40, lr=1e-2, warmup=2, weight_decay=0.0, clip=1.0)


def make_batch(seed=0, batch=8, steps=96):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, steps, 2)).astype(np.float32)
    frames = steps // 4
    return {
        "x": x,
        "asleep": (x[..., 0].reshape(batch, frames, 4).mean(-1) > 0).astype(np.float32),
        "distance": rng.integers(-50, 50, (batch, frames, 2)).astype(np.float32),
        "mask": (rng.random((batch, frames)) < 0.8).astype(np.float32),
    }


def stepper(**settings):
    all_settings: dict[str, Any] = dict(
        model=MODEL, tx=TX, objective=OBJECTIVE, accumulate=1, ema=0.0, spike=10.0
    )
    all_settings |= settings
    return jax.jit(lambda state, batch: train_step(state, batch, jax.random.key(1), **all_settings))


def make_state(step=0, value=0.0, typical=0.0, seen=0, skips=0):
    """A state of few numbers, all of the given value."""
    guard_state = Guard(jnp.float32(typical), jnp.int32(seen), jnp.int32(skips))
    parts = ({"w": jnp.full(3, value)}, {"mean": jnp.full(2, value)}, {"m": jnp.full(3, value)})
    return TrainState(jnp.int32(step), *parts, {"params": jnp.full(3, value)}, guard_state)
