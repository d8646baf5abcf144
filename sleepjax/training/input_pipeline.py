"""The training batches of a run: whole windows from the host, or indices to a store on the device.

Either way a batch is a function of (seed, step), and each process makes only its own share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from sleepjax.data import source, windows
from sleepjax.objectives import Batch
from sleepjax.parallel import processes, sharding
from sleepjax.training import resident as on_device
from sleepjax.types import InputError


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
    root = config.data.root
    if jax.process_count() > 1:
        opened = lambda: source.open_training_data(config.data, config.simulate)
        root = processes.from_main(lambda: str(opened().store.root.absolute()))
    data = source.open_training_data(dict(config.data, root=root), config.simulate)
    worn = (one.labels.worn for one in data.train if one.labels and one.labels.worn is not None)
    if config.loss.get("worn", 0) > 0 and not any(
        (np.asarray(labels) == 1).any() for labels in worn
    ):
        raise InputError(
            f"loss.worn={config.loss.worn} needs recordings of which non-wear is known, and no "
            f"training series of {data.store.root} has a row in train_nonwear.csv. Add that file "
            "to the data (docs/data.md), or set loss.worn=0."
        )
    return data


def make(
    series: Sequence[windows.Series], config: Any, mesh: Mesh, *, resident: bool = False
) -> Feed:
    """Batches of random windows of labelled series, as the config says.

    ``resident`` keeps the series on the devices of the mesh and sends only indices.
    """
    duration, downsample = config.data.duration, config.data.downsample
    seed, batch = config.seed, config.batch_size
    replicated, by_batch = sharding.shardings(mesh)
    sampler = windows.make_sampler(series, duration, config.data.background)
    process, count = jax.process_index(), jax.process_count()

    def windows_at(step: int) -> list[list[Any]]:
        which, start = sampler.indices(seed, step, batch)
        pairs = zip(which, start, strict=True)
        return [[series[i].meta.series_id, int(s)] for i, s in pairs]

    def whole_windows(step: int) -> windows.Batch:
        return windows.train_batch(
            series,
            sampler,
            seed=seed,
            step=step,
            batch=batch,
            downsample=downsample,
            process=process,
            processes=count,
        )

    def indices(step: int) -> windows.Batch:
        which, start = sampler.indices(seed, step, batch)
        share = windows.share(batch, process, count)
        return {"series": which[share].astype(np.int32), "start": start[share].astype(np.int32)}

    if not resident:
        return Feed(whole_windows, windows_at, {}, lambda store, batch: batch)
    store = jax.device_put(on_device.flatten(series, duration), replicated)
    cut = partial(on_device.cut, duration=duration, downsample=downsample)
    expand = lambda store, batch: jax.lax.with_sharding_constraint(cut(store, batch), by_batch)
    return Feed(indices, windows_at, store, expand)
