"""Functions that run on the device: one training update, one prediction, one validation batch."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int, Key

from sleepjax.models.spec import Spec1D
from sleepjax.objectives import Batch, Objective
from sleepjax.training.augment import Augment, mixed_loss, unchanged
from sleepjax.training.guard import guarded
from sleepjax.training.state import TrainState

AUGMENT_STREAM = 2**20
"""Folded into the key of a step; far from the numbers of its parts, which dropout's keys have."""


def train_step(
    state: TrainState,
    batch: Batch,
    key: Key[Array, ""],
    *,
    model: nn.Module,
    tx: optax.GradientTransformationExtraArgs,
    objective: Objective,
    accumulate: int,
    ema: float,
    spike: float,
    augment: Augment = unchanged,
) -> tuple[TrainState, dict[str, Array]]:
    """One update from a batch.

    The batch is augmented and then worked through in ``accumulate`` parts; sums and counts are
    added before the division, so the update is that of the whole batch, but for the masks that
    dropout draws and for statistics over the batch, with which `checks` refuses parts. Randomness
    is a function of (key, step).
    An update that is not finite, or whose loss is more than ``spike`` times the usual, is skipped.
    """
    key = jax.random.fold_in(key, state.step)
    batch = augment(batch, jax.random.fold_in(key, AUGMENT_STREAM))

    def loss_sum(params: Any, model_state: Any, part: Batch, key: Key[Array, ""]):
        output, model_state = model.apply(
            {"params": params, **model_state},
            part["x"],
            train=True,
            rngs={"dropout": key},
            mutable=list(model_state),
        )
        total, count = mixed_loss(objective, output, part, state.step)
        return total, (count, dict(model_state))

    def add_part(carry: Any, part_and_key: tuple[Batch, Key[Array, ""]]):
        grads, total, count, model_state = carry
        grad_fn = jax.value_and_grad(loss_sum, has_aux=True)
        (t, (c, model_state)), g = grad_fn(state.params, model_state, *part_and_key)
        return (jax.tree.map(jnp.add, grads, g), total + t, count + c, model_state), None

    zero = (jax.tree.map(jnp.zeros_like, state.params), 0.0, 0.0, state.model_state)
    if accumulate == 1:  # not a scan of length 1: XLA's CPU convolutions are 9x slower inside one
        (grads, total, count, model_state), _ = add_part(zero, (batch, key))
    else:
        # Part i takes every accumulate-th sample, so that each device keeps its own samples.
        parts = jax.tree.map(
            lambda a: a.reshape(-1, accumulate, *a.shape[1:]).swapaxes(0, 1), batch
        )
        (grads, total, count, model_state), _ = jax.lax.scan(
            add_part, zero, (parts, jax.random.split(key, accumulate))
        )

    divisor = jnp.maximum(count, 1.0)
    grads = jax.tree.map(lambda g: g / divisor, grads)
    updates, opt_state = tx.update(grads, state.opt_state, state.params, step=state.step)
    params = optax.apply_updates(state.params, updates)
    average = _averaged(state, {"params": params, **model_state}, ema) if ema else state.ema
    new = TrainState(state.step + 1, params, model_state, opt_state, average, state.guard)
    return guarded(state, new, total / divisor, count, optax.tree.norm(grads), spike)


def _averaged(state: TrainState, variables: Any, ema: float) -> Any:
    """The moving average of the variables after this update."""
    # It forgets its random start: its decay grows to the full one (as in TF's EMA).
    decay = jnp.minimum(ema, (1.0 + state.step) / (10.0 + state.step))
    return jax.tree.map(lambda a, v: decay * a + (1 - decay) * v, state.ema, variables)


def predict_step(
    variables: Any, x: Float[Array, "B T F"], *, model: nn.Module, objective: Objective
) -> Float[Array, "B T K"]:
    """Probabilities of the classes, and of worn where the model has it, at every step."""
    return objective.probabilities(model.apply(variables, x, train=False), x.shape[1])


def predict_mean(
    variables: Any, x: Float[Array, "B T F"], *, model: nn.Module, objective: Objective
) -> Float[Array, "B T K"]:
    """Mean of `predict_step` over M members; the leaves of their ``variables`` are [M,...].

    The images of all are computed at once: filters of several members are one convolution, and
    Fourier magnitudes, which have no parameters, are the same for all. What follows is computed for
    one member after the other: convolutions of other inputs with other kernels would be in groups,
    which are slow on a CPU.
    """
    images: dict[str, Any] = {}
    if isinstance(model, Spec1D):
        image_of = partial(model.apply, train=False, method="image_of")
        images["image"] = jax.vmap(image_of, (0, None))(variables, x)  # [M,B,T',H,C]

    def one(variables: Any, image: dict[str, Any]) -> Array:
        output = model.apply(variables, x, train=False, **image)
        return objective.probabilities(output, x.shape[1])

    def add(total: Array, member: tuple[Any, dict[str, Any]]) -> tuple[Array, None]:
        return total + one(*member), None

    members = variables, images
    like = jax.eval_shape(one, *jax.tree.map(lambda leaf: leaf[0], members))
    total, _ = jax.lax.scan(add, jnp.zeros_like(like), members)
    return total / len(jax.tree.leaves(variables)[0])


def eval_step(
    variables: Any, batch: Batch, step: Int[Array, ""], *, model: nn.Module, objective: Objective
) -> tuple[Float[Array, "B T K"], Float[Array, ""], Float[Array, ""]]:
    """(probabilities, loss sum, loss count) on the same targets as training at ``step``."""
    output = model.apply(variables, batch["x"], train=False)
    total, count = objective.loss(output, batch, step)
    return objective.probabilities(output, batch["x"].shape[1]), total, count
