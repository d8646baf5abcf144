"""Event-detection average precision: the number, and everything behind it.

Detections of all series with ground truth are pooled per event class and tolerance, and ranked by
score. With ``tp(s)`` matched and ``n(s)`` all detections of score at least ``s``, the area under
the step-wise precision-recall curve is

    AP = 1/N * sum over matched detections of tp(s) / n(s)    (s: the score of the detection)

so it is the mean over the N ground-truth events of the precision at the score that finds them,
zero for the missed ones. Equal scores form one threshold. The result is the mean over tolerances,
then over event classes. See docs/metric.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float

from sleepjax.metrics.arrays import EventArrays, Problem, check_tolerances, encode
from sleepjax.metrics.matching import Pairs, match
from sleepjax.tables import Frame
from sleepjax.types import STEPS_PER_MINUTE, TOLERANCES

Tolerances = Sequence[float] | Mapping[str, Sequence[float]]

QUANTILES = (0.05, 0.25, 0.75, 0.95)


@dataclass(frozen=True)
class Curve:
    """Precision and recall at each distinct score, from the highest down."""

    score: Float[np.ndarray, " S"]
    precision: Float[np.ndarray, " S"]
    recall: Float[np.ndarray, " S"]


@dataclass(frozen=True)
class Errors:
    """How far matched detections are from their events at the widest tolerance, in minutes."""

    n: int
    """Matched events."""
    median: float
    """Median absolute error; NaN without a match."""
    quantiles: dict[float, float]
    """Quantiles of the absolute error at 5, 25, 75 and 95 %."""
    bias: float
    """Median of detection minus event: positive where detections are late."""


@dataclass(frozen=True)
class APResult:
    """The score and what it is made of."""

    ap: float
    """Mean over events of ``per_event``."""
    per_event: dict[str, float]
    """Event -> mean over its tolerances."""
    table: dict[tuple[str, float], float]
    """(event, tolerance in steps) -> average precision."""
    errors: dict[str, Errors]
    """Event -> summary of the localisation error."""
    n_series: int
    """Series with ground truth."""
    n_events: dict[str, int]
    """Event -> ground-truth events."""
    n_detections: int
    """Detections that were scored."""
    ignored: dict[str, int]
    """Reason -> rows left out of the score."""
    problem: Problem
    pairs: dict[tuple[str, float], Pairs]
    """(event, tolerance) -> matches as indices into the arrays of ``problem``."""

    @cached_property
    def matches(self) -> pl.DataFrame:
        """One row per match: series_id, event, tolerance, step, detection, score, error.

        ``step`` is that of the ground truth, ``error`` is detection minus event, both in steps.
        """
        return pl.concat([self._matches(*key) for key in self.pairs])

    @cached_property
    def curves(self) -> dict[tuple[str, float], Curve]:
        """(event, tolerance) -> precision-recall curve down to the lowest score."""
        return {
            (event, tolerance): _curve(self.problem.events[event], pairs)
            for (event, tolerance), pairs in self.pairs.items()
        }

    def _matches(self, event: str, tolerance: float) -> pl.DataFrame:
        arrays, (det, truth) = self.problem.events[event], self.pairs[event, tolerance]
        series = pl.Series(self.problem.series, dtype=pl.String)
        step, detection = arrays.truth_step[truth], arrays.det_step[det]
        return pl.DataFrame(
            {
                "series_id": series.gather(arrays.truth_series[truth]),
                "event": pl.Series([event]).new_from_index(0, len(det)),
                "tolerance": np.full(len(det), float(tolerance)),
                "step": step,
                "detection": detection,
                "score": arrays.det_score[det],
                "error": detection - step,
            }
        ).sort("series_id", "step")


def event_detection_ap(
    solution: Frame, submission: Frame, tolerances: Tolerances = TOLERANCES
) -> float:
    """Event-detection AP, exactly as the competition's scorer defines it.

    Args:
      solution: ground truth with columns series_id, event and step; other columns are not read,
        rows without a step (unlabelled nights) do not count.
      submission: detections with columns series_id, step, event and score, in any order.
      tolerances: in steps, for all events or per event.

    Returns:
      The score in [0,1]; 0 for an empty submission.

    Raises:
      InputError: missing columns, steps or scores that are not numbers, no ground truth, bad
        tolerances.

    Examples:
      >>> solution = pl.DataFrame({"series_id": ["a"], "event": ["onset"], "step": [1200]})
      >>> submission = pl.DataFrame(
      ...     {"series_id": ["a"], "step": [1212], "event": ["onset"], "score": [0.5]}
      ... )
      >>> event_detection_ap(solution, submission)  # 1 minute off: missed at the first tolerance
      0.9
    """
    problem = encode(solution, submission)
    by_event = check_tolerances(tolerances, list(problem.events))
    return mean_ap(score_problem(problem, by_event)[0])


def evaluate(solution: Frame, submission: Frame, tolerances: Tolerances = TOLERANCES) -> APResult:
    """Score detections and keep what explains the score; arguments of `event_detection_ap`."""
    problem = encode(solution, submission)
    table, pairs = score_problem(problem, check_tolerances(tolerances, list(problem.events)))
    widest = {event: (event, tolerance) for event, tolerance in table}
    return APResult(
        ap=mean_ap(table),
        per_event=per_event(table),
        table=table,
        errors={e: _errors(problem.events[e], pairs[key]) for e, key in widest.items()},
        n_series=len(problem.series),
        n_events={event: int(a.n_truth.sum()) for event, a in problem.events.items()},
        n_detections=problem.n_detections,
        ignored=problem.ignored,
        problem=problem,
        pairs=pairs,
    )


def score_problem(
    problem: Problem, tolerances: Mapping[str, Float[np.ndarray, " tolerances"]]
) -> tuple[dict[tuple[str, float], float], dict[tuple[str, float], Pairs]]:
    """Average precision and matches for each (event, tolerance), tolerances ascending."""
    table, all_pairs = {}, {}
    for event, arrays in problem.events.items():
        ranked = np.sort(arrays.det_score)
        n_truth = int(arrays.n_truth.sum())
        for tolerance, pairs in zip(
            tolerances[event], match(arrays, tolerances[event]), strict=True
        ):
            key = event, int(tolerance) if tolerance.is_integer() else float(tolerance)
            table[key] = average_precision(arrays.det_score[pairs.det], ranked, n_truth)
            all_pairs[key] = pairs
    return table, all_pairs


def average_precision(
    matched: Float[np.ndarray, " M"], ranked: Float[np.ndarray, " D"], n_truth: int
) -> float:
    """AP from the scores of matched detections and all scores in ascending order."""
    if not len(matched):
        return 0.0
    matched = np.sort(matched)
    tp = len(matched) - np.searchsorted(matched, matched)
    n = len(ranked) - np.searchsorted(ranked, matched)
    return float((tp / n).sum() / n_truth)


def per_event(table: Mapping[tuple[str, float], float]) -> dict[str, float]:
    """Event -> mean over tolerances."""
    events = dict.fromkeys(event for event, _ in table)
    return {e: float(np.mean([ap for (of, _), ap in table.items() if of == e])) for e in events}


def mean_ap(table: Mapping[tuple[str, float], float]) -> float:
    """Mean over tolerances, then over events."""
    return float(np.mean(list(per_event(table).values())))


def _curve(arrays: EventArrays, pairs: Pairs) -> Curve:
    score, n = np.unique(arrays.det_score, return_counts=True)
    tp = np.bincount(np.searchsorted(score, arrays.det_score[pairs.det]), minlength=len(score))
    tp, n = tp[::-1].cumsum(), n[::-1].cumsum()
    return Curve(score=score[::-1], precision=tp / n, recall=tp / arrays.n_truth.sum())


def _errors(arrays: EventArrays, pairs: Pairs) -> Errors:
    error = (arrays.det_step[pairs.det] - arrays.truth_step[pairs.truth]) / STEPS_PER_MINUTE
    if not len(error):
        return Errors(0, np.nan, dict.fromkeys(QUANTILES, np.nan), np.nan)
    quantiles = np.quantile(np.abs(error), QUANTILES)
    return Errors(
        n=len(error),
        median=float(np.median(np.abs(error))),
        quantiles=dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
        bias=float(np.median(error)),
    )
