"""Matching of detections to ground-truth events, for every tolerance, exactly as defined.

In each series detections take their turn by descending score; each takes the nearest event that is
still free and closer than the tolerance (strictly), the earlier one of two at the same distance.
Detections of equal score in one series take their turn in order of step.

The definition is a loop over detections. Two facts let it run on whole arrays:

* An event that lies at least two tolerances from its neighbours is out of reach of any detection
  that can reach another event, so it simply goes to the first detection in reach. As tolerance
  grows the first one can only move forward in turn: one pass serves all tolerances.
* Where events are closer than that, all events rank detections alike (by turn), so the outcome of
  the turn-taking is the only stable assignment, and every order of proposals leads to it: each
  detection proposes to its nearest event, an event keeps the proposal that comes first in turn,
  and the rejected propose to their next nearest, all of them at once
  (Gale & Shapley 1962, doi:10.1080/00029890.1962.11989827).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from sleepjax.metrics.arrays import EventArrays, stable_order

Indices = Int[np.ndarray, " M"]
Distances = Float[np.ndarray, " M"]
Tolerances = Real[np.ndarray, " K"]


class Pairs(NamedTuple):
    """Matches at one tolerance: detection ``det[i]`` took ground-truth event ``truth[i]``."""

    det: Int[np.ndarray, " P"]
    truth: Int[np.ndarray, " P"]


def match(arrays: EventArrays, tolerances: Tolerances) -> list[Pairs]:
    """Match at each of the ascending tolerances (in steps); one `Pairs` per tolerance."""
    right = _insertion(arrays)
    widest = tolerances[-1]
    gap = np.diff(arrays.truth_step)
    gap[np.diff(arrays.truth_series) != 0] = np.inf
    crowded = np.zeros(len(arrays.truth_step) + 1, bool)
    crowded[:-2] |= gap < 2 * widest
    crowded[1:-1] |= gap < 2 * widest

    left_error, right_error = _error(arrays, right - 1), _error(arrays, right)
    nearest = np.where(left_error <= right_error, right - 1, right)
    error = np.minimum(left_error, right_error)
    in_reach = np.flatnonzero(error < widest)
    is_crowded = crowded[nearest[in_reach]]

    alone = in_reach[~is_crowded]
    pairs = _match_isolated(len(arrays.truth_step), tolerances, alone, nearest[alone], error[alone])
    if is_crowded.any():
        contested = in_reach[is_crowded]
        for k, tolerance in enumerate(tolerances):
            det, truth = propose(arrays, contested, right[contested], tolerance)
            pairs[k] = Pairs(np.r_[pairs[k].det, det], np.r_[pairs[k].truth, truth])
    return pairs


def propose(arrays: EventArrays, det: Indices, right: Indices, tolerance: float) -> Pairs:
    """Match detections ``det`` (ascending indices) by rounds of simultaneous proposals.

    ``right`` is the index of the first ground-truth event at or after each detection within
    its series. Correct for any ground truth; its cost grows with the rounds of rejections.
    """
    left, right = right - 1, right.copy()
    nobody = len(det)
    holder = np.full(len(arrays.truth_step), nobody)
    free = np.arange(len(det))
    while len(free):
        left_error = _error(arrays, left[free], det[free])
        right_error = _error(arrays, right[free], det[free])
        reach = np.minimum(left_error, right_error) < tolerance
        go_left = (left_error <= right_error)[reach]
        free = free[reach]
        target = np.where(go_left, left[free], right[free])
        # Accepted or not, the next proposal is to the event beyond this one.
        left[free] -= go_left
        right[free] += ~go_left

        asked = np.unique(target)
        displaced = holder[asked]
        np.minimum.at(holder, target, free)
        displaced = displaced[(displaced != nobody) & (displaced != holder[asked])]
        free = np.r_[free[holder[target] != free], displaced]
    truth = np.flatnonzero(holder != nobody)
    return Pairs(det[holder[truth]], truth)


def _match_isolated(
    n_truth: int,
    tolerances: Tolerances,
    det: Indices,
    truth: Indices,
    error: Real[np.ndarray, " M"],
) -> list[Pairs]:
    """Match detections that can reach one event only, at all tolerances in one pass."""
    n_tol = len(tolerances)
    # Detections are in order of turn; a stable sort keeps it among those of one event.
    order = stable_order(truth, n_truth)
    det, truth = det[order], truth[order]
    # The detection is in reach from tolerance `first` on; it is the first in turn up to the
    # tolerance at which an earlier one comes into reach, `until`: a running minimum per event.
    first = np.searchsorted(tolerances, error[order], side="right")
    new = np.ones(len(det), bool)
    new[1:] = truth[1:] != truth[:-1]
    lift = -n_tol * np.cumsum(new)
    until = np.empty_like(first)
    until[1:] = (np.minimum.accumulate(first + lift)[:-1] - lift[1:]).clip(max=n_tol)
    until[new] = n_tol

    takes = first < until
    det, truth, first, until = det[takes], truth[takes], first[takes], until[takes]
    masks = ((first <= k) & (k < until) for k in range(n_tol))
    return [Pairs(det[mask], truth[mask]) for mask in masks]


def _insertion(arrays: EventArrays) -> Int[np.ndarray, " D"]:
    """Index of the first ground-truth event at or after each detection within its series.

    It is one past the series' last event for detections after that.
    """
    series = np.arange(len(arrays.n_truth) + 1)
    truth_at = np.searchsorted(arrays.truth_series, series).tolist()
    det_at = np.searchsorted(arrays.det_series, series).tolist()
    right = np.empty(len(arrays.det_step), np.int64)
    for t0, t1, d0, d1 in zip(truth_at, truth_at[1:], det_at, det_at[1:], strict=False):
        right[d0:d1] = t0 + np.searchsorted(arrays.truth_step[t0:t1], arrays.det_step[d0:d1])
    return right


def _error(arrays: EventArrays, truth: Indices, det: Indices | slice = slice(None)) -> Distances:
    """Distance of detections to ground-truth events; infinite to those of another series."""
    inside = truth.clip(0, len(arrays.truth_step) - 1)
    same = (inside == truth) & (arrays.truth_series[inside] == arrays.det_series[det])
    return np.where(same, np.abs(arrays.truth_step[inside] - arrays.det_step[det]), np.inf)
