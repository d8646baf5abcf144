"""Answers of models with user-defined parts: their shape, checked before anything is compiled."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax import custom
from sleepjax.types import CLASSES, WORN, InputError

_FRAMES, _FEATURES = 64, 5


def check_answer(
    name: str, model: nn.Module, downsample: int, features: int | None, outputs: int | None
) -> None:
    """Raise InputError unless the model answers (logits [B,T',``outputs``], dictionary).

    ``name`` is the user-defined part that errors blame; without ``outputs`` any answer will do.
    It takes shapes alone; nothing is computed.
    """
    x = jax.ShapeDtypeStruct((2, _FRAMES * downsample, features or _FEATURES), jnp.float32)
    call = lambda key, x: model.init_with_output({"params": key, "dropout": key}, x, train=False)[0]
    with custom.calling("model", name, f" on x {x.shape} with train=False"):
        output = jax.eval_shape(call, jax.random.key(0), x)
    if outputs is None:
        return
    known = (*CLASSES, WORN)[:outputs] if outputs <= len(CLASSES) + 1 else ()
    what = f"one logit for each of {', '.join(known)}" if known else f"{outputs} outputs"
    if not (isinstance(output, tuple) and len(output) == 2 and isinstance(output[1], dict)):
        raise InputError(
            f"model {name!r} returns a {type(output).__name__}; it must return (logits "
            f"[B,T',{outputs}], dictionary of intermediates, which may be empty)."
        )
    if getattr(output[0], "shape", None) != (2, _FRAMES, outputs):
        raise InputError(
            f"model {name!r} turns x {x.shape} into logits {getattr(output[0], 'shape', None)}; "
            f"they must be {(2, _FRAMES, outputs)}: one frame for each {downsample} steps "
            f"(data.downsample) and {what}."
        )
