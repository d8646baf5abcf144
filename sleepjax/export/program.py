"""Program of a predictor: rows of whole recordings in, probabilities at every step out.

It does what `Predictor.find` does up to the probabilities, for recordings that are on the 5-second
grid already: masks, features, windows, the model of every member, and the windows put together.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax
import jax.core
import jax.numpy as jnp

from sleepjax.export import features, int8
from sleepjax.inference import Windowing
from sleepjax.member import Member, outputs
from sleepjax.postprocess.stitch import centre_weights
from sleepjax.predict import Predictor
from sleepjax.training.build import build
from sleepjax.types import InputError

Program = Callable[[Any, Any, Any], jax.Array]
"""(clock int32 [B,T], anglez float32 [B,T], enmo float32 [B,T]) -> probabilities [B,T,K]."""


def of(predictor: Predictor) -> Program:
    """The program, pure; T may be symbolic, and of any size.

    Raises InputError for a model that sees what a program cannot compute.
    """
    for member in predictor.members:
        unknown = [name for name in member.config.data.features if name not in features.FEATURES]
        if unknown or member.config.data.get("covariates"):
            what = f"the feature {unknown[0]}" if unknown else "data.covariates"
            raise InputError(
                f"{what} of this model cannot be part of an exported program; export a model "
                "without it."
            )
    members = [
        partial(probabilities, member, build(member.config).predict_step)
        for member in predictor.members
    ]
    common = len(outputs(predictor.members))

    def program(clock: Any, anglez: Any, enmo: Any) -> jax.Array:
        rows = features.checked(clock, anglez, enmo)
        each = [member(rows)[..., :common] for member in members]
        return reduce(jnp.add, each) / len(each)

    return program


def probabilities(member: Member, predict: Callable[..., Any], rows: features.Signals) -> Any:
    """Of one member by its ``predict_step``, [B,T,K]."""
    x = features.stacked(rows, tuple(member.config.data.features))
    how = Windowing.of(member.config)
    starts = first_rows(x.shape[1], how)
    batch, windows = cut(x, starts, how)
    found = predict(int8.floats(member.variables), batch)
    found = found.reshape(*windows, how.duration, found.shape[-1])  # [B,N,D,K]
    put_together = latest if how.latency else stitched
    return put_together(found, starts, x.shape[1], how)


def first_rows(length: Any, how: Windowing) -> Any:
    """First row of each window, [N]; the twin of `data.windows.eval_starts`."""
    if how.latency:
        ends = (jnp.arange(ceil(length, how.stride)) + 1) * how.stride
        return jnp.minimum(ends, length) - how.duration
    beyond = jax.core.max_dim(length - how.duration, 0)
    return jnp.minimum(jnp.arange(ceil(beyond, how.stride) + 1) * how.stride, beyond)


def ceil(size: Any, step: int) -> Any:
    """Size / step, rounded up."""
    return (size + step - 1) // step


def quotient(x: Any, step: int) -> Any:
    """Of numbers of at least 0; ``//`` would ask the converter to ONNX for a remainder."""
    return jax.lax.div(x, jnp.full_like(x, step))


def cut(x: Any, starts: Any, how: Windowing) -> tuple[Any, tuple[Any, Any]]:
    """(windows [B*N,D,F], (B,N)); behind the end every feature is 0, see `gather_batch`."""
    (b, length, f), (n,) = x.shape, starts.shape
    index = jnp.maximum(starts, 0)[:, None] + jnp.arange(how.duration)[None]  # [N,D]
    stop = jnp.minimum(starts + how.duration, length)[:, None]
    near = features.taken(x, index, axis=1)  # [B,N,D,F]
    windows = jnp.where((index < stop)[None, :, :, None], near, 0.0)
    return windows.reshape(b * n, how.duration, f), (b, n)


def latest(found: Any, starts: Any, length: Any, how: Windowing) -> Any:
    """The twin of `postprocess.stitch.latest`: each row by one window."""
    row = jnp.arange(length)
    window = jnp.minimum(quotient(row + how.latency, how.stride), starts.shape[0]) - 1
    inside = row - jnp.maximum(features.taken(starts, window, axis=0), 0)
    flat = found.reshape(found.shape[0], -1, found.shape[-1])
    return features.taken(flat, window * how.duration + inside, axis=1)


def stitched(found: Any, starts: Any, length: Any, how: Windowing) -> Any:
    """The twin of `postprocess.stitch.stitch`: each row by the mean of the windows it lies in.

    Seen from the row, so that nothing is scattered: window n begins at n * stride, but for the
    last one, which ends with the recording.
    """
    d, last = how.duration, starts.shape[0] - 1
    row = jnp.arange(length)
    flat = found.reshape(found.shape[0], -1, found.shape[-1])  # [B,N*D,K]
    weights = jnp.asarray(centre_weights(d), jnp.float32)
    newest = quotient(row, how.stride)
    # Of the regular windows those that begin at most d before the row; then the last one.
    choices = [jnp.where(newest - k < last, newest - k, -1) for k in range(-(-d // how.stride))]
    total: Any = 0.0
    weight: Any = 0.0
    for window in [*choices, jnp.zeros_like(row) + last]:
        start = features.taken(starts, window, axis=0)
        inside = row - start
        first = jnp.where(start > 0, how.trim, 0)
        stop = jnp.where(start + d < length, d - how.trim, d)
        counts = (window >= 0) & (inside >= first) & (inside < stop)
        place = jnp.clip(inside, 0, d - 1)
        w = jnp.where(counts, features.taken(weights, place, axis=0), 0.0)
        part = features.taken(flat, jnp.maximum(window, 0) * d + place, axis=1)
        total, weight = total + w[None, :, None] * part, weight + w
    return total / weight[None, :, None]
