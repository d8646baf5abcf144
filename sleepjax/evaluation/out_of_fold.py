"""Cross-validation's score: every series predicted by models that have not seen it, pooled.

Event AP ranks the detections of all series together, so the mean of the folds' APs is another
number; the pool is what a submission is scored by. Probabilities are those that every run saved of
its last checkpoint. The seeds of a fold are also averaged: that is what an ensemble of as many
members answers for series it has not seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax import metrics
from sleepjax.runs import validation
from sleepjax.runs.validation import Curves
from sleepjax.types import InputError


@dataclass(frozen=True)
class Score:
    """Event AP with the draws that tell how sure it is."""

    result: metrics.APResult
    boot: metrics.Bootstrap


@dataclass(frozen=True)
class OutOfFold:
    """What the runs of a cross-validation say of series they have not seen."""

    curves: tuple[Curves, ...]
    """Mean over seeds of the probabilities of every series."""
    solution: pl.DataFrame
    seeds: tuple[Score, ...]
    """Of each seed alone, all folds pooled."""
    mean: Score
    """Of the mean of probabilities, all folds pooled."""
    folds: tuple[float, ...]
    """AP of the mean within each fold."""


def evaluate(folds: Sequence[Sequence[Path]], post: Mapping[str, Any]) -> OutOfFold:
    """Score the finished runs ``folds[fold][seed]``, their probabilities decoded with ``post``.

    Raises InputError for runs without a saved validation, or that do not fit together.
    """
    curves: list[Curves] = []
    solutions, averaged, within = [], [], []
    alone: list[list[pl.DataFrame]] = [[] for _ in folds[0]]
    for runs in folds:
        mean, solution = _fold(runs, post, alone)
        events = pl.concat([one.events(post) for one in mean])
        within.append(metrics.evaluate(solution, events).ap)
        curves += mean
        solutions.append(solution)
        averaged.append(events)
    ids = [one.recording.meta.series_id for one in curves]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise InputError(f"series {twice!r} is in the validation of two folds; train them again.")
    solution = pl.concat(solutions)
    score = lambda events: Score(
        result := metrics.evaluate(solution, events), metrics.resample(result)
    )
    return OutOfFold(
        tuple(curves),
        solution,
        tuple(score(pl.concat(events)) for events in alone),
        score(pl.concat(averaged)),
        tuple(within),
    )


def _fold(
    runs: Sequence[Path], post: Mapping[str, Any], alone: list[list[pl.DataFrame]]
) -> tuple[list[Curves], pl.DataFrame]:
    """(mean curves, true events) of one fold; adds each seed's events to ``alone``."""
    mean, solution = [], pl.DataFrame()
    for run, events in zip(runs, alone, strict=True):
        curves, solution = validation.load(run)
        events += [one.events(post) for one in curves]
        if not mean:
            mean = [replace(one, probabilities=np.zeros_like(one.probabilities)) for one in curves]
        if [one.recording.meta for one in mean] != [one.recording.meta for one in curves]:
            raise InputError(f"{run} and {runs[0]} were validated on different series.")
        for total, one in zip(mean, curves, strict=True):
            total.probabilities[:] += one.probabilities / len(runs)
    return mean, solution
