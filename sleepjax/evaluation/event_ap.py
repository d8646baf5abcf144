"""Validation: the loss on the soft targets of training, and event-detection AP of whole series."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import polars as pl

from sleepjax import metrics
from sleepjax.data import windows
from sleepjax.data.recording import Recording
from sleepjax.inference import Windowing, predict_series
from sleepjax.metrics import APResult
from sleepjax.runs.validation import Curves
from sleepjax.types import EVENTS, TOLERANCES, DivergedError


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found."""

    metrics: dict[str, float]
    """``loss``, ``event_ap``, ``event_ap/onset``, ``event_ap/onset@36`` and so on."""
    result: APResult
    events: pl.DataFrame
    """series_id, step, event, score."""
    probabilities: dict[str, np.ndarray]
    """Series id -> float32 [T,K]: asleep, onset, wakeup, and worn where the model has it."""


def evaluate(
    series: Sequence[Recording],
    solution: pl.DataFrame,
    eval_fn: Callable[[windows.Batch], tuple[jax.Array, jax.Array, jax.Array]],
    *,
    windowing: Windowing,
    post: dict[str, Any],
) -> Evaluation:
    """Score a model on labelled series, whose true events are ``solution``.

    ``eval_fn`` gives (probabilities [B,T,K], loss sum, loss count) of a batch; ``post`` are
    arguments of `postprocess.decode_series`. Raises DivergedError where a probability is NaN.
    """
    sums = []

    def predict(batch: windows.Batch) -> jax.Array:
        probs, total, count = eval_fn(batch)
        sums.append((total, count))
        return probs

    windowing = windowing.fitted(series)
    found, probabilities = [], {}
    for one, probs in zip(series, predict_series(series, predict, windowing), strict=True):
        if np.isnan(probs).any():
            raise DivergedError(
                f"the model predicts NaN for validation series {one.meta.series_id!r}: updates "
                "before were too large. Lower optim.lr, and use another --workdir."
            )
        found.append(Curves(one, probs).events(post))
        probabilities[one.meta.series_id] = probs
    events = pl.concat(found)

    result = metrics.evaluate(solution, events)
    total, count = np.asarray(jax.device_get(sums), np.float64).sum(axis=0)
    values = {"loss": float(total / max(count, 1.0)), "event_ap": result.ap}
    for event in EVENTS:  # NaN where the solution has no event of the class
        values[f"event_ap/{event}"] = result.per_event.get(event, math.nan)
        for tol in TOLERANCES:
            values[f"event_ap/{event}@{tol}"] = result.table.get((event, tol), math.nan)
    return Evaluation(values, result, events, probabilities)
