"""Agreement by step: asleep or awake, inside or outside of sleep windows."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped

from sleepjax.tables import Frame, as_polars, require_columns
from sleepjax.types import EVENTS, InputError

Interval = tuple[float, float]
Counts = Float[np.ndarray, "4"]
"""Steps asleep inside a found window, asleep outside, awake inside, awake outside."""


@dataclass(frozen=True)
class Epochs:
    """Asleep or awake by step, found windows against stages; bootstrapped over persons."""

    n: int
    n_unscored: int
    """Steps whose stage is missing; not counted otherwise."""
    sensitivity: float
    """Fraction of the steps asleep that lie in a found window."""
    specificity: float
    """Fraction of the steps awake that lie in none."""
    kappa: float
    """Cohen's."""
    intervals: dict[str, Interval]


def bootstrapped(
    statistic: Callable[[Int[np.ndarray, " P"]], float], drawn: Int[np.ndarray, "draws P"]
) -> Interval:
    """95 % of a statistic of how often each person is drawn."""
    values = np.array([statistic(times) for times in drawn])
    values = values[~np.isnan(values)]  # draws in which it is not defined
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def epochs(
    stages: Frame,
    nights: pl.DataFrame,
    found: pl.DataFrame,
    names: Shaped[np.ndarray, " P"],
    drawn: Int[np.ndarray, "draws P"],
) -> Epochs:
    """Confusion of each person's steps, added up."""
    stages = as_polars(stages, "stages")
    require_columns(stages.columns, ("series_id", "step", "asleep"), "stages")
    person = dict(nights.select("series_id", "person").iter_rows())
    counts, n_unscored = np.zeros((len(names), 4)), 0  # as `Counts`
    for (series_id,), part in stages.group_by("series_id"):
        if series_id not in person:
            continue
        scored = part.drop_nulls("asleep")
        n_unscored += len(part) - len(scored)
        step, asleep = scored["step"].to_numpy(), scored["asleep"].cast(pl.Boolean).to_numpy()
        windows = found.filter(series_id=series_id)
        opened, closed = (
            np.searchsorted(np.sort(windows[end].to_numpy()), step, side="right") for end in EVENTS
        )
        kind = 2 * ~asleep + (opened <= closed)
        counts[np.searchsorted(names, person[series_id])] += np.bincount(kind, minlength=4)
    if not counts.sum():
        raise InputError(
            "stages hold no scored step of a series of truth; do the two files belong together?"
        )
    rates = {
        "sensitivity": lambda c: c[0] / (c[0] + c[1]),
        "specificity": lambda c: c[3] / (c[2] + c[3]),
        "kappa": _kappa,
    }
    with np.errstate(invalid="ignore"):
        values = {name: float(rate(counts.sum(axis=0))) for name, rate in rates.items()}
        intervals = {
            name: bootstrapped(lambda times, rate=rate: float(rate(times @ counts)), drawn)
            for name, rate in rates.items()
        }
    return Epochs(n=int(counts.sum()), n_unscored=n_unscored, **values, intervals=intervals)


def _kappa(counts: Counts) -> np.floating:
    n = counts.sum()
    agreed = (counts[0] + counts[3]) / n
    found, true = (counts[0] + counts[2]) / n, (counts[0] + counts[1]) / n
    chance = found * true + (1 - found) * (1 - true)
    return (agreed - chance) / (1 - chance)
