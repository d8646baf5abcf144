"""Training recordings that live on the device: windows are cut inside the jitted step.

Only (series, start) of each window crosses to the device. The batches are those of
`sleepjax.data.windows.train_batch`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sleepjax.data.labels import FAR
from sleepjax.data.windows import Series

Store = dict[str, Any]


def flatten(series: Sequence[Series], duration: int) -> Store:
    """All recordings end to end, as NumPy arrays: N = their steps and ``duration`` of padding.

    x float32 [N,F], asleep bool [N], distance int32 [N,2], usable bool [N], where non-wear is known
    worn int8 [N] (-1 where it is not), and of each series its first row and length, int32 [S].
    """
    lengths = np.array([one.meta.n_steps for one in series], np.int32)
    rows = int(lengths.sum()) + duration  # a window that begins in the last series stays inside
    width = len(series[0].features)
    store = {
        "x": np.zeros((rows, width), np.float32),
        "asleep": np.zeros(rows, bool),
        "distance": np.zeros((rows, 2), np.int32),
        "usable": np.zeros(rows, bool),
        "first": np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32),
        "length": lengths,
    }
    if series[0].labels is not None and series[0].labels.worn is not None:
        store["worn"] = np.full(rows, -1, np.int8)
    for one, first, length in zip(series, store["first"], lengths, strict=True):
        assert one.labels is not None
        here = slice(first, first + length)
        for i, feature in enumerate(one.features):
            store["x"][here, i] = feature
        store["asleep"][here] = one.labels.asleep
        store["distance"][here] = one.labels.distance
        valid = np.asarray(one.valid)
        store["usable"][here] = valid & np.asarray(one.labels.known)
        if "worn" in store:
            assert one.labels.worn is not None
            store["worn"][here] = np.where(valid, np.asarray(one.labels.worn), -1)
    return store


def cut(store: Store, batch: Store, *, duration: int, downsample: int) -> Store:
    """Windows of series and start [B], see `sleepjax.data.windows.gather_batch`."""

    # Shares are looked up, since XLA replaces a division by a product that rounds differently.
    shares = np.arange(downsample + 1, dtype=np.float32) / np.float32(downsample)

    def window(series: jax.Array, start: jax.Array) -> Store:
        first = store["first"][series] + start
        inside = jnp.arange(duration) < store["length"][series] - start
        usable, asleep, x, distance = (
            lax.dynamic_slice_in_dim(store[name], first, duration)
            for name in ("usable", "asleep", "x", "distance")
        )
        distance = jnp.where(inside[:, None], distance, FAR)[::downsample]
        share = lambda what: jnp.asarray(shares)[frames(what & inside, downsample).sum(axis=1)]
        wear = {}
        if "worn" in store:
            worn = lax.dynamic_slice_in_dim(store["worn"], first, duration)
            known = frames((worn >= 0) & inside, downsample).all(axis=1)
            wear = {"worn": share(worn == 1), "worn_mask": known.astype(jnp.float32)}
        return wear | {
            "x": jnp.where(inside[:, None], x, 0),
            "asleep": share(asleep),
            "distance": distance.astype(jnp.float32) + (downsample - 1) / 2,
            "mask": frames(usable & inside, downsample).all(axis=1).astype(jnp.float32),
        }

    return jax.vmap(window)(batch["series"], batch["start"])


def frames(x: jax.Array, downsample: int) -> jax.Array:
    """[T] -> [T',downsample]; the last frame is filled up with its own last step."""
    return jnp.pad(x, (0, -len(x) % downsample), mode="edge").reshape(-1, downsample)
