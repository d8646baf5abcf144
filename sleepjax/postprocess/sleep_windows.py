"""Sleep windows: when a person slept, chosen over a whole recording at once.

Candidates with scores are what the metric ranks; a person asks for *the* onset of a night. Windows
are chosen by the owners' rules: one lasts at least 30 minutes, may be interrupted by at most 30
consecutive minutes awake, and needs the watch worn. Of all sets of windows that the rules allow the
most probable one is found by dynamic programming (`semi_markov`) over frames of a minute:

* an onset at minute t has the rate ``P(onset) / spread + 1 / 1440`` per minute, a wakeup likewise.
  A model's event probability is spread over the minutes around the event, and where it says nothing
  there is still one onset a day. So a weak or missing peak makes an end unsure, not impossible.
* a minute speaks for a window by how much more often such a minute occurs inside one than outside:
  people lie awake in an eighth of a window, so minutes awake say less against it than minutes
  asleep say for it, and a restless sleeper keeps theirs. Neighbouring minutes repeat each other:
  ``correlation`` of them are worth one independent observation. Time without the watch counts as
  awake.
* a minute in the middle of 41 minutes with a mean P(asleep) below 0.2, more than 30 of which are
  awake, counts in full, which nothing outweighs, and ends the window.

The main sleep is the longest window of each 24 hours by the local clock of its midpoint. A day
begins twelve hours from the person's own mean midpoint (on the circle of the clock, weighted by
duration), so that the days of somebody who sleeps from morning to evening do not begin in their
sleep. Other windows are naps.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Real

from sleepjax.local_time import local_seconds, timestamps
from sleepjax.postprocess import semi_markov
from sleepjax.postprocess.decode import check_probabilities
from sleepjax.types import CLASSES, STEPS_PER_MINUTE, InputError, SeriesMeta

FRAME = STEPS_PER_MINUTE
DAY = 86_400
PER_MINUTE = 1 / 1440
"""Rate of onsets, and of wakeups, where a model sees none: one a day."""
SHORTEST = 31
"""Frames of a window or a gap: 30 minutes, and one because both ends move by half a minute."""
SURE = 0.001
"""No minute counts as less, or more, likely asleep than by this much from 0 or 1."""
ASLEEP_INSIDE, ASLEEP_OUTSIDE, ASLEEP = 0.87, 0.03, 1 / 3
"""Fraction of the minutes asleep: within sleep windows (adults' sleep maintenance, Ohayon 2004,
doi:10.1093/sleep/27.7.1255), outside of them, and over the day."""
AWAKE, SURELY_AWAKE = 41, 0.2
"""Minutes that end a window where their mean P(asleep) is below this: 33 of them are awake."""
NEAR = 15
"""Minutes; an end's probability is that of all minutes this close to it."""
UNLIKELY = 0.01
"""Runners-up below this probability are left out."""

SCHEMA = {
    "series_id": pl.String,
    "onset_step": pl.Int64,
    "wakeup_step": pl.Int64,
    "onset": pl.String,
    "wakeup": pl.String,
    "main": pl.Boolean,
    "score": pl.Float64,
    "worn_fraction": pl.Float64,
    "onset_score": pl.Float64,
    "wakeup_score": pl.Float64,
    "next_onset_step": pl.Int64,
    "next_onset": pl.String,
    "next_onset_score": pl.Float64,
    "next_wakeup_step": pl.Int64,
    "next_wakeup": pl.String,
    "next_wakeup_score": pl.Float64,
}

Minutes = Float[np.ndarray, " boundaries"]
"""A number for each boundary of minutes, which are one more than the minutes."""
Rows = Int[np.ndarray, " W"]
"""Ends of windows as rows of the recording."""


def find_windows(
    probs: Float[np.ndarray, "T K"],
    meta: SeriesMeta,
    *,
    valid: Bool[np.ndarray, " T"] | None = None,
    correlation: float = 10.0,
    spread: float = 12.5,
) -> pl.DataFrame:
    """Sleep windows of one recording, in order of time.

    Args:
      probs: of asleep, onset, wakeup, and worn where there is a fourth, at each row of the
        recording.
      meta: of the recording: name, first step, clock.
      valid: rows with data; nobody is taken to wear the watch at others.
      correlation: minutes that are worth one independent observation of being asleep.
      spread: minutes that an event's probability is spread over: its sum around a certain event.
        12.5 is that of targets with a standard deviation of five minutes.

    Returns:
      Frame with the columns of `SCHEMA`. ``onset`` and ``wakeup`` are local times with UTC offset;
      ``score`` is the probability of being in a sleep window, averaged over this one;
      ``onset_score`` and ``wakeup_score`` that of an onset or wakeup within 15 minutes of the one
      given. ``next_onset`` is the most probable other onset before the wakeup and after the window
      before, more than 30 minutes away, with its probability; null where there is none to speak of.

    Raises InputError for probs of another shape or NaN, and a parameter out of range.
    """
    probs = check_probabilities(probs, meta, valid)
    for name, value in (("correlation", correlation), ("spread", spread)):
        if not 1 <= value < np.inf:
            raise InputError(f"{name}={value} minutes must be at least 1, and finite.")
    on_wrist = np.ones(len(probs)) if valid is None else np.asarray(valid, np.float64)  # [T]
    if probs.shape[1] > len(CLASSES):
        on_wrist = on_wrist * probs[:, len(CLASSES)]
    asleep, onset, wakeup = probs.T[: len(CLASSES)]
    onsets, wakeups = (_around_boundaries(event, on_wrist) for event in (onset, wakeup))
    highest = (reduce(np.maximum, x.T) for x in (onsets, wakeups))  # of each minute
    begins, ends = (np.log(x / spread + PER_MINUTE) for x in highest)
    evidence = semi_markov.Evidence(begins, ends, _inside(asleep * on_wrist, correlation), SHORTEST)
    windows = semi_markov.best_windows(evidence)  # [W,2] minutes
    p_onset, p_wakeup = semi_markov.probabilities(evidence)
    sleeping = np.cumsum(p_onset - p_wakeup)
    edges = [0, *windows.ravel().tolist(), len(p_onset) - 1]
    rows = []
    for before, first, last, after in zip(
        edges[:-2:2], edges[1:-1:2], edges[2::2], edges[3::2], strict=True
    ):
        begin, end = _row(onsets, first, len(probs)), _row(wakeups, last, len(probs))
        other_onset = _runner_up(p_onset, first, before, last - SHORTEST)
        other_wakeup = _runner_up(p_wakeup, last, first + SHORTEST, after)
        rows.append(
            {"onset_step": begin, "wakeup_step": end}
            | {"score": sleeping[first:last].mean(), "worn_fraction": on_wrist[begin:end].mean()}
            | _scores("onset", p_onset, onsets, first, other_onset, len(probs))
            | _scores("wakeup", p_wakeup, wakeups, last, other_wakeup, len(probs))
        )
    return windows_frame(rows, meta)


def _inside(asleep: Float[np.ndarray, " T"], correlation: float) -> Float[np.ndarray, " minutes"]:
    """What each minute speaks for being in a window, from P(asleep, worn) of each step."""
    first = np.arange(0, len(asleep), FRAME)
    p = np.add.reduceat(asleep, first) / np.diff(first, append=len(asleep))
    p = p.clip(SURE, 1 - SURE)
    inside, outside = (
        p * share / ASLEEP + (1 - p) * (1 - share) / (1 - ASLEEP)
        for share in (ASLEEP_INSIDE, ASLEEP_OUTSIDE)
    )
    half = AWAKE // 2
    # Nothing is known of the time around the recording; it makes no run of wakefulness longer.
    before = np.cumsum(np.concatenate([[0.0], np.pad(p, half, constant_values=1.0)]))  # [N+31]
    awake = before[AWAKE:] - before[:-AWAKE] < SURELY_AWAKE * AWAKE
    return np.where(awake, np.log(p / (1 - p)), np.log(inside / outside) / correlation)


def _around_boundaries(
    event: Float[np.ndarray, " T"], on_wrist: Float[np.ndarray, " T"]
) -> Float[np.ndarray, "boundaries steps"]:
    """The probability of an event, and of the watch worn, around each boundary: half a minute."""
    around = np.zeros((-(-len(event) // FRAME) + 1, FRAME))
    np.multiply(event, on_wrist, out=around.ravel()[FRAME // 2 :][: len(event)])
    return around


def _row(minutes: Float[np.ndarray, "boundaries steps"], boundary: int, n_steps: int) -> int:
    """The row at which an event at a boundary is highest; where it is 0, that of the boundary."""
    half = FRAME // 2
    around = minutes[boundary]
    offset = int(around.argmax()) - half if around.max() > 0 else 0
    return min(max(int(boundary) * FRAME + offset, 0), n_steps - 1)


def _runner_up(p: Minutes, chosen: int, first: int, last: int) -> int | None:
    """The most probable local maximum from ``first`` to ``last`` that is not near ``chosen``."""
    first, last = max(1, first), min(len(p) - 2, last)
    around = p[first - 1 : last + 2]
    before, here, after = around[:-2], around[1:-1], around[2:]
    at = first + np.flatnonzero((here > before) & (here >= after))
    at = at[np.abs(at - chosen) > 2 * NEAR]
    best = int(at[np.argmax(p[at])]) if len(at) else chosen
    return None if best == chosen or _mass(p, best) < UNLIKELY else best


def _scores(
    event: str,
    p: Minutes,
    minutes: Float[np.ndarray, "boundaries steps"],
    at: int,
    other: int | None,
    n_steps: int,
) -> dict[str, float | int | None]:
    """Columns of an event at a boundary, and of the second most probable one."""
    return {
        f"{event}_score": _mass(p, at),
        f"next_{event}_step": None if other is None else _row(minutes, other, n_steps),
        f"next_{event}_score": None if other is None else _mass(p, other),
    }


def _mass(p: Minutes, at: int) -> float:
    """Probability within `NEAR` minutes of a boundary."""
    return float(min(1.0, p[max(0, at - NEAR) : at + NEAR + 1].sum()))


def windows_frame(rows: Sequence[Mapping], meta: SeriesMeta) -> pl.DataFrame:
    """The frame of `SCHEMA` from windows whose ``_step`` columns are rows of the recording.

    ``onset_step`` and ``wakeup_step`` are needed; of the other numbers what is missing is null.
    """
    columns = {name: [row.get(name) for row in rows] for name in SCHEMA}
    columns["series_id"] = [meta.series_id] * len(rows)
    onset, wakeup = (np.array(columns[f"{name}_step"], np.int64) for name in ("onset", "wakeup"))
    columns["main"] = main_sleep(onset, wakeup, meta).tolist()
    for name in ("onset", "wakeup", "next_onset", "next_wakeup"):
        at = columns[f"{name}_step"]
        text = iter(timestamps(meta, np.array([row for row in at if row is not None], np.int64)))
        columns[name] = [None if row is None else next(text) for row in at]
        columns[f"{name}_step"] = [None if row is None else row + meta.first_step for row in at]
    return pl.DataFrame(columns, schema=SCHEMA)


def main_sleep(onset: Rows, wakeup: Rows, meta: SeriesMeta) -> Bool[np.ndarray, " W"]:
    """Which windows are the longest of their 24 hours."""
    duration = wakeup - onset
    clock = local_seconds(meta, (onset + wakeup) // 2)
    day = sleep_day(clock, usual_midpoint(onset, wakeup, meta))
    order = np.lexsort((onset, -duration, day))
    main = np.zeros(len(onset), bool)
    main[order[np.flatnonzero(np.diff(day[order], prepend=day.min(initial=0) - 1))]] = True
    return main


def usual_midpoint(onset: Rows, wakeup: Rows, meta: SeriesMeta) -> float:
    """Mean clock time of the midpoints of windows, in seconds from midnight.

    On the circle of the clock, weighted by duration; from -12 to 12 hours, 0 without a window.
    """
    duration = wakeup - onset
    angle = 2 * np.pi * (local_seconds(meta, (onset + wakeup) // 2) % DAY) / DAY
    usual = np.arctan2((duration * np.sin(angle)).sum(), (duration * np.cos(angle)).sum())
    return float(usual * DAY / (2 * np.pi))


def sleep_day(clock: Real[np.ndarray, " N"], usual: float) -> Int[np.ndarray, " N"]:
    """Number of the 24 hours around the usual midpoint that local seconds are in."""
    return np.floor((clock - usual) / DAY + 0.5).astype(np.int64)
