"""Optimisers: clipping, a direction from the gradients, weight decay, and a learning rate per step.

The learning rate is a function of the run's step, not of the optimiser's own count: an update that
the guard skips does not shift the schedule. Parameters are named by their path in the model,
``extractor/bank0/kernel``, as `parameter_names` lists them, and chosen by patterns with ``*``.
"""

import fnmatch
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax import contrib
from optax.contrib import MuonDimensionNumbers, ScheduleFreeState

from sleepjax import custom
from sleepjax.config import nearest
from sleepjax.types import InputError

SCHEDULE_FREE = "schedule_free"
Transformation = optax.GradientTransformation | optax.GradientTransformationExtraArgs


def muon() -> Transformation:
    """Orthogonalised momentum for kernels (Jordan 2024), at the size of Adam's updates; Adam for
    biases and scales. The last axis of a kernel are its outputs, all others its inputs."""

    def axes(params: Any) -> Any:
        of = lambda p: MuonDimensionNumbers(tuple(range(p.ndim - 1)), p.ndim - 1)
        return jax.tree.map(lambda p: of(p) if p.ndim > 1 else None, params)

    tx = contrib.muon(1.0, muon_weight_dimension_numbers=axes, consistent_rms=0.2)
    return optax.chain(tx, optax.scale(-1.0))


DIRECTIONS: dict[str, Callable[[], Transformation]] = {
    "adamw": lambda: optax.scale_by_adam(),
    "lion": lambda: optax.scale_by_lion(),
    "muon": muon,
    "adafactor": lambda: optax.chain(
        optax.adafactor(None, multiply_by_parameter_scale=False), optax.scale(-1.0)
    ),
    SCHEDULE_FREE: lambda: optax.scale_by_adam(b1=0.0),
}
"""``optim.name`` -> transformation of gradients into what the learning rate is multiplied with.
``schedule_free`` also averages the weights (Defazio et al. 2024, arXiv:2405.15682)."""


def cosine(*, lr: float, warmup: int, total_steps: int) -> optax.Schedule:
    """A linear warm-up to ``lr``, then a cosine that reaches 0 at the last step."""
    return optax.warmup_cosine_decay_schedule(
        init_value=lr / (warmup + 1), peak_value=lr, warmup_steps=warmup, decay_steps=total_steps
    )


def constant(*, lr: float, warmup: int, total_steps: int) -> optax.Schedule:
    """A linear warm-up to ``lr``, which stays."""
    del total_steps
    return optax.warmup_constant_schedule(lr / (warmup + 1), lr, warmup)


SCHEDULES: dict[str, Callable[..., optax.Schedule]] = {"cosine": cosine, "constant": constant}
"""``optim.schedule`` -> function of lr, warmup and total_steps."""


def make(
    *,
    total_steps: int,
    lr: float,
    warmup: int,
    weight_decay: float,
    clip: float,
    name: str = "adamw",
    schedule: str = "cosine",
    freeze: Sequence[str] = (),
    lr_factors: Sequence[str] = (),
) -> tuple[optax.GradientTransformationExtraArgs, Callable[[Any], Any]]:
    """(transformation, learning rate of a step); ``update`` is given ``step=``.

    Args:
      total_steps: updates of the run.
      lr: highest learning rate.
      warmup: updates over which it rises.
      weight_decay: times the learning rate; biases and norm scales (rank 1) are not decayed.
      clip: greatest norm of the gradients of all parameters that are trained.
      name: one of `DIRECTIONS`, or ``my_parts.py:function``, called without arguments.
      schedule: one of `SCHEDULES`, or ``my_parts.py:function``.
      freeze: patterns of parameters that stay as they are.
      lr_factors: ``extractor/*=0.1``: factor on the learning rate of the parameters that a pattern
        names; the first that fits counts, 1 where none does.

    Raises InputError for names that are unknown and a warm-up that does not end before the run
    does; ``init`` for a pattern that fits no parameter.
    """
    if not 0 <= warmup < total_steps:
        raise InputError(
            f"optim.warmup={warmup} must be at least 0 and less than total_steps={total_steps}."
        )
    if name == SCHEDULE_FREE and schedule == "cosine":
        raise InputError(
            "optim.name='schedule_free' averages weights instead of lowering the learning rate; "
            "set optim.schedule='constant'."
        )
    direction = _direction(name)
    shape = custom.find("optim.schedule", schedule, SCHEDULES)
    with custom.calling("optim.schedule", schedule):
        lr_at = shape(lr=lr, warmup=warmup, total_steps=total_steps)
        _check_schedule(schedule, lr_at, total_steps)
    decayed = lambda params: jax.tree.map(lambda p: p.ndim > 1, params)
    factors = [_factor(text) for text in lr_factors]
    steps = [
        direction,
        optax.add_decayed_weights(weight_decay, decayed),
        descend(lr_at),
        *[scaled(factors)] * bool(factors),
    ]
    if name == SCHEDULE_FREE:
        steps = [contrib.schedule_free(optax.chain(*steps), lr_at)]
    tx = optax.chain(optax.clip_by_global_norm(clip), *steps)
    if freeze:
        parts: Any = {"train": tx, "frozen": optax.set_to_zero()}
        tx = optax.partition(parts, partial(_frozen_or_not, freeze=freeze))
    return optax.with_extra_args_support(tx), lr_at


def _direction(name: str) -> Transformation:
    """The transformation of that name; raises InputError where a user's function gives none."""
    function = custom.find("optim.name", name, DIRECTIONS)
    with custom.calling("optim.name", name):
        transformation = function()
    if not isinstance(transformation, optax.GradientTransformation):
        raise InputError(
            f"optim.name={name!r} returns a {type(transformation).__name__}; it must return an "
            "optax transformation such as optax.scale_by_adam()."
        )
    return transformation


def descend(lr_at: Callable[[Any], Any]) -> optax.GradientTransformationExtraArgs:
    """Updates times minus the learning rate of ``step``, an int32 []."""

    def update(updates: Any, state: Any, params: Any = None, **extra: Any):
        del params
        lr = jnp.asarray(lr_at(extra["step"]))
        return jax.tree.map(lambda u: (-lr * u).astype(u.dtype), updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def scaled(factors: Sequence[tuple[str, float]]) -> Transformation:
    """Updates times the factor of the first pattern that fits a parameter."""

    def init(params: Any) -> optax.EmptyState:
        chosen([pattern for pattern, _ in factors], params, "optim.lr_factors")
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None):
        del params
        fits = lambda name: (f for pattern, f in factors if fnmatch.fnmatchcase(name, pattern))
        return jax.tree.map(
            lambda name, u: u * next(fits(name), 1.0), parameter_names(updates), updates
        ), state

    return optax.GradientTransformation(init, update)


def parameter_names(params: Any) -> Any:
    """A tree like ``params`` with the path of each parameter, ``extractor/bank0/kernel``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "/".join(str(getattr(key, "key", key)) for key in path), params
    )


def chosen(patterns: Sequence[str], params: Any, place: str) -> Any:
    """Whether any pattern fits, for each parameter; InputError for one that fits none."""
    names = parameter_names(params)
    every = jax.tree.leaves(names)
    for pattern in patterns:
        if not fnmatch.filter(every, pattern):
            folders = {"/".join(n.split("/")[:i]) + "/*" for n in every for i in range(1, 4)}
            known = sorted(folders | set(every))
            tops = sorted({name.split("/")[0] + "/*" for name in every})
            raise InputError(
                f"{place}: {pattern!r} fits no parameter{nearest(pattern, known)} The model has: "
                f"{', '.join(tops)}."
            )
    return jax.tree.map(lambda name: any(fnmatch.fnmatchcase(name, p) for p in patterns), names)


def averaged(opt_state: Any, params: Any) -> Any:
    """The parameters to evaluate with: where the optimiser averages them, the average."""
    leaves = jax.tree.leaves(opt_state, is_leaf=_is_average)
    state = next(filter(_is_average, leaves), None)
    if state is None:
        return params
    back = lambda z, p: p if _is_frozen(z) else (p - (1 - state.b1) * z) / state.b1
    return jax.tree.map(back, state.z, params, is_leaf=_is_frozen)


def restarted(opt_state: Any, params: Any) -> Any:
    """A fresh state of the optimiser for parameters that were loaded after it was made."""
    copied = lambda z, p: z if _is_frozen(z) else jnp.copy(p)
    put = lambda s: s._replace(z=jax.tree.map(copied, s.z, params, is_leaf=_is_frozen))
    return jax.tree.map(lambda s: put(s) if _is_average(s) else s, opt_state, is_leaf=_is_average)


_is_average = lambda state: isinstance(state, ScheduleFreeState)
_is_frozen = lambda z: isinstance(z, optax.MaskedNode)


def _frozen_or_not(params: Any, *, freeze: Sequence[str]) -> Any:
    frozen = chosen(freeze, params, "optim.freeze")
    if all(jax.tree.leaves(frozen)):
        raise InputError(f"optim.freeze={tuple(freeze)} freezes every parameter; leave some free.")
    return jax.tree.map(lambda fixed: "frozen" if fixed else "train", frozen)


def _factor(text: str) -> tuple[str, float]:
    """(pattern, factor) of ``extractor/*=0.1``."""
    pattern, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not pattern or not 0 <= value < float("inf"):
        raise InputError(
            f"optim.lr_factors: {text!r} must be a pattern and a factor of at least 0, like "
            "extractor/*=0.1."
        )
    return pattern, value


def _check_schedule(name: str, lr_at: Any, total_steps: int) -> None:
    """Raise InputError unless the schedule gives finite rates of at least 0."""
    rates = jax.device_get([lr_at(jnp.int32(s)) for s in {0, total_steps // 2, total_steps - 1}])
    if not all(jnp.shape(rate) == () and 0 <= rate < float("inf") for rate in rates):
        raise InputError(
            f"optim.schedule={name!r} gives the learning rates {rates}; they must be single "
            "numbers of at least 0."
        )
