"""Training batches of a run: whole windows from the host, or indices to recordings on the device.

Either way a batch is a function of (seed, step), and each process makes only its own share. Where
recordings live on the device, windows are cut inside the jitted step and only (series, start) of
each crosses to it; the batches are those of `sleepjax.data.windows.train_batch`, bit for bit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh

from sleepjax.data import source, windows
from sleepjax.data.labels import FAR
from sleepjax.data.recording import Recording
from sleepjax.objectives import Batch
from sleepjax.parallel import processes, sharding
from sleepjax.threads import in_order
from sleepjax.types import InputError

Store = dict[str, Any]
"""Recordings on the device, see `flatten`."""


@dataclass(frozen=True)
class Feed:
    """Where batches come from; `make` builds one."""

    batch_at: Callable[[int], windows.Batch]
    """Step -> this process's share, as it crosses to the device."""
    windows_at: Callable[[int], list[list[Any]]]
    """Step -> [series id, first row] of every window of the global batch."""
    store: Any
    """What lives on the device for the whole run."""
    expand: Callable[[Any, Batch], Batch]
    """(store, batch on the device) -> windows; part of the jitted step."""


def open_data(config: Any) -> source.TrainingData:
    """`source.open_training_data`, where only process 0 simulates, prepares and warns."""
    sharding.device_count()  # before anything else asks JAX: a missing platform is one line
    root = config.data.root
    if jax.process_count() > 1:
        opened = lambda: source.open_training_data(config.data, config.simulate)
        root = processes.from_main(lambda: str(opened().store.root.absolute()))
    data = source.open_training_data(dict(config.data, root=root), config.simulate)
    labels = [one.labels for one in data.train if one.labels]
    if any(one.soft is not None for one in labels):
        return data  # `data.teacher` has checked its outputs
    worn = (one.worn for one in labels if one.worn is not None)
    if config.loss.get("worn", 0) > 0 and not any(
        (np.asarray(labels) == 1).any() for labels in worn
    ):
        raise InputError(
            f"loss.worn={config.loss.worn} needs recordings of which non-wear is known, and no "
            f"training series of {data.store.root} has a row in train_nonwear.csv. Add that file "
            "to the data (docs/data.md), or set loss.worn=0."
        )
    return data


def make(series: Sequence[Recording], config: Any, mesh: Mesh, *, resident: bool = False) -> Feed:
    """Batches of random windows of labelled series, as the config says.

    ``resident`` keeps the series on the devices of the mesh and sends only indices.
    """
    duration, downsample = config.data.duration, config.data.downsample
    seed, batch = config.seed, config.batch_size
    replicated, by_batch = sharding.shardings(mesh)
    tail = config.data.get("tail", 0)
    sampler = windows.make_sampler(series, duration, config.data.background, tail)
    own = {"process": jax.process_index(), "processes": jax.process_count()}

    def windows_at(step: int) -> list[list[Any]]:
        which, start = sampler.indices(seed, step, batch)
        pairs = zip(which, start, strict=True)
        return [[series[i].meta.series_id, int(s)] for i, s in pairs]

    def whole_windows(step: int) -> windows.Batch:
        how = dict(seed=seed, step=step, batch=batch, downsample=downsample, **own)
        return windows.train_batch(series, sampler, **how)

    def indices(step: int) -> windows.Batch:
        which, start = sampler.indices(seed, step, batch)
        share = windows.share(batch, **own)
        return {"series": which[share].astype(np.int32), "start": start[share].astype(np.int32)}

    if resident and config.data.get("teacher"):
        raise InputError("--resident holds no teacher's probabilities; train without it.")
    if not resident:
        return Feed(whole_windows, windows_at, {}, lambda store, batch: batch)
    store = jax.device_put(flatten(series, duration), replicated)
    cut_all = partial(cut, duration=duration, downsample=downsample, tail=tail)
    expand = lambda store, batch: lax.with_sharding_constraint(cut_all(store, batch), by_batch)
    return Feed(indices, windows_at, store, expand)


def flatten(series: Sequence[Recording], duration: int) -> Store:
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
        for i, feature in enumerate(one.features.values()):
            store["x"][here, i] = feature
        store["asleep"][here] = one.labels.asleep
        store["distance"][here] = one.labels.distance
        valid = np.asarray(one.valid)
        store["usable"][here] = valid & np.asarray(one.labels.known)
        if "worn" in store:
            assert one.labels.worn is not None
            store["worn"][here] = np.where(valid, np.asarray(one.labels.worn), -1)
    return store


def cut(store: Store, batch: Store, *, duration: int, downsample: int, tail: int = 0) -> Store:
    """Windows of series and start [B], see `sleepjax.data.windows.gather_batch`."""
    # Looked up, since XLA replaces a division by a product that rounds differently.
    fractions = np.arange(downsample + 1, dtype=np.float32) / np.float32(downsample)

    def window(series: jax.Array, start: jax.Array) -> Store:
        begin, step = jnp.maximum(start, 0), jnp.arange(duration)
        first = store["first"][series] + begin
        size = jnp.minimum(store["length"][series], start + duration) - begin
        inside = step < size
        counts = inside & (step >= size - tail) if tail else inside
        usable, asleep, x, distance = (
            lax.dynamic_slice_in_dim(store[name], first, duration)
            for name in ("usable", "asleep", "x", "distance")
        )
        distance = jnp.where(inside[:, None], distance, FAR)[::downsample]
        fraction = lambda what: jnp.asarray(fractions)[
            frames(what & inside, downsample).sum(axis=1)
        ]
        wear = {}
        if "worn" in store:
            worn = lax.dynamic_slice_in_dim(store["worn"], first, duration)
            known = frames((worn >= 0) & counts, downsample).all(axis=1)
            wear = {"worn": fraction((worn == 1) & counts), "worn_mask": known.astype(jnp.float32)}
        return wear | {
            "x": jnp.where(inside[:, None], x, 0),
            "asleep": fraction(asleep),
            "distance": distance.astype(jnp.float32) + (downsample - 1) / 2,
            "mask": frames(usable & counts, downsample).all(axis=1).astype(jnp.float32),
        }

    return jax.vmap(window)(batch["series"], batch["start"])


def frames(x: jax.Array, downsample: int) -> jax.Array:
    """[T] -> [T',downsample]; the last frame is filled up with its own last step."""
    return jnp.pad(x, (0, -len(x) % downsample), mode="edge").reshape(-1, downsample)


AHEAD = 2
"""Batches that wait on the device; a third may be under way."""


def prefetch(
    make: Callable[[int], Any], first: int, stop: int
) -> AbstractContextManager[Iterator[Any]]:
    """Batches of the steps from ``first`` up to ``stop``, made in another thread in this order."""
    return closing(in_order(make, range(first, stop), workers=1, ahead=AHEAD))
