"""Functions of a config's model, loss and optimiser, pure and compiled."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from sleepjax import custom, models, objectives
from sleepjax.data import subjects
from sleepjax.objectives import Batch
from sleepjax.parallel import sharding
from sleepjax.runs.runtime import Execution
from sleepjax.training import augment, optim
from sleepjax.training.input_pipeline import Feed
from sleepjax.training.state import TrainState, init_state, start_from
from sleepjax.training.step import eval_step, predict_mean, predict_step, train_step
from sleepjax.types import CLASSES, STEPS_PER_MINUTE, InputError


@dataclass(frozen=True)
class Built:
    """Functions to compile; nothing here depends on data or on devices."""

    init: Callable[[jax.Array], TrainState]
    """Key -> fresh state."""
    start: Callable[[TrainState], TrainState]
    """Fresh state -> the one that training begins with, such as with weights of a file."""
    train_step: Callable[..., tuple[TrainState, dict[str, jax.Array]]]
    """(state, batch, key) -> (new state, metrics); see `step.train_step`."""
    eval_step: Callable[..., tuple[jax.Array, jax.Array, jax.Array]]
    """(variables, batch, step) -> (probabilities, loss sum, loss count); see `step.eval_step`."""
    predict_step: Callable[[Any, jax.Array], jax.Array]
    """(variables, x [B,T,F]) -> probabilities [B,T,K]; see `step.predict_step`."""
    predict_mean: Callable[[Any, jax.Array], jax.Array]
    """As ``predict_step``, of members whose variables are stacked; see `step.predict_mean`."""
    lr_at: Callable[[int], Any]
    """Step -> learning rate."""
    event_steps: float
    """Over how many steps a certain event's probability is spread; see `objectives.Objective`."""

    @property
    def spread(self) -> float:
        """Minutes over which an event's probability is spread; windows are chosen by the minute."""
        return max(1.0, self.event_steps / STEPS_PER_MINUTE)

    def shapes(self) -> TrainState:
        """Shapes and dtypes of a state, without computing one."""
        return jax.eval_shape(self.init, jax.random.key(0))

    def count_parameters(self) -> int:
        """Trainable numbers of the model."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.shapes().params))


def build(config: Any) -> Built:
    """The functions of a config. Raises InputError for settings that name or allow no model."""
    cut = dict(duration=config.data.duration, downsample=config.data.downsample)
    names = subjects.names(config.data)
    worn = config.loss.get("worn", 0) > 0
    own_loss = custom.is_custom(config.loss.name)
    model = models.build(
        **config.model,
        downsample=config.data.downsample,
        covariates=len(names) - len(config.data.features),
        worn=worn,
        any_answer=own_loss,
    )
    objective = objectives.make(**config.loss, downsample=config.data.downsample)
    tx, lr_at = optim.make(total_steps=config.total_steps, **config.optim)
    augmentation = augment.make(
        **config.get("augment", {}), **cut, features=names, loss=config.loss.name
    )

    def init(key: jax.Array) -> TrainState:
        x = jnp.zeros((1, config.data.duration, len(names)))
        return init_state(key, x, model=model, tx=tx, ema=config.ema)

    update = partial(
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
    weights = config.model.get("unet2d", {}).get("weights")
    start = partial(start_from, weights) if weights else lambda state: state
    predicts = partial(predict_step, **both), partial(predict_mean, **both)
    steps = partial(eval_step, **both), *predicts
    built = Built(init, start, update, *steps, lr_at, objective.event_steps)
    if custom.names(config.to_dict()):
        check_user_defined(built, config)
    if custom.is_custom(config.optim.name):
        check_descent(config.optim.name, tx, built.shapes().params)
    if own_loss:
        check_probabilities(config, model, objective)
    return built


def check_descent(name: str, tx: Any, shapes: Any) -> None:
    """Raise InputError for a user-defined optimiser whose first update climbs.

    Whole optimisers of optax do: they hold a minus sign and a rate of their own. Parameters are
    0, where weight decay and averages say nothing.
    """
    filled = lambda value: jax.tree.map(lambda s: jnp.full(s.shape, value, s.dtype), shapes)
    zeros, ones = filled(0.0), filled(1.0)
    with custom.calling("optim.name", name):
        updates, _ = tx.update(ones, tx.init(zeros), zeros, step=jnp.int32(0))
    if sum(float(u.sum()) for u in jax.tree.leaves(updates)) > 0:
        raise InputError(
            f"optim.name={name!r} climbs: its first update follows the gradient. It must return a "
            "direction, which is multiplied by minus the learning rate, such as "
            "optax.scale_by_adam() or optax.trace(0.9); optax.adam(lr) and optax.sgd(lr) are whole "
            "optimisers, whose minus sign would count twice."
        )


def check_probabilities(config: Any, model: Any, objective: objectives.Objective) -> None:
    """Raise InputError where a user-defined loss reads outputs as anything but probabilities."""
    x = jax.ShapeDtypeStruct(
        (2, config.data.duration, len(subjects.names(config.data))), jnp.float32
    )
    apply = lambda key, x: model.init_with_output({"params": key, "dropout": key}, x, train=False)
    outputs, _ = jax.eval_shape(apply, jax.random.key(0), x)
    ramp = lambda s: jnp.linspace(-4.0, 4.0, s.size).reshape(s.shape).astype(s.dtype)
    found = objective.probabilities(jax.tree.map(ramp, outputs), config.data.duration)
    low, high = float(found.min()), float(found.max())
    if not jnp.issubdtype(found.dtype, jnp.floating) or not 0 <= low <= high <= 1:
        raise InputError(
            f"loss.name={config.loss.name!r} reads outputs from -4 to 4 as probabilities "
            f"({found.dtype}) from {low:g} to {high:g}; they must be float32 from 0 to 1, such as "
            "jax.nn.sigmoid of logits."
        )


def check_user_defined(built: Built, config: Any) -> None:
    """Raise InputError where user-defined parts do not go together; it takes shapes alone.

    A part that fails is named with its line, whichever function of the step calls it.
    """
    frames = -(-config.data.duration // config.data.downsample)
    of = lambda *shape: jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    batch = {
        "x": of(config.data.duration, len(subjects.names(config.data))),
        **{"asleep": of(frames), "distance": of(frames, 2), "mask": of(frames)},
        **{"worn": of(frames), "worn_mask": of(frames)},
    }
    names = custom.names(config.to_dict())
    with custom.calling_any(names):
        state = built.shapes()
        step = jax.ShapeDtypeStruct((), jnp.int32)
        probabilities, total, count = jax.eval_shape(built.eval_step, state.variables, batch, step)
        key = jax.eval_shape(lambda: jax.random.key(0))
        jax.eval_shape(built.train_step, state, batch, key)
    found = probabilities.shape
    if found[:2] != (2, config.data.duration) or found[2] not in (len(CLASSES), len(CLASSES) + 1):
        raise InputError(
            f"loss.name={config.loss.name!r} gives probabilities {found}; they must be "
            f"{(2, config.data.duration, len(CLASSES))}: at every step, for {', '.join(CLASSES)}."
        )
    if total.shape or count.shape:
        raise InputError(
            f"loss.name={config.loss.name!r} gives a loss of shapes {total.shape} and "
            f"{count.shape}; it must be (sum, count), two single numbers."
        )


@dataclass(frozen=True)
class Compiled:
    """The functions of a run on a mesh; a state is made by ``start`` or restored into ``like``."""

    like: TrainState
    """Shapes, dtypes and shardings of a state."""
    start: Callable[[int], TrainState]
    """Seed -> the state that training begins with."""
    train_key: Callable[[int], jax.Array]
    """Seed -> key of the randomness of training."""
    update: Callable[..., tuple[TrainState, dict[str, jax.Array]]]
    """(state, store, batch, key) -> (new state, metrics); the state given is used up."""
    score: Callable[..., tuple[jax.Array, jax.Array, jax.Array]]
    """`Built.eval_step`, jitted."""
    to_device: Callable[[dict[str, Any]], Batch]
    """This process's share of a batch -> the global batch, split over the devices."""


def compiled(built: Built, feed: Feed, mesh: Mesh, execution: Execution) -> Compiled:
    """Jitted functions; nothing is compiled before its first use."""
    replicated, by_batch = sharding.shardings(mesh)
    shapes = built.shapes()
    where: Any = TrainState._make([replicated] * len(shapes))
    if execution.shard_optimizer:
        where = where._replace(opt_state=sharding.split(shapes.opt_state, mesh))

    def keys(seed: int) -> tuple[jax.Array, ...]:
        return jax.jit(
            lambda: tuple(jax.random.split(jax.random.key(seed))), out_shardings=replicated
        )()

    def update(state: TrainState, store: Any, batch: Batch, key: jax.Array):
        return built.train_step(state, feed.expand(store, batch), key)

    return Compiled(
        like=sharding.placed(shapes, where),
        start=lambda seed: built.start(jax.jit(built.init, out_shardings=where)(keys(seed)[0])),
        train_key=lambda seed: keys(seed)[1],
        update=jax.jit(update, donate_argnums=0, out_shardings=(where, replicated)),
        score=jax.jit(built.eval_step, out_shardings=replicated),
        to_device=partial(sharding.to_global, by_batch=by_batch),
    )
