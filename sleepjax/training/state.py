"""The state of training: one pytree with an explicit step."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from sleepjax.models.pretrained import load_encoder
from sleepjax.training import optim


class Guard(NamedTuple):
    """What the guard against ruinous updates remembers (see `sleepjax.training.guard`)."""

    typical: jax.Array
    """float32 []: running average of the loss of sound updates."""
    seen: jax.Array
    """int32 []: losses that went into it."""
    skips: jax.Array
    """int32 []: updates skipped in a row."""


class TrainState(NamedTuple):
    """All that training changes; saved whole, restored whole."""

    step: jax.Array
    """int32 []: updates done."""
    params: Any
    model_state: Any
    """Collections other than parameters, such as batch_stats; {} without any."""
    opt_state: Any
    ema: Any
    """Moving average of all variables, {"params": ..., "batch_stats": ...}; {} when it is off."""
    guard: Guard

    @property
    def variables(self) -> dict[str, Any]:
        """What the model is applied with in training."""
        return {"params": self.params, **self.model_state}

    def begun_with(self, variables: dict[str, Any]) -> TrainState:
        """The fresh state with other values of the variables."""
        average = jax.tree.map(jnp.copy, variables) if self.ema else {}
        rest = dict(variables)
        params = rest.pop("params")
        opt_state = optim.restarted(self.opt_state, params)
        return self._replace(params=params, model_state=rest, opt_state=opt_state, ema=average)


def init_state(
    key: jax.Array, x: jax.Array, *, model: nn.Module, tx: optax.GradientTransformation, ema: float
) -> TrainState:
    """Fresh state for inputs like x [B,T,F]."""
    variables = dict(model.init(key, x, train=False))
    params = variables.pop("params")
    average = jax.tree.map(jnp.copy, {"params": params, **variables}) if ema else {}
    zero = jnp.zeros((), jnp.int32)
    guard = Guard(jnp.zeros((), jnp.float32), zero, zero)
    return TrainState(zero, params, variables, tx.init(params), average, guard)


def start_from(weights: str, state: TrainState) -> TrainState:
    """The fresh state with the 2-D encoder's values read from a file (`models.pretrained`)."""
    return state.begun_with(load_encoder(weights, state.variables))


def eval_variables(state: TrainState) -> dict[str, Any]:
    """What prediction applies the model with: the average where there is one."""
    params = optim.averaged(state.opt_state, state.params)
    return state.ema or {"params": params, **state.model_state}


def parameter_table(params: Any) -> str:
    """Parameters of each part of the model and in all, as text."""
    counts: dict[str, int] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        part = "/".join(str(getattr(key, "key", key)) for key in path[:2])
        counts[part] = counts.get(part, 0) + leaf.size
    counts["all parameters"] = sum(counts.values())
    width = max(map(len, counts))
    return "\n".join(f"  {name:<{width}} {count:>12,}" for name, count in counts.items())
