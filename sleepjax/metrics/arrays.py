"""Arrays that the metric works on, from polars frames; every problem is reported or counted.

The metric sees one event class at a time (`EventArrays`), with series as integers. Steps and
scores become float64, so unsigned and fractional steps are exact (integers below 2**53).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from sleepjax.tables import Frame, as_polars, require_columns
from sleepjax.types import InputError

TRUTH_COLUMNS = ("series_id", "event", "step")
DETECTION_COLUMNS = ("series_id", "step", "event", "score")
RESERVED = ("start", "end")
"""Event labels that delimit scoring intervals in the official metric; never scored."""


@dataclass(frozen=True)
class EventArrays:
    """Ground truth and detections of one event class; series are numbered.

    Ground truth is sorted by (series, step) and free of duplicates: a duplicated row can never be
    matched twice, but it does count in ``n_truth``, as in the official metric. Detections are
    sorted by series and then in order of turn: by falling score, then step.
    """

    truth_series: Int[np.ndarray, " N"]
    truth_step: Float[np.ndarray, " N"]
    n_truth: Int[np.ndarray, " S"]
    """Ground-truth rows per series, duplicates included."""
    det_series: Int[np.ndarray, " D"]
    det_step: Float[np.ndarray, " D"]
    det_score: Float[np.ndarray, " D"]


@dataclass(frozen=True)
class Problem:
    """One scoring problem: what counts, and how many rows were left out for which reason."""

    series: tuple[str, ...]
    """Series with at least one ground-truth event of any class."""
    events: dict[str, EventArrays]
    """One entry per event class of the ground truth, by name in alphabetical order."""
    n_detections: int
    """Scored detections."""
    ignored: dict[str, int]
    """Reason -> number of rows that were left out (of either frame); only reasons that occur."""


def encode(solution: Frame, submission: Frame) -> Problem:
    """Check both frames and turn them into arrays.

    Ground-truth rows without a step are unlabelled nights and are left out, as are detections with
    a null or NaN in any column, of a series without ground truth, or of an event class without
    ground truth. All are counted in ``Problem.ignored``. Raises InputError for missing columns,
    steps or scores that are not numbers, and a solution without events.
    """
    truth, dropped_truth = _read_truth(as_polars(solution, "solution"))
    dets, dropped_dets = _read_detections(as_polars(submission, "submission"))
    series = truth["series_id"].unique().sort()
    events = truth["event"].unique().sort()

    truth_series, truth_event = _codes(truth["series_id"], series), _codes(truth["event"], events)
    det_series, det_event = _codes(dets["series_id"], series), _codes(dets["event"], events)
    known_series, known_event = det_series >= 0, det_event >= 0
    truth_step = truth["step"].to_numpy()
    det_step, det_score = dets["step"].to_numpy(), dets["score"].to_numpy()

    arrays = {}
    for code, event in enumerate(events):
        of_truth = truth_event == code
        of_dets = (det_event == code) & known_series
        arrays[event] = event_arrays(
            truth_series[of_truth],
            truth_step[of_truth],
            det_series[of_dets],
            det_step[of_dets],
            det_score[of_dets],
            n_series=len(series),
        )
    ignored = dropped_truth | dropped_dets
    ignored["detections of series without events"] = int((~known_series & known_event).sum())
    ignored["detections of events that do not occur in the solution"] = int((~known_event).sum())
    return Problem(
        series=tuple(series),
        events=arrays,
        n_detections=int((known_series & known_event).sum()),
        ignored={reason: count for reason, count in ignored.items() if count},
    )


def event_arrays(
    truth_series: Int[np.ndarray, " N"],
    truth_step: Float[np.ndarray, " N"],
    det_series: Int[np.ndarray, " D"],
    det_step: Float[np.ndarray, " D"],
    det_score: Float[np.ndarray, " D"],
    *,
    n_series: int,
) -> EventArrays:
    """One class as `EventArrays`, from series and steps in any order."""
    n_truth = np.bincount(truth_series, minlength=n_series)
    order = np.lexsort((truth_step, truth_series))
    truth_series, truth_step = truth_series[order], truth_step[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(truth_step) != 0) | (np.diff(truth_series) != 0)
    turn = _turn(det_series, det_step, det_score, n_series)
    return EventArrays(
        truth_series=truth_series[new],
        truth_step=truth_step[new],
        n_truth=n_truth,
        det_series=det_series[turn],
        det_step=det_step[turn],
        det_score=det_score[turn],
    )


def _turn(
    series: Int[np.ndarray, " D"],
    step: Float[np.ndarray, " D"],
    score: Float[np.ndarray, " D"],
    n_series: int,
) -> Int[np.ndarray, " D"]:
    """Order of detections by series, falling score and step."""
    order = np.argsort(-score)
    order = order[stable_order(series[order], n_series)]
    tied = (np.diff(series[order]) == 0) & (score[order][1:] == score[order][:-1])
    return np.lexsort((step, -score, series)) if tied.any() else order


def stable_order(numbers: Int[np.ndarray, " N"], below: int) -> Int[np.ndarray, " N"]:
    """Stable argsort of integers from 0 to ``below``; in linear time where 16 bits hold them."""
    fits = below <= np.iinfo(np.uint16).max
    return np.argsort(numbers.astype(np.uint16) if fits else numbers, kind="stable")


def check_tolerances(
    tolerances: Sequence[float] | Mapping[str, Sequence[float]], events: Sequence[str]
) -> dict[str, Float[np.ndarray, " tolerances"]]:
    """Event -> ascending tolerances in steps, for each event class of the ground truth.

    Raises InputError if an event has none, or one is repeated, NaN or not positive.
    """
    if isinstance(tolerances, Mapping):
        missing = sorted(set(events) - set(tolerances))
        if missing:
            raise InputError(
                f"tolerances name {sorted(tolerances)} but the solution also has events {missing}; "
                "give tolerances for each event of the solution."
            )
        by_event = {event: tolerances[event] for event in events}
    else:
        by_event = dict.fromkeys(events, tolerances)
    checked = {}
    for event, values in by_event.items():
        array = np.sort(np.asarray(values, np.float64).ravel())
        if not len(array) or not (array > 0).all() or (np.diff(array) == 0).any():
            raise InputError(
                f"tolerances of {event!r} are {list(values)}; "
                "they must be one or more distinct positive numbers of steps."
            )
        checked[event] = array
    return checked


def _require_numbers(frame: pl.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        values = frame[column]
        if values.dtype.is_numeric() or values.null_count() == len(values):
            continue
        hint = ""
        if values.dtype == pl.String:
            wrong = values.cast(pl.Float64, strict=False).is_null() & values.is_not_null()
            row = int(wrong.arg_max() or 0)
            hint = f", first in row {row + 1}: {values[row]!r}"
        raise InputError(
            f"{name} column {column!r} holds {values.dtype} values{hint}; it must hold numbers."
        )


def _read_truth(solution: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    require_columns(solution.columns, TRUTH_COLUMNS, "solution")
    _require_numbers(solution, ("step",), "solution")
    truth = solution.select(
        pl.col("series_id", "event").cast(pl.String), pl.col("step").cast(pl.Float64)
    )
    labelled = truth.filter(pl.col("step").is_not_null() & pl.col("step").is_not_nan())
    events = labelled.filter(~pl.col("event").is_in(RESERVED).fill_null(False))
    if events.is_empty():
        raise InputError(
            f"solution has no events: of {len(solution)} rows, "
            f"{len(truth) - len(labelled)} have no step. The score needs at least one."
        )
    bad = events.filter(
        pl.col("series_id").is_null() | pl.col("event").is_null() | pl.col("step").is_infinite()
    )
    if len(bad):
        raise InputError(
            f"solution has {len(bad)} events without a series_id, an event or a finite step, "
            f"first: {bad.row(0)}; remove or repair these rows."
        )
    return events, {
        "unlabelled solution rows (no step)": len(truth) - len(labelled),
        "solution rows 'start' or 'end'": len(labelled) - len(events),
    }


def _read_detections(submission: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    require_columns(submission.columns, DETECTION_COLUMNS, "submission")
    _require_numbers(submission, ("step", "score"), "submission")
    # The official scorer drops a detection with a missing value in any column, needed or not.
    present = [
        pl.col(name).is_not_null() & pl.col(name).is_not_nan()
        if dtype.is_float()
        else pl.col(name).is_not_null()
        for name, dtype in submission.schema.items()
    ]
    dets = submission.filter(pl.all_horizontal(present)).select(
        pl.col("series_id", "event").cast(pl.String), pl.col("step", "score").cast(pl.Float64)
    )
    return dets, {"detections with a missing value": len(submission) - len(dets)}


def _codes(names: pl.Series, known: pl.Series) -> Int[np.ndarray, " rows"]:
    """Index of each name among the known ones, -1 where it is none of them."""
    codes = names.cast(pl.Enum(known), strict=False).to_physical()
    return codes.cast(pl.Int32).fill_null(-1).to_numpy()
