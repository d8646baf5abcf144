"""Which detection takes which ground-truth event, for every tolerance, exactly as defined.

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

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sleepjax.metrics.frames import EventArrays


class Pairs(NamedTuple):
    """Matches at one tolerance: detection ``det[i]`` took ground-truth event ``truth[i]``."""

    det: np.ndarray
    truth: np.ndarray


def match(arrays: EventArrays, tolerances: np.ndarray) -> list[Pairs]:
    """Match at each of the K ascending tolerances (in steps); one `Pairs` per tolerance."""
    right = _insertion(arrays)
    widest = tolerances[-1]
    gap = np.diff(arrays.truth_step)
    gap[np.diff(arrays.truth_series) != 0] = np.inf
    crowded = np.zeros(len(arrays.truth_step) + 1, bool)
    crowded[:-2] |= gap < 2 * widest
    crowded[1:-1] |= gap < 2 * widest

    left_error, right_error = _errors(arrays, right)
    nearest = np.where(left_error <= right_error, right - 1, right)
    error = np.minimum(left_error, right_error)
    in_reach = np.flatnonzero(error < widest)
    is_crowded = crowded[nearest[in_reach]]

    alone = in_reach[~is_crowded]
    pairs = _match_isolated(arrays, tolerances, alone, nearest[alone], error[alone])
    if is_crowded.any():
        contested = in_reach[is_crowded]
        turn = contested[_turn_order(arrays, contested)]
        for k, tolerance in enumerate(tolerances):
            det, truth = propose(arrays, turn, right[turn], tolerance)
            pairs[k] = Pairs(np.r_[pairs[k].det, det], np.r_[pairs[k].truth, truth])
    return pairs


def propose(arrays: EventArrays, turn: np.ndarray, right: np.ndarray, tolerance: float) -> Pairs:
    """Match detections ``turn`` [M] (in order of turn) by rounds of simultaneous proposals.

    ``right`` [M] is the index of the first ground-truth event at or after each detection within
    its series. Correct for any ground truth; its cost grows with the rounds of rejections.
    """
    left, right = right - 1, right.copy()
    nobody = len(turn)
    holder = np.full(len(arrays.truth_step), nobody)
    free = np.arange(len(turn))
    while len(free):
        left_error, right_error = _errors(arrays, right[free], left[free], turn[free])
        go_left = left_error <= right_error
        reach = np.minimum(left_error, right_error) < tolerance
        free, go_left = free[reach], go_left[reach]
        target = np.where(go_left, left[free], right[free])
        # Whatever becomes of this proposal, the next one goes one event further.
        left[free] -= go_left
        right[free] += ~go_left

        asked = np.unique(target)
        displaced = holder[asked]
        np.minimum.at(holder, target, free)
        displaced = displaced[(displaced != nobody) & (displaced != holder[asked])]
        free = np.r_[free[holder[target] != free], displaced]
    truth = np.flatnonzero(holder != nobody)
    return Pairs(turn[holder[truth]], truth)


def _match_isolated(
    arrays: EventArrays,
    tolerances: np.ndarray,
    det: np.ndarray,
    truth: np.ndarray,
    error: np.ndarray,
) -> list[Pairs]:
    """Match detections that can reach one event only, at all tolerances in one pass."""
    n_tol = len(tolerances)
    order = _turn_order(arrays, det, truth)
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


def _turn_order(
    arrays: EventArrays, det: np.ndarray, group: np.ndarray | None = None
) -> np.ndarray:
    """Order of some detections by descending score, then step; first by group where given."""
    keys = (arrays.det_step[det], -arrays.det_score[det])
    return np.lexsort(keys if group is None else (*keys, group))


def _insertion(arrays: EventArrays) -> np.ndarray:
    """Index [D] of the first ground-truth event at or after each detection within its series.

    It may be one past the series' last event. Ranks instead of steps keep the combined
    (series, step) key exact for fractional steps.
    """
    steps = np.unique(arrays.truth_step)
    width = len(steps) + 1
    truth_rank = np.searchsorted(steps, arrays.truth_step)
    det_rank = np.searchsorted(steps, arrays.det_step)
    truth_key = arrays.truth_series.astype(np.int64) * width + truth_rank
    return np.searchsorted(truth_key, arrays.det_series.astype(np.int64) * width + det_rank)


def _errors(
    arrays: EventArrays,
    right: np.ndarray,
    left: np.ndarray | None = None,
    det: np.ndarray | slice = slice(None),
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of detections to the events ``left`` and ``right``; infinite in another series."""
    left = right - 1 if left is None else left
    return _error(arrays, left, det), _error(arrays, right, det)


def _error(arrays: EventArrays, truth: np.ndarray, det: np.ndarray | slice) -> np.ndarray:
    last = len(arrays.truth_step) - 1
    inside = truth.clip(0, last)
    same = (inside == truth) & (arrays.truth_series[inside] == arrays.det_series[det])
    return np.where(same, np.abs(arrays.truth_step[inside] - arrays.det_step[det]), np.inf)
