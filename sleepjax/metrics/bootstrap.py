"""Bootstrap intervals of a score, or of a difference, by resampling whole series.

Nights of one person are alike, so series are drawn, not events. Matching happens within a series
and does not depend on the others; it is done once, and a draw only re-weights the pool.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sleepjax.metrics.ap import APResult, Tolerances, evaluate
from sleepjax.metrics.arrays import EventArrays
from sleepjax.metrics.matching import Pairs
from sleepjax.tables import Frame
from sleepjax.types import TOLERANCES, InputError

BLOCK = 4_000_000
"""Array entries worked on at a time; bounds memory for any number of draws."""


Draws = Float[np.ndarray, " draws"]
"""A number for each draw."""
Counts = Int[np.ndarray, "draws S"]
"""How often each series is in each draw."""
Table = dict[tuple[str, float], Draws]
"""(event, tolerance in steps) -> average precision; NaN in draws without such an event."""


@dataclass(frozen=True)
class Bootstrap:
    """Score of the sample and of many draws of its series."""

    ap: float
    samples: Draws
    table: Table

    def interval(
        self, level: float = 0.95, event: str | None = None, tolerance: float | None = None
    ) -> tuple[float, float]:
        """Percentile interval that holds ``level`` of the draws: overall, for one event, or for
        one event at one tolerance.
        """
        if event is None:
            return _middle(self.samples, level)
        if tolerance is None:
            return _middle(mean_of_event(self.table, event), level)
        return _middle(self.table[event, tolerance], level)


@dataclass(frozen=True)
class PairedBootstrap:
    """Difference in score of two answers, each draw scoring both on the same series."""

    difference: float
    """Second minus first on the sample."""
    samples: Draws
    """Second minus first on each draw."""

    @property
    def p(self) -> float:
        """Two-sided: how often a draw contradicts the sign of the difference."""
        against = min((self.samples <= 0).sum(), (self.samples >= 0).sum())
        return float(min(1.0, 2 * (against + 1) / (len(self.samples) + 1)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval that holds ``level`` of the draws."""
        return _middle(self.samples, level)


def _middle(samples: Draws, level: float) -> tuple[float, float]:
    """Ends of the middle ``level`` of the samples that are numbers."""
    low, high = np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap(
    solution: Frame,
    submission: Frame,
    n: int = 1000,
    seed: int = 0,
    tolerances: Tolerances = TOLERANCES,
) -> Bootstrap:
    """Score ``n`` draws of as many series as have ground truth, with replacement.

    A series drawn twice counts as two series. Arguments otherwise as `event_detection_ap`.
    """
    return resample(evaluate(solution, submission, tolerances), n, seed)


def resample(result: APResult, n: int = 1000, seed: int = 0) -> Bootstrap:
    """As `bootstrap`, of what is scored already."""
    if n < 1:
        raise InputError(f"n={n} draws; it must be at least 1.")
    size, rng = result.n_series, np.random.default_rng(seed)
    table = _weighted(result, rng.multinomial(size, np.full(size, 1 / size), size=n))
    return Bootstrap(result.ap, _mean(table), table)


def paired_bootstrap(
    solution: Frame, first: Frame, second: Frame, n: int = 1000, seed: int = 0
) -> PairedBootstrap:
    """Whether ``second`` scores better than ``first``, by draws as in `bootstrap`."""
    return difference(*(bootstrap(solution, answer, n, seed) for answer in (first, second)))


def difference(first: Bootstrap, second: Bootstrap) -> PairedBootstrap:
    """Second minus first; of the same draws: as many, of the same series, by the same seed."""
    return PairedBootstrap(second.ap - first.ap, second.samples - first.samples)


def of_each_series(result: APResult) -> Float[np.ndarray, " S"]:
    """Event AP of each series of ``result.problem.series`` alone."""
    return _mean(_weighted(result, np.eye(result.n_series, dtype=np.int64)))


def mean_of_event(table: Table, event: str) -> Draws:
    """Mean over the tolerances of one event; NaN in draws without such an event."""
    return np.mean([ap for (name, _), ap in table.items() if name == event], axis=0)


def _mean(table: Table) -> Draws:
    """Mean over the events that occur in each draw; every draw has one at least."""
    events = dict.fromkeys(event for event, _ in table)
    per_event = np.stack([mean_of_event(table, event) for event in events], axis=1)  # [draws,E]
    occurs = ~np.isnan(per_event)
    return np.where(occurs, per_event, 0).sum(axis=1) / occurs.sum(axis=1)


def _weighted(result: APResult, weights: Counts) -> Table:
    """AP of each event and tolerance for each row of weights."""
    table = {}
    for event, arrays in result.problem.events.items():
        of_event = {key: p for key, p in result.pairs.items() if key[0] == event}
        size = max(1, BLOCK // max(1, len(arrays.det_score)))
        blocks = (weights[i : i + size] for i in range(0, len(weights), size))
        parts = [_weighted_event(arrays, list(of_event.values()), block) for block in blocks]
        table |= dict(zip(of_event, np.concatenate(parts, axis=1), strict=True))
    return table


def _weighted_event(
    arrays: EventArrays, of_event: list[Pairs], weights: Counts
) -> Float[np.ndarray, "tolerances draws"]:
    """AP at each tolerance with each series counted ``weights`` times."""
    n_truth = weights @ arrays.n_truth
    # Draws lie along the last axis, so that each series' counts are copied as a block.
    counts = np.ascontiguousarray(weights.T, np.float64)  # [S,draws]
    falling = np.argsort(-arrays.det_score)
    ranked = arrays.det_score[falling][::-1]
    above = counts[arrays.det_series[falling]]  # [D,draws]
    np.cumsum(above, axis=0, out=above)
    total = np.zeros((len(of_event), len(weights)))
    for k, (det, _) in enumerate(of_event):
        det = det[np.argsort(-arrays.det_score[det])]
        score = arrays.det_score[det]
        here = counts[arrays.det_series[det]]  # [M,draws]
        # Equal scores are one threshold: look up both counts at the last entry of each tie.
        tp = here.cumsum(axis=0)[len(score) - np.searchsorted(score[::-1], score) - 1]
        n = above[len(ranked) - np.searchsorted(ranked, score) - 1]
        np.maximum(n, 1, out=n)
        total[k] = np.einsum("mn,mn->n", here, np.divide(tp, n, out=tp))
    with np.errstate(invalid="ignore"):  # 0/0: the event does not occur in this draw
        return total / n_truth
