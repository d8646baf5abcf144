"""The table of nights of one recording: every night ends in a row, or in a row with reasons."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl

from sleepjax.local_time import local_seconds, timestamps, utc_offset
from sleepjax.nights import scoring
from sleepjax.nights.columns import REASONS, checked
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.reasons import (
    EDGE_MINUTES,
    MAX_CALIBRATION_MG,
    MAX_WINDOW_HOURS,
    MIN_HOURS,
    MIN_WORN,
    cells,
)
from sleepjax.nights.scoring import Scored, Wear
from sleepjax.postprocess.sleep_windows import DAY, sleep_day, usual_midpoint
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE, SeriesMeta

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
HOUR = 3600
CARRIED = ("onset", "wakeup", "onset_step", "wakeup_step", "next_onset", "next_wakeup")
"""Columns of windows that nights have, too."""
PROBABILITIES = {
    "probability": "score",
    "onset_probability": "onset_score",
    "wakeup_probability": "wakeup_score",
    "next_onset_probability": "next_onset_score",
    "next_wakeup_probability": "next_wakeup_score",
}
"""Column of nights -> column of windows."""


def nights_table(
    scored: Scored, *, quality: Mapping[str, Any] | None = None, min_hours: float = MIN_HOURS
) -> pl.DataFrame:
    """All nights of one recording, in order of time.

    Args:
      scored: the recording and what was found in it, by `scoring.scored`.
      quality: what the device's reader says of the file; of it ``calibration`` is used.
      min_hours: of a night's 24 that must be measured with the watch on for its row to be clean.

    Returns the columns of `NIGHTS`; `clean` chooses the nights that can be used.
    """
    meta, windows, spans = scored.recording.meta, scored.windows, scored.spans
    worn = scored.wear
    day, usual = days(spans, meta)
    of_window = day[[(onset + wakeup) // 2 for onset, wakeup in spans]] if spans else day[:0]
    file, of_file = _calibration((quality or {}).get("calibration") or {})
    rows = []
    numbers, place = np.unique(day, return_inverse=True)
    for one, covered in zip(numbers.tolist(), _covered(worn, place), strict=True):
        night = {"series_id": meta.series_id, "person": meta.series_id} | covered | file
        night |= _date(usual + (one - 0.5) * DAY) | {"kind": "none"}
        about = _of_day(night, min_hours)
        mine = np.flatnonzero(of_window == one)
        kinds = ["main" if windows["main"][int(i)] else "nap" for i in mine]
        if "main" not in kinds:
            none = {"no_sleep_found": "no sleep window was found"}
            rows.append(night | cells(none | about | of_file))
        for i, kind in zip(mine.tolist(), kinds, strict=True):
            row = night | {"kind": kind} | _window(windows.row(i, named=True), meta, spans[i])
            row |= scoring.within(scored.state[slice(*spans[i])]) | _worn_within(worn, spans[i])
            why = (about if kind == "main" else {}) | _of_window(worn, spans[i])
            rows.append(row | cells(why | of_file))
    return checked(rows, NIGHTS)


def clean(nights: Frame) -> Frame:
    """The rows of nights, or of people, that no reason speaks against."""
    return nights.filter(pl.col(REASONS) == "")


def days(spans: Sequence[tuple[int, int]], meta: SeriesMeta) -> tuple[np.ndarray, float]:
    """(which 24 hours each row is in, int64 [T]; the usual midpoint in seconds from midnight)."""
    onset, wakeup = np.array(spans, np.int64).reshape(-1, 2).T
    usual = usual_midpoint(onset, wakeup, meta)
    return sleep_day(local_seconds(meta, np.arange(meta.n_steps)), usual), usual


def _date(begin: float) -> dict[str, Any]:
    """Date, day of the week, and whether the next day is free, from local seconds."""
    date = np.datetime64(int(begin // DAY), "D").astype(object)
    return {"date": str(date), "weekday": f"{date:%A}", "weekend": date.weekday() in (4, 5)}


def _covered(worn: Wear, place: np.ndarray) -> list[dict[str, Any]]:
    """How much of each night was recorded and worn, from the night of each row, int [T]."""
    count = lambda mask: np.bincount(place, weights=mask)
    measured = count(worn.measured)
    columns = {
        "night": range(1, len(measured) + 1),
        "recorded_h": (measured / STEPS_PER_HOUR).tolist(),
        "gap_h": (count(~worn.measured) / STEPS_PER_HOUR).tolist(),
        "worn_h": (count(worn.worn) / STEPS_PER_HOUR).tolist(),
    }
    for name, mask in (("worn_model", worn.model), ("worn_raw", worn.raw)):
        on = [None] * len(measured) if mask is None else count(worn.measured & mask).tolist()
        columns[name] = list(map(_share, on, measured.tolist()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None or not whole else part / whole


def _worn_within(worn: Wear, span: tuple[int, int]) -> dict[str, float | None]:
    measured = worn.measured[slice(*span)]
    on = lambda mask: None if mask is None else float((mask[slice(*span)] & measured).sum())
    return {
        "window_measured": float(measured.mean()),
        "window_worn_model": _share(on(worn.model), float(measured.sum())),
        "window_worn_raw": _share(on(worn.raw), float(measured.sum())),
    }


def _window(window: dict[str, Any], meta: SeriesMeta, span: tuple[int, int]) -> dict[str, Any]:
    """What a window says of itself, its midpoint and its clock times."""
    onset, wakeup = span
    at = np.array([onset, wakeup, (onset + wakeup) // 2])
    offset, clock = utc_offset(meta, at), local_seconds(meta, at)
    date = np.datetime64(int(clock[1]) // DAY, "D").astype(object)
    return (
        {name: window[name] for name in CARRIED}
        | {name: window[theirs] for name, theirs in PROBABILITIES.items()}
        | {
            f"{end}_clock_h": float(second % DAY / HOUR)
            for end, second in zip(("onset", "wakeup", "midpoint"), clock, strict=True)
        }
        | {
            "midpoint": timestamps(meta, at)[2],
            "clock_change_h": float(offset[1] - offset[0]) / HOUR,
            "weekend": date.weekday() in (5, 6),
        }
    )


def _calibration(said: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(columns on the calibration of the file, why its nights should not be used)."""
    applied, error = said.get("applied"), said.get("error_after_g")
    left = None if error is None else 1000 * float(error)
    columns = {
        "calibration": "unknown" if applied is None else "yes" if applied else "no",
        "calibration_error_mg": left,
    }
    why = {}
    if applied is False:
        why["not_calibrated"] = f"not calibrated: {said.get('reason') or 'no reason is known'}"
    elif left is not None and left > MAX_CALIBRATION_MG:
        words = f"the error of calibration is {left:.1f} mg, more than {MAX_CALIBRATION_MG:g}"
        why["not_calibrated"] = words
    return columns, why


def _of_day(night: Mapping[str, Any], min_hours: float) -> dict[str, str]:
    """Why main sleep of this night should not be used: code -> what is and what is needed."""
    needed = f"{min_hours:g} h are needed"
    covered = night["recorded_h"] + night["gap_h"]
    if covered < min_hours:
        return {"recording_too_short": f"{_span(covered)} lie in the recording, {needed}"}
    if night["worn_h"] < min_hours:
        return {"not_worn": f"{_span(night['worn_h'])} measured with the watch on, {needed}"}
    return {}


def _span(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def _of_window(worn: Wear, span: tuple[int, int]) -> dict[str, str]:
    """Why this window should not be used: code -> what is and what is needed."""
    onset, wakeup = span
    found = {}
    share = worn.worn[onset:wakeup].mean()
    if share < MIN_WORN:
        found["window_not_worn"] = (
            f"{share:.1%} of the window measured with the watch on, {MIN_WORN:.0%} is needed"
        )
    hours = (wakeup - onset) / STEPS_PER_HOUR
    if hours > MAX_WINDOW_HOURS:
        words = f"the window lasts {hours:.1f} hours, more than {MAX_WINDOW_HOURS:g}"
        found["window_too_long"] = words
    edge = EDGE_MINUTES * STEPS_PER_MINUTE
    around = np.pad(worn.worn, edge)  # outside of the recording nothing was seen
    beside = {
        "before the onset": around[onset : onset + edge],
        "after the wakeup": around[wakeup + edge : wakeup + 2 * edge],
    }
    unseen = [
        f"{seen.mean() * EDGE_MINUTES:.1f} of the {EDGE_MINUTES} minutes {where} measured with the "
        "watch on, half of them is needed"
        for where, seen in beside.items()
        if seen.mean() < 0.5
    ]
    if unseen:
        found["end_not_seen"] = ", and ".join(unseen)
    return found
