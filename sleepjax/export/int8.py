"""Int8 weights: kernels as whole numbers with a scale for each output channel (by qwix).

Norms, biases and other small arrays stay as they are, and so do activations: what is computed
is the float32 network with rounded kernels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from sleepjax.predict import Predictor
from sleepjax.types import InputError

LEAST = 64
"""Numbers in an array below which rounding saves nothing."""


@dataclass(frozen=True)
class Rounded:
    """An array of a model as int8."""

    values: np.ndarray
    """int8, of the array's shape."""
    scale: np.ndarray
    """float32, of shape [1,...,1,C]: what 1 stands for in each output channel."""


def rounded(predictor: Predictor) -> Predictor:
    """The predictor with int8 kernels, to export; it cannot predict before `floats`."""
    members = (replace(one, variables=_each(one.variables)) for one in predictor.members)
    return replace(predictor, members=tuple(members))


def _each(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name: _each(inner) for name, inner in tree.items()}
    array = np.asarray(tree)
    return _quantised(array) if array.ndim > 1 and array.size >= LEAST else array


def _quantised(array: np.ndarray) -> Rounded:
    try:
        import qwix
    except ImportError:
        raise InputError('int8 weights need qwix: pip install "sleepjax[int8]".') from None
    found = qwix.quantize(jnp.asarray(array), jnp.int8, channelwise_axes=(array.ndim - 1,))
    return Rounded(np.asarray(found.qvalue), np.asarray(found.scale))


def floats(tree: Any) -> Any:
    """Variables that a model is applied with; inside a program, so that its file holds int8."""
    if isinstance(tree, Mapping):
        return {name: floats(inner) for name, inner in tree.items()}
    if isinstance(tree, Rounded):
        return jnp.asarray(tree.values).astype(jnp.float32) * tree.scale
    return tree
