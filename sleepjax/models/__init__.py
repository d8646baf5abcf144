"""Flax Linen models. Each maps x [B,T,F] to (logits [B,T',K] float32, named intermediates).

T' = ceil(T / model.downsample); frame j answers for steps [j*d, (j+1)*d). Any T passes, and no
parameter depends on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sleepjax.config import nearest
from sleepjax.models.layers import NORMS
from sleepjax.models.spec import Spec1D, Spec2DCNN
from sleepjax.types import InputError

MODELS: dict[str, Callable[..., nn.Module]] = {"spec1d": Spec1D, "spec2d": Spec2DCNN}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}

NAMED: dict[str, dict[str, Any]] = {"norm": NORMS, "encoder_norm": NORMS, "dtype": DTYPES}
"""Settings that a config gives by name, and what the names mean."""


def build(name: str, *, features: int | None = None, **settings: Any) -> nn.Module:
    """The model of that name; ``features``, where given, is the F that its inputs must have.

    Raises InputError for an unknown name or setting and for a value out of range.
    """
    model = _lookup("model", name, MODELS)
    known = {f.name: f.default for f in dataclasses.fields(model) if f.name not in PARENT}
    values = {"features": features}
    for key, value in settings.items():
        _lookup(f"setting of model {name!r}", key, known)
        if key in NAMED:
            values[key] = _lookup(f"model.{key}", value, NAMED[key])
        else:
            values[key] = _checked(f"model.{key}", value, known[key])
    return model(**values)


PARENT = ("parent", "name", "features")
"""Fields of a module that are no setting of a config's model group."""


def _lookup(what: str, key: str, table: dict[str, Any]) -> Any:
    if key not in table:
        known = ", ".join(table)
        raise InputError(f"{what} {key!r} is unknown{nearest(key, table)} Known: {known}.")
    return table[key]


def _checked(what: str, value: Any, default: Any) -> Any:
    """The value, if it is of the default's kind: a share, a positive int or a tuple of them."""
    if isinstance(default, float):
        if not (isinstance(value, int | float) and 0 <= value < 1):
            raise InputError(f"{what}={value!r} must be a number from 0 to below 1.")
        return float(value)
    many = isinstance(default, tuple)
    items = tuple(value) if many and isinstance(value, tuple | list) else (value,)
    whole = (isinstance(i, int) and not isinstance(i, bool) and i > 0 for i in items)
    if many != isinstance(value, tuple | list) or not items or not all(whole):
        kind = "a list of positive whole numbers" if many else "a positive whole number"
        raise InputError(f"{what}={value!r} must be {kind}, like {default!r}.")
    return items if many else value
