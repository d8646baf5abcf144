"""The two functions that run on the device: one training update, one prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from sleepjax import losses
from sleepjax.training.state import TrainState

Batch = dict[str, jax.Array]


def train_step(
    state: TrainState,
    batch: Batch,
    key: jax.Array,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    sigma: float,
    weights: Sequence[float],
    accumulate: int,
    ema: float,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One update from a batch of x [B,T,F], asleep [B,T'], distance [B,T',2], mask [B,T'].

    The batch is worked through in ``accumulate`` parts; sums and counts are added before the
    division, so the update is that of the whole batch. Randomness is a function of (key, step).
    """
    key = jax.random.fold_in(key, state.step)

    def loss_sum(params: Any, model_state: Any, part: Batch, key: jax.Array):
        (logits, _), model_state = model.apply(
            {"params": params, **model_state},
            part["x"],
            train=True,
            rngs={"dropout": key},
            mutable=list(model_state),
        )
        targets = losses.gaussian_targets(part["asleep"], part["distance"], sigma)
        total, count = losses.masked_bce(logits, targets, part["mask"], weights)
        return total, (count, dict(model_state))

    def add_part(carry: Any, part_and_key: tuple[Batch, jax.Array]):
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
        )  # [A,B/A,...]
        (grads, total, count, model_state), _ = jax.lax.scan(
            add_part, zero, (parts, jax.random.split(key, accumulate))
        )

    count = jnp.maximum(count, 1.0)
    grads = jax.tree.map(lambda g: g / count, grads)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    average = state.ema
    if ema:
        # The average forgets its random start: its decay grows to the full one (as in TF's EMA).
        decay = jnp.minimum(ema, (1.0 + state.step) / (10.0 + state.step))
        variables = {"params": params, **model_state}
        average = jax.tree.map(lambda a, v: decay * a + (1 - decay) * v, average, variables)
    metrics = {"loss": total / count, "grad_norm": optax.tree.norm(grads)}
    return TrainState(state.step + 1, params, model_state, opt_state, average), metrics


def predict_step(variables: Any, x: jax.Array, *, model: nn.Module) -> jax.Array:
    """Probabilities [B,T,K] float32 at every step of x [B,T,F], from float32 logits."""
    logits, _ = model.apply(variables, x, train=False)
    return to_steps(jax.nn.sigmoid(logits.astype(jnp.float32)), x.shape[1], model.downsample)


def eval_step(
    variables: Any, batch: Batch, *, model: nn.Module, sigma: float, weights: Sequence[float]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(probabilities [B,T,K], loss sum, loss count) on the same soft targets as training."""
    logits, _ = model.apply(variables, batch["x"], train=False)
    logits = logits.astype(jnp.float32)
    targets = losses.gaussian_targets(batch["asleep"], batch["distance"], sigma)
    total, count = losses.masked_bce(logits, targets, batch["mask"], weights)
    return to_steps(jax.nn.sigmoid(logits), batch["x"].shape[1], model.downsample), total, count


def to_steps(frames: jax.Array, n_steps: int, downsample: int) -> jax.Array:
    """Linear interpolation of values [B,T',K] at frame centres to all steps [B,T,K].

    Frame j of d = downsample steps has its centre at step j*d + (d-1)/2; before the first and
    after the last centre the value is held.
    """
    n_frames = frames.shape[1]
    position = (jnp.arange(n_steps) - (downsample - 1) / 2) / downsample
    low = jnp.clip(jnp.floor(position), 0, n_frames - 1).astype(jnp.int32)
    high = jnp.minimum(low + 1, n_frames - 1)
    weight = jnp.clip(position - low, 0.0, 1.0)[None, :, None]
    return frames[:, low] * (1 - weight) + frames[:, high] * weight
