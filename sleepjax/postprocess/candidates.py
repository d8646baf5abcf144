"""Small pure steps from peaks to events; `decode` composes them.

Each takes and returns candidates of one series: positions are rows of the recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from sleepjax.postprocess.peaks import find_peaks
from sleepjax.types import STEP_SECONDS, STEPS_PER_DAY, STEPS_PER_MINUTE, SeriesMeta

MIN_SLEEP = 30 * STEPS_PER_MINUTE
"""Annotators mark no sleep period shorter than 30 minutes."""


@dataclass(frozen=True)
class Candidates:
    """Possible events of one class in one series."""

    position: Int[np.ndarray, " N"]
    """Rows of the recording, ascending."""
    score: Float[np.ndarray, " N"]

    def keep(self, mask: Bool[np.ndarray, " N"]) -> Candidates:
        """Those where the mask is true."""
        return Candidates(self.position[mask], self.score[mask])


Pair = tuple[Candidates, Candidates]
"""Candidates for an onset, and for a wakeup."""


def pick(
    x: Float[np.ndarray, "K T"], *, height: float, distance: float, soft: float = 0.0
) -> tuple[Candidates, ...]:
    """Peaks of each of K probability curves, as `find_peaks`, with height as score.

    With ``soft`` > 0 peaks within ``distance`` of a higher one stay too, at ``soft`` times their
    height: a second guess costs little where it ranks below everything that is more likely.
    """
    n_steps = x.shape[-1]
    flat = np.array([n_steps, 1])  # row and step as one ascending number
    kept = find_peaks(x, height, distance) @ flat
    peaks = find_peaks(x, height) @ flat if soft else kept
    score = x.ravel()[peaks].astype(np.float64)
    if soft:
        score[np.isin(peaks, kept, assume_unique=True, invert=True)] *= soft
    ends = np.searchsorted(peaks, n_steps * np.arange(1, len(x)))
    each = zip(np.split(peaks % n_steps, ends), np.split(score, ends), strict=True)
    return tuple(Candidates(position, score) for position, score in each)


def normalise_daily(
    candidates: Candidates, clock: Real[np.ndarray, " N"], *, cut_hour: float, constant: float
) -> Candidates:
    """Divide each score by ``constant`` plus the sum of scores of its day.

    A night holds one event of a class at most, so candidates of one night share its probability.
    ``clock`` is the local time of each candidate in seconds since 1970-01-01 local; a day begins
    at ``cut_hour`` o'clock. The order of scores within a day stays the same.
    """
    day = np.floor_divide(clock - cut_hour * 3600, 86_400)
    _, index = np.unique(day, return_inverse=True)
    total = np.bincount(index, weights=candidates.score)
    return Candidates(candidates.position, candidates.score / (total[index] + constant))


def snap_off_minute(
    candidates: Candidates, minute_row: float, free: Bool[np.ndarray, " T"]
) -> Candidates:
    """Move each candidate to the nearest of seconds :15 and :45.

    Events are annotated at whole minutes and errors must stay strictly below tolerances that are
    multiples of half a minute, so a detection exactly on second :00 or :30 has fewer whole minutes
    in reach at some tolerances than one between; in between all seconds are alike.

    ``minute_row`` is a row (a fraction if need be) that falls on a whole minute; candidates whose
    target lies outside of the recording, or where ``free`` is False, stay where they are.
    """
    half = STEPS_PER_MINUTE / 2
    quarter = minute_row + half / 2
    nearest = quarter + half * np.floor((candidates.position - quarter) / half + 0.5)
    target = np.rint(nearest).astype(np.int64)
    inside = (0 <= target) & (target < len(free))
    inside[inside] = free[target[inside]]
    return Candidates(np.where(inside, target, candidates.position), candidates.score)


def prune_impossible(
    onset: Candidates, wakeup: Candidates, *, onset_before: bool = False, rows_after: bool = False
) -> Pair:
    """Drop wakeups too early to follow any onset, and onsets too late to precede any wakeup.

    A night has both events, with the wakeup at least 30 minutes after the onset. Where only
    part of a recording is given, ``onset_before`` says that an onset came before it, and
    ``rows_after`` that a wakeup may follow it.
    """
    if len(onset.position) and not onset_before:
        wakeup = wakeup.keep(wakeup.position >= onset.position.min() + MIN_SLEEP)
    if len(wakeup.position) and not rows_after:
        onset = onset.keep(onset.position <= wakeup.position.max() - MIN_SLEEP)
    return onset, wakeup


def pair(onset: Candidates, wakeup: Candidates, *, longest: int = STEPS_PER_DAY) -> Pair:
    """Keep the onset-wakeup pairs that make the most likely sequence of sleep periods.

    Chooses periods that do not overlap, each at least 30 minutes and at most ``longest`` steps
    long, so that the sum over periods of the product of the two scores is largest. Events
    outside of the chosen periods are dropped: for one answer per night, not for the best AP.
    """
    first = np.searchsorted(wakeup.position, onset.position + MIN_SLEEP)
    last = np.searchsorted(wakeup.position, onset.position + longest, side="right")
    n_wakeups = (last - first).clip(min=0)
    opens = np.repeat(np.arange(len(first)), n_wakeups)
    offset = np.arange(len(opens)) - np.repeat(n_wakeups.cumsum() - n_wakeups, n_wakeups)
    closes = first[opens] + offset
    order = np.argsort(closes, kind="stable")
    opens, closes = opens[order], closes[order]

    # Weighted interval scheduling: total[j] is the best sum using the first j periods by wakeup.
    ends = wakeup.position[closes]
    before = np.searchsorted(ends, onset.position[opens], side="right").tolist()
    weight = (onset.score[opens] * wakeup.score[closes]).tolist()
    total = [0.0]
    for j, gain in enumerate(weight):
        total.append(max(total[j], total[before[j]] + gain))
    chosen, j = [], len(weight)
    while j:
        if total[j] == total[j - 1]:
            j -= 1
        else:
            chosen.append(j - 1)
            j = before[j - 1]
    chosen = np.array(chosen[::-1], np.int64)
    return _at(onset, opens[chosen]), _at(wakeup, closes[chosen])


def minute_row(meta: SeriesMeta) -> float:
    """The first row (a fraction if need be) of a recording that falls on a whole minute."""
    return (-meta.start % 60) / STEP_SECONDS


def _at(candidates: Candidates, index: Int[np.ndarray, " M"]) -> Candidates:
    return Candidates(candidates.position[index], candidates.score[index])
