"""What a config computes, as pure functions: the one place where model, loss and optimiser meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from sleepjax import models, objectives
from sleepjax.training import augment, optim
from sleepjax.training.state import TrainState, init_state, start_from
from sleepjax.training.step import eval_step, predict_step, train_step


@dataclass(frozen=True)
class Built:
    """Functions to compile; nothing here depends on data or on devices."""

    init: Callable[[jax.Array], TrainState]
    """Key -> fresh state."""
    start: Callable[[TrainState], TrainState]
    """Fresh state -> the one that training begins with, such as with weights of a file."""
    learn: Callable[..., tuple[TrainState, dict[str, jax.Array]]]
    """(state, batch, key) -> (new state, metrics); see `step.train_step`."""
    score: Callable[..., tuple[jax.Array, jax.Array, jax.Array]]
    """(variables, batch, step) -> (probabilities, loss sum, loss count); see `step.eval_step`."""
    predict: Callable[[Any, jax.Array], jax.Array]
    """(variables, x [B,T,F]) -> probabilities [B,T,K]; see `step.predict_step`."""
    lr_at: Callable[[int], Any]
    """Step -> learning rate."""

    def shapes(self) -> TrainState:
        """Shapes and dtypes of a state, without computing one."""
        return jax.eval_shape(self.init, jax.random.key(0))

    def count_parameters(self) -> int:
        """Trainable numbers of the model."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.shapes().params))


def build(config: Any) -> Built:
    """The functions of a config. Raises InputError for settings that name or allow no model."""
    cut = dict(duration=config.data.duration, downsample=config.data.downsample)
    n_features = len(config.data.features)
    worn = config.loss.get("worn", 0) > 0
    model = models.build(**config.model, downsample=config.data.downsample, worn=worn)
    objective = objectives.make(**config.loss, downsample=config.data.downsample)
    tx, lr_at = optim.make(total_steps=config.total_steps, **config.optim)
    augmentation = augment.make(
        **config.get("augment", {}), **cut, features=config.data.features, loss=config.loss.name
    )

    def init(key: jax.Array) -> TrainState:
        x = jnp.zeros((1, config.data.duration, n_features))
        return init_state(key, x, model=model, tx=tx, ema=config.ema)

    learn = partial(
        train_step,
        model=model,
        tx=tx,
        objective=objective,
        accumulate=config.accumulate,
        ema=config.ema,
        spike=config.guard.spike,
        augment=augmentation,
    )
    both = dict(model=model, objective=objective)
    score, predict = partial(eval_step, **both), partial(predict_step, **both)
    weights = config.model.get("unet2d", {}).get("weights")
    start = partial(start_from, weights) if weights else lambda state: state
    return Built(init, start, learn, score, predict, lr_at)
