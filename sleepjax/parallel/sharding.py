"""Data parallelism: one mesh axis, batches split over it, everything else on every device."""

import os
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from sleepjax.types import InputError


def device_count() -> int:
    """Number of devices of all processes; InputError where those that were asked for are missing.

    Commands call it, or `data_mesh`, before anything else asks JAX for its devices.
    """
    try:
        return jax.device_count()
    except (RuntimeError, AssertionError) as error:  # the latter where a plugin is not installed
        wanted = os.environ.get("JAX_PLATFORMS", "")
        reason = (str(error).splitlines() or ["its plugin is not installed"])[0].rstrip(".")
        raise InputError(
            f"JAX finds no device of JAX_PLATFORMS={wanted!r} ({reason}). Install the plugin, such "
            "as pip install 'jax[cuda12]', or unset JAX_PLATFORMS to use what there is."
        ) from None


def data_mesh() -> jax.sharding.Mesh:
    """All devices on the axis ``data``."""
    # Auto axes: Linen's Dropout does not run under the default Explicit ones.
    return jax.make_mesh((device_count(),), ("data",), axis_types=(AxisType.Auto,))


def shardings(mesh: jax.sharding.Mesh) -> tuple[NamedSharding, NamedSharding]:
    """(on every device, split over the batch axis)."""
    return NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))


def to_global(batch: dict[str, np.ndarray], by_batch: NamedSharding) -> dict[str, jax.Array]:
    """This process's slice of a batch -> global arrays split over the devices."""
    put: Any = jax.make_array_from_process_local_data
    return {name: put(by_batch, array) for name, array in batch.items()}


def check_batch(batch: int, parts: int, name: str) -> None:
    """Raise InputError unless the batch divides into equal parts."""
    if batch % parts:
        nearest = max(batch // parts, 1) * parts
        raise InputError(
            f"{name}={batch} does not divide over {parts} (devices x accumulation steps); "
            f"use a multiple of {parts} such as {nearest}."
        )


def placed(shapes: Any, where: Any) -> Any:
    """A tree of shapes with the shardings its arrays shall have, to restore into.

    ``where`` is one sharding, or a tree of them that is a prefix of ``shapes``.
    """
    put = lambda s, w: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=w)
    return jax.tree.map(put, shapes, jax.tree.broadcast(where, shapes))


def split(shapes: Any, mesh: jax.sharding.Mesh) -> Any:
    """Shardings that split each array over all devices along its longest axis that divides.

    An array without such an axis, such as a scalar, is on every device.
    """

    def one(shape: Any) -> NamedSharding:
        axes = [axis for axis, size in enumerate(shape.shape) if size and size % mesh.size == 0]
        if not axes:
            return NamedSharding(mesh, P())
        longest = max(axes, key=lambda axis: shape.shape[axis])
        return NamedSharding(mesh, P(*[None] * longest, "data"))

    return jax.tree.map(one, shapes)
