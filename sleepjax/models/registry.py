"""Names of models and their parts, and how a config's settings become a module."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax import custom
from sleepjax.config import check_known, check_type
from sleepjax.models.bounds import check_size
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
from sleepjax.types import CLASSES, WORN, InputError

Table = Mapping[str, type[nn.Module]]

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
PARTS: dict[str, Table] = {
    "extractor": EXTRACTORS,
    "unet2d": {"resnet": UNet2D},
    "decoder": DECODERS,
}
"""Fields of models that are modules themselves, each from a group of settings with a ``name``; the
first is the default."""

_FRAMES, _FEATURES = 64, 5
"""Size of the input on which answers of user-defined parts are checked."""

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def build(
    name: str = "spec1d",
    *,
    downsample: int = 2,
    dtype: str = "float32",
    features: int | None = None,
    covariates: int = 0,
    worn: bool = False,
    any_answer: bool = False,
    **settings: Any,
) -> nn.Module:
    """The model of that name, from its own settings and the groups of its parts.

    ``build("spec1d", downsample=4, decoder=dict(name="unet1d", dropout=0.1))``; what is not given
    has the module's default. A name like ``my_parts.py:MyModel``, of the model or of a part, is a
    user-defined class (`sleepjax.custom`). ``features``, where given, is the F that its inputs must
    have, beside ``covariates`` channels of what is known of the person. With ``worn`` a model that
    answers per frame has a fourth logit, whether the watch is worn. ``any_answer`` lets a
    user-defined model answer otherwise, for a user-defined loss.

    Raises InputError for an unknown name or setting, a value of another type or out of range, and
    a user-defined class that cannot be used.
    """
    check_size("data.downsample", downsample)
    check_known(f"model.dtype {dtype!r}", dtype, DTYPES)
    shared = {"downsample": downsample, "dtype": DTYPES[dtype], "features": features}
    bias = KEYPOINT_BIAS if name == "centernet" else WORN_BIAS if worn else CLASS_BIAS
    cls = _class("model", name, MODELS)
    if covariates:
        if "covariates" not in cls.__dataclass_fields__:
            raise InputError(
                f"data.covariates condition the decoder of a model, and {name!r} has none that "
                "takes them; use spec1d or spec2d, or leave data.covariates empty."
            )
        shared["covariates"] = covariates
    if not custom.is_custom(name):  # the fields of a user-defined model are settings
        shared |= {"bias": bias}
    parts = {
        kind: build_part(kind, settings.get(kind, {}), shared)
        for kind in PARTS
        if kind in cls.__dataclass_fields__ and not custom.is_custom(name)
    }
    model = construct("model", name, cls, settings | parts, shared)
    outside = custom.names({"name": name, **settings})
    if outside:
        answers = None if any_answer or name == "detr" else len(bias)
        width = features if features is None else features + covariates
        _check_answer(outside[0], model, downsample, width, answers)
    return model


def _check_answer(
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


def build_part(kind: str, settings: Any, shared: Mapping[str, Any]) -> nn.Module:
    """The extractor, 2-D U-Net or decoder that a group of settings describes."""
    if not hasattr(settings, "items"):
        raise InputError(f"model.{kind}={settings!r} must be a group, like dict(name=..., ...).")
    rest = dict(settings)
    name = rest.pop("name", next(iter(PARTS[kind])))
    return construct(f"model.{kind}", name, _class(kind, name, PARTS[kind]), rest, shared)


def _class(kind: str, name: str, table: Table) -> Any:
    """The class of a model or part: the package's own, or of a user-defined file."""
    if custom.is_custom(name):
        is_module = lambda value: isinstance(value, type) and issubclass(value, nn.Module)
        return custom.load(name, kind, is_module, "Linen module")
    return custom.find(kind, name, table)


def construct(
    place: str, name: str, cls: Any, settings: Mapping[str, Any], shared: Mapping[str, Any]
) -> nn.Module:
    """An instance of a module's class: its fields are the settings that it may be given.

    ``place`` is that of the settings in a config, ``model`` or ``model.decoder``; ``shared`` are
    values of fields that are no settings of the group. The class checks bounds itself.

    Raises InputError for a field that does not exist, needs a value or cannot have this one.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    known = [key for key in fields if key not in ("parent", "name", *shared)]
    kind = place.rpartition(".")[2]
    for key in settings:
        more = _where_it_is_known(kind, name, key)
        check_known(f"setting {key!r} of {kind} {name!r}", key, known, f".{more}")
    values = {key: _typed(f"{place}.{key}", value, fields[key]) for key, value in settings.items()}
    absent = [key for key in known if key not in values and not _has_default(fields[key])]
    if absent:
        raise InputError(f"{kind} {name!r} needs the settings {', '.join(absent)}.")
    values |= {key: value for key, value in shared.items() if key in fields}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{place}.{error}") from None


def _typed(what: str, value: Any, field: dataclasses.Field) -> Any:
    """The value as the type of the field's default: an int may be float, a list a tuple."""
    default = field.default
    if default is dataclasses.MISSING or default is None:
        return value
    if isinstance(default, tuple) and isinstance(value, list):
        value = tuple(value)
    check_type(what, value, default)
    return float(value) if isinstance(default, float) else value


def _has_default(field: dataclasses.Field) -> bool:
    return not (field.default is field.default_factory is dataclasses.MISSING)


def _where_it_is_known(kind: str, name: str, key: str) -> str:
    """Which other extractors or decoders have a setting, and the config that has all of them."""
    others = [o for o, cls in PARTS.get(kind, {}).items() if key in cls.__dataclass_fields__]
    if not others or kind == "unet2d":
        return ""
    return (
        f" It is one of {kind} {', '.join(map(repr, others))}; to change the {kind}, start "
        f"from configs/parts.py:{kind}={name}, which holds the settings of each."
    )
