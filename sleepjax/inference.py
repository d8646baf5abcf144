"""From a model to probabilities at every step of whole recordings, through overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise

import jax
import numpy as np

from sleepjax.data import windows
from sleepjax.postprocess import stitch


def predict_series(
    series: Sequence[windows.Series],
    predict: Callable[[windows.Batch], jax.Array],
    *,
    duration: int,
    stride: int,
    trim: int,
    batch_size: int,
    downsample: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """(index, probabilities [T,K] float32) of each series, in order.

    ``predict`` maps this process's share of a batch, x [B,duration,F], to the probabilities
    [B,duration,K] of the whole batch. B is ``batch_size``, or the next multiple of the devices: a
    run is not bound to the number of those that it was trained on.
    """
    devices = jax.device_count()
    jobs = windows.eval_batches(
        series,
        duration=duration,
        stride=stride,
        downsample=downsample,
        batch=-(-batch_size // devices) * devices,
        process=jax.process_index(),
        processes=jax.process_count(),
    )

    def dispatch():
        for where, host_batch in jobs:
            yield where, predict(host_batch)
        yield [], None

    def fetched():
        # pairwise: the next batch is already dispatched when this one is waited for.
        for (where, probs), _ in pairwise(dispatch()):
            yield from zip(where, np.asarray(probs), strict=False)

    for i, group in groupby(fetched(), key=lambda item: item[0][0]):
        found = list(group)
        starts = np.array([start for (_, start), _ in found])
        parts = np.stack([part for _, part in found])  # [N,T,K]
        yield i, stitch(parts, starts, series[i].meta.n_steps, trim=trim)
