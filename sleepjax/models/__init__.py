"""Flax Linen models, put together from parts by a config's ``model`` group.

A model maps x [B,T,F] to (outputs float32, named intermediates); the outputs of most are logits
[B,T',K]. T' = ceil(T / downsample); frame j answers for steps [j*d, (j+1)*d). Any T passes, and no
parameter depends on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sleepjax.config import nearest
from sleepjax.models import registry
from sleepjax.models.blocks import NORMS, UPSAMPLES
from sleepjax.models.decoders import (
    LSTMDecoder,
    MinGRUDecoder,
    MLPDecoder,
    TCNDecoder,
    TransformerCNNDecoder,
    TransformerDecoder,
)
from sleepjax.models.detr import DETR
from sleepjax.models.extractors import (
    CNNSpectrogram,
    LSTMFeatureExtractor,
    PANNsFeatureExtractor,
    SpecFeatureExtractor,
)
from sleepjax.models.head import CLASS_BIAS, KEYPOINT_BIAS, WORN_BIAS
from sleepjax.models.spec import CenterNet, Spec1D, Spec2DCNN
from sleepjax.models.transformer import TransformerEncoder
from sleepjax.models.unet1d import UNet1DDecoder
from sleepjax.models.unet2d import UNet2D
from sleepjax.types import InputError

Table = Mapping[str, Callable[..., nn.Module]]

EXTRACTORS: Table = {
    "cnn": CNNSpectrogram,
    "spec": SpecFeatureExtractor,
    "panns": PANNsFeatureExtractor,
    "lstm": LSTMFeatureExtractor,
}
DECODERS: Table = {
    "unet1d": UNet1DDecoder,
    "mlp": MLPDecoder,
    "lstm": LSTMDecoder,
    "mingru": MinGRUDecoder,
    "tcn": TCNDecoder,
    "transformer": TransformerDecoder,
    "transformer_cnn": TransformerCNNDecoder,
}
MODELS: Table = {
    "spec1d": Spec1D,
    "spec2d": Spec2DCNN,
    "centernet": CenterNet,
    "detr": DETR,
    "transformer": TransformerEncoder,
}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}

KINDS: dict[str, Table] = {
    "model": MODELS,
    "extractor": EXTRACTORS,
    "unet2d": {"resnet": UNet2D},
    "decoder": DECODERS,
}
"""Groups of settings, each with the names that choose a module; the first is the default."""

NAMED: dict[str, dict[str, Any]] = {"norm": NORMS, "upsample": UPSAMPLES}
"""Settings that a config gives by name, and what the names mean."""

GIVEN = ("parent", "name", "features", "downsample", "dtype", "bias")
"""Fields of a module that are no setting of its group."""


def build(
    name: str = "spec1d",
    *,
    downsample: int = 2,
    dtype: str = "float32",
    features: int | None = None,
    worn: bool = False,
    **settings: Any,
) -> nn.Module:
    """The model of that name, from its own settings and the groups of its parts.

    ``build("spec1d", downsample=4, decoder=dict(name="unet1d", dropout=0.1))``; what is not given
    has the module's default. A name like ``my_model.py:MyModel`` is a user-defined class
    (`custom`). ``features``, where given, is the F that its inputs must have. With ``worn`` a model
    that answers per frame has a fourth logit, whether the watch is worn.

    Raises InputError for an unknown name or setting and for a value out of range.
    """
    common = {
        "downsample": _checked("data.downsample", downsample, 2),
        "dtype": _lookup("model.dtype", dtype, DTYPES),
        "features": features,
        "bias": KEYPOINT_BIAS if name == "centernet" else WORN_BIAS if worn else CLASS_BIAS,
    }
    if registry.is_custom(name):
        return registry.build(name, settings, common)
    return _make("model", {"name": name, **settings}, common)


def _make(kind: str, settings: Any, common: dict[str, Any]) -> nn.Module:
    """The module that a group of settings describes, and those of the groups inside it."""
    place = kind if kind == "model" else f"model.{kind}"
    if not hasattr(settings, "items"):
        raise InputError(f"{place}={settings!r} must be a group, like dict(name=..., ...).")
    rest = dict(settings)
    name = rest.pop("name", next(iter(KINDS[kind])))
    module = _lookup(kind, name, KINDS[kind])
    fields = _fields(module)
    known = {key: default for key, default in fields.items() if key not in GIVEN}
    values = {key: value for key, value in common.items() if key in fields}
    rest |= {key: {} for key in known if key in KINDS and key not in rest}
    for key, value in rest.items():
        if key not in known:
            raise InputError(_unknown_setting(kind, name, key, known))
        if key in KINDS:
            values[key] = _make(key, value, common)
        elif key in NAMED:
            values[key] = _lookup(f"{place}.{key}", value, NAMED[key])
        else:
            values[key] = _checked(f"{place}.{key}", value, known[key])
    return module(**values)


def _fields(module: Any) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(module)}


def _unknown_setting(kind: str, name: str, key: str, known: Mapping[str, Any]) -> str:
    text = f"setting {key!r} of {kind} {name!r} is unknown{nearest(key, known)}"
    text += f" Known: {', '.join(known) or 'none'}."
    others = [other for other, module in KINDS[kind].items() if key in _fields(module)]
    if others and kind in ("extractor", "decoder"):
        text += (
            f" It is one of {kind} {', '.join(map(repr, others))}; to change the {kind}, start "
            f"from configs/parts.py:{kind}={name}, which holds the settings of each."
        )
    return text


def _lookup(what: str, key: Any, table: Mapping[str, Any]) -> Any:
    if key not in table:
        known = ", ".join(table)
        raise InputError(f"{what} {key!r} is unknown{nearest(key, table)} Known: {known}.")
    return table[key]


def _checked(what: str, value: Any, default: Any) -> Any:
    """The value, if it is of the default's kind: switch, text, share, positive int or several."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InputError(f"{what}={value!r} must be True or False.")
        return value
    if isinstance(default, str):
        if not isinstance(value, str):
            raise InputError(f"{what}={value!r} must be text.")
        return value
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
