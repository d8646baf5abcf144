"""ONNX: a program converted by jax2onnx, and run by ONNX Runtime."""

import io
import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from sleepjax.types import InputError

NEEDS = 'ONNX needs jax2onnx and onnxruntime: pip install "sleepjax[onnx]".'


def converted(function: Callable[..., Any]) -> bytes:
    """The program as an ONNX model; batch B and length T are dimensions by name.

    Raises InputError where the converter is not installed, or knows a part of the model not.
    """
    logging.getLogger("jax2onnx").setLevel(logging.CRITICAL)  # plugins that it does without
    try:
        from jax2onnx import to_onnx
    except ImportError:
        raise InputError(NEEDS) from None
    shape = export.symbolic_shape("B, T")
    dtypes = (jnp.int32, jnp.float32, jnp.float32)
    arguments = [jax.ShapeDtypeStruct(shape, dtype) for dtype in dtypes]
    # Traced here: the converter's own versions of jnp functions lose the symbolic length.
    traced = jax.make_jaxpr(function)(*arguments)
    rows_in = lambda *rows: evaluated(traced.jaxpr, traced.consts, rows)[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            with redirect_stdout(io.StringIO()):  # it prints what its authors debug
                to_onnx(rows_in, arguments, return_mode="file", output_path=str(path))
        except Exception as error:  # the converter raises anything for a part that it does not know
            line = str(error).partition("\n")[0]
            raise InputError(
                f"jax2onnx cannot convert this model ({type(error).__name__}: {line}); export it "
                "without --onnx."
            ) from error
        return path.read_bytes()


def evaluated(jaxpr: Jaxpr, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Outputs of a jaxpr, inner functions inlined and each of `REWRITTEN` replaced."""
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))
    read = lambda atom: atom.val if isinstance(atom, Literal) else known[atom]
    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        inner = _inner(equation)
        if inner is not None:
            found = evaluated(inner.jaxpr, inner.consts, values)
        elif equation.primitive.name in REWRITTEN:
            found = [REWRITTEN[equation.primitive.name](*values, **equation.params)]
        else:
            found = equation.primitive.bind(*values, **equation.params)
            found = found if equation.primitive.multiple_results else [found]
        known.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _inner(equation: Any) -> ClosedJaxpr | None:
    """The function that an equation only calls."""
    if equation.primitive.name in ("jit", "pjit"):
        return equation.params["jaxpr"]
    if equation.primitive.name == "custom_jvp_call":
        return equation.params["call_jaxpr"]
    return None


def _remainder(x: Any, y: Any) -> Any:
    return x - lax.div(x, y) * y


def _stack(*parts: Any, axis: int) -> Any:
    return lax.concatenate([lax.expand_dims(part, [axis]) for part in parts], axis)


def _pad(x: Any, value: Any, *, padding_config: Any) -> Any:
    for axis, (low, high, inner) in enumerate(padding_config):
        assert not inner, "no model dilates its signals"
        size = lambda n, axis=axis, x=x: (*x.shape[:axis], n, *x.shape[axis + 1 :])
        before = [lax.broadcast(value, size(int(low)))] if low else []
        after = [lax.broadcast(value, size(int(high)))] if high else []
        x = lax.concatenate([*before, x, *after], axis) if before or after else x
    return x


def _convolution(x: Any, kernel: Any, *, dimension_numbers: Any, **how: Any) -> Any:
    """In two dimensions with channels first, a first one of size 1 beside time."""
    if x.ndim != 3:
        return lax.conv_general_dilated_p.bind(
            x, kernel, dimension_numbers=dimension_numbers, **how
        )
    numbers = dimension_numbers
    plane = lambda a, order: lax.expand_dims(lax.transpose(a, order), [2])
    found = lax.conv_general_dilated(
        plane(x, numbers.lhs_spec),
        plane(kernel, numbers.rhs_spec),
        window_strides=(1, *how["window_strides"]),
        padding=((0, 0), *how["padding"]),
        lhs_dilation=(1, *how["lhs_dilation"]),
        rhs_dilation=(1, *how["rhs_dilation"]),
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
        feature_group_count=how["feature_group_count"],
    )
    order = sorted(range(3), key=lambda axis: numbers.out_spec[axis])
    return lax.transpose(lax.squeeze(found, [2]), order)


REWRITTEN = {"rem": _remainder, "stack": _stack, "pad": _pad, "conv_general_dilated": _convolution}
"""Operations that jax2onnx (0.12) does not know, or not of a symbolic length, by ones it knows."""


def runner(content: bytes) -> Callable[..., np.ndarray]:
    """The function of an ONNX model."""
    try:
        import onnxruntime
    except ImportError:
        raise InputError(NEEDS) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda *rows: np.asarray(session.run(None, dict(zip(names, rows, strict=True)))[0])
