"""Inference: a model's probabilities at every step of whole recordings, by overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

import jax
import numpy as np

from sleepjax.data import windows
from sleepjax.data.recording import Recording
from sleepjax.postprocess.stitch import centre_weights, latest, stitch
from sleepjax.types import InputError, SeriesMeta

Predict = Callable[[windows.Batch], jax.Array]
"""This process's share of a batch, x [B,duration,F] -> probabilities [B,duration,K] of it all."""


@dataclass(frozen=True)
class Windowing:
    """How recordings are cut into windows for prediction; all but the batch size in steps."""

    duration: int
    stride: int
    trim: int
    """Steps at both ends of a window whose predictions are left out (see `postprocess.stitch`)."""
    downsample: int
    batch_size: int
    latency: int = 0
    """Steps after its own that a prediction may see; 0: all of its windows (`answers`)."""
    tail: int = 0
    """Steps at the end of a window that the loss is of; 0: all of them."""

    @classmethod
    def of(cls, config: Any) -> Windowing:
        """That of a config."""
        data, evaluation = config.data, config.eval
        return cls(
            duration=data.duration,
            stride=evaluation.stride,
            trim=evaluation.trim,
            downsample=data.downsample,
            batch_size=evaluation.batch_size,
            latency=evaluation.get("latency", 0),
            tail=data.get("tail", 0),
        )

    def fitted(self, series: Sequence[Recording]) -> Windowing:
        """With batches no larger than these recordings fill: the next power of two windows.

        Fewer windows are computed for nothing, and a model is compiled once for each size.
        """
        fill = (self.duration, self.stride, self.latency)
        count = sum(len(windows.eval_starts(one.meta.n_steps, *fill)) for one in series)
        size = 1 << max(count - 1, 0).bit_length()
        return replace(self, batch_size=min(self.batch_size, size))

    def start(self, number: int) -> int:
        """First step of the window of that number; below 0 it ends before it is full."""
        first = self.stride - self.duration if self.latency else 0
        return first + number * self.stride

    def answers(self, start: int) -> tuple[slice, np.ndarray]:
        """Steps that a window answers for, and its weight at each, if more windows follow.

        With a latency these are the ``stride`` steps of which the first has just ``latency`` steps
        after it; no other window answers for them. Otherwise windows are stitched.
        """
        stop = start + self.duration
        if self.latency:
            first = max(stop - self.latency, 0)
            size = max(stop - self.latency + self.stride - first, 0)
            return slice(first, first + size), np.ones(size)
        first = start + self.trim if start > 0 else 0
        weight = centre_weights(self.duration)[first - start : self.duration - self.trim]
        return slice(first, stop - self.trim), weight


def predict_series(
    series: Sequence[Recording], predict: Predict, how: Windowing
) -> Iterator[np.ndarray]:
    """Probabilities [T,K] float32 of each recording, in order; batches run across recordings."""
    found = _each_window(series, predict, how)
    for i, group in groupby(found, key=lambda item: item[0][0]):
        yield _stitched(list(group), series[i], how)


Part = tuple[tuple[int, int], np.ndarray]
"""((index of the series, start of the window), probabilities [duration,K])."""


def _each_window(series: Sequence[Recording], predict: Predict, how: Windowing) -> Iterator[Part]:
    """What is predicted of every window, in order.

    A batch has ``how.batch_size`` windows, or the next multiple of the devices: a run is not bound
    to the number of those that it was trained on.
    """
    devices = jax.device_count()
    jobs = windows.eval_batches(
        series,
        duration=how.duration,
        stride=how.stride,
        downsample=how.downsample,
        latency=how.latency,
        tail=how.tail,
        batch=-(-how.batch_size // devices) * devices,
        process=jax.process_index(),
        processes=jax.process_count(),
    )

    def dispatch():
        for where, host_batch in jobs:
            yield where, predict(host_batch)
        yield [], None

    # pairwise: the next batch is already dispatched when this one is waited for.
    for (where, probs), _ in pairwise(dispatch()):
        yield from zip(where, np.asarray(probs), strict=False)


def _stitched(found: list[Part], one: Recording, how: Windowing) -> np.ndarray:
    starts = np.array([start for (_, start), _ in found])
    parts = [part for _, part in found]  # [T,K] each
    if how.latency:
        return latest(
            np.stack(parts), starts, one.meta.n_steps, stride=how.stride, latency=how.latency
        )
    return stitch(parts, starts, one.meta.n_steps, trim=how.trim)


def check_finite(probs: np.ndarray, meta: SeriesMeta) -> None:
    """Raise InputError for probabilities [T,K] that are NaN or infinite at any step."""
    if not np.isfinite([probs.min(initial=0.0), probs.max(initial=0.0)]).all():
        bad = np.flatnonzero(~np.isfinite(probs).all(axis=1))
        raise InputError(
            f"series {meta.series_id!r}: the model gives NaN or infinite probabilities "
            f"at {len(bad)} of {len(probs)} steps, the first at step "
            f"{meta.first_step + bad[0]}. Look at the signals there "
            "(scripts/plot.py --series), or predict with --checkpoint best or another run."
        )
