"""A model's worst mistakes: false alarms, misses, and events found far from their place."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from sleepjax.figures.palette import COLOURS, DARK, bare, picture
from sleepjax.metrics import APResult
from sleepjax.metrics.bootstrap import of_each_series
from sleepjax.types import STEPS_PER_MINUTE

SCHEMA = {
    "series_id": pl.String, "event": pl.String, "step": pl.Float64, "detection": pl.Float64,
    "score": pl.Float64, "error": pl.Float64,
}  # fmt: skip

PARTICIPANTS = {
    "series_id": pl.String, "events": pl.Int64, "ap": pl.Float64, "median_error": pl.Float64,
    "missed": pl.Int64, "false_alarms": pl.Int64,
}  # fmt: skip


def widest(result: APResult) -> Iterator[tuple[str, float]]:
    """(event, widest tolerance) of each event."""
    for event in result.per_event:
        yield event, max(tolerance for name, tolerance in result.table if name == event)


def false_alarms(result: APResult) -> pl.DataFrame:
    """Detections that no event is near to at the widest tolerance, the surest first.

    Columns as `APResult.matches` without the tolerance; ``step`` and ``error`` are null.
    """
    return _unmatched(result, "det").sort("score", descending=True, maintain_order=True)


def misses(result: APResult) -> pl.DataFrame:
    """Events without a detection at the widest tolerance, in order of series and step."""
    return _unmatched(result, "truth").sort("series_id", "step", "event")


def offsets(result: APResult) -> pl.DataFrame:
    """Matches at the widest tolerance, the farthest first; ``error`` in steps, late positive."""
    keys = pl.DataFrame(
        list(widest(result)), {"event": pl.String, "tolerance": pl.Float64}, orient="row"
    )
    matches = result.matches.join(keys, on=["event", "tolerance"], how="semi")
    order = pl.col("error").abs()
    return matches.select(list(SCHEMA)).sort(order, descending=True, maintain_order=True)


def _unmatched(result: APResult, side: str) -> pl.DataFrame:
    """Detections (``det``) or events (``truth``) left over at the widest tolerance."""
    series = pl.Series("series_id", result.problem.series, dtype=pl.String)
    parts = []
    for event, tolerance in widest(result):
        arrays, pairs = result.problem.events[event], result.pairs[event, tolerance]
        step = arrays.det_step if side == "det" else arrays.truth_step
        number = arrays.det_series if side == "det" else arrays.truth_series
        left = np.setdiff1d(np.arange(len(step)), getattr(pairs, side))
        known = {"detection": step, "score": arrays.det_score} if side == "det" else {"step": step}
        part = pl.DataFrame({name: values[left] for name, values in known.items()})
        parts.append(part.with_columns(series.gather(number[left]), event=pl.lit(event)))
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts], how="diagonal_relaxed")


def participants(result: APResult) -> pl.DataFrame:
    """One row per series with labels, the lowest score first.

    Columns: series_id, events, ap, median_error (minutes, over both kinds), missed, false_alarms
    (at least as sure as half of the detections that are right; null without a right one).
    """
    rows = []
    found, missed, alarms = offsets(result), misses(result), false_alarms(result)
    sure = found["score"].median()
    labels = np.sum([arrays.n_truth for arrays in result.problem.events.values()], axis=0)
    each = zip(result.problem.series, labels, of_each_series(result), strict=True)
    for series_id, n, ap in each:
        own, left, other = (one.filter(series_id=series_id) for one in (found, missed, alarms))
        error: Any = own["error"].abs().median()  # None of none
        alarming = None if sure is None else len(other.filter(pl.col("score") >= sure))
        minutes = None if error is None else error / STEPS_PER_MINUTE
        rows.append((series_id, n, ap, minutes, len(left), alarming))
    return pl.DataFrame(rows, schema=PARTICIPANTS, orient="row").sort("ap", "series_id")


def error_figure(found: pl.DataFrame, event: str) -> Figure:
    """Histogram of detection minus event in minutes, from the rows of `offsets`."""
    error = found.filter(event=event)["error"].to_numpy() / STEPS_PER_MINUTE
    figure = picture(4.4, 3.0, layout=None)
    figure.subplots_adjust(left=0.14, right=0.97, top=0.9, bottom=0.17)
    axis = figure.subplots()
    axis.hist(
        error, bins=np.linspace(-30, 30, 41).tolist(), color=COLOURS[event], ec="white", lw=0.4
    )
    axis.axvline(0, color=DARK, lw=1)
    words = f": median {np.median(error):+.1f} min" if len(error) else ": nothing matched"
    axis.set_title(event + words, fontsize=10, color=DARK)
    axis.set(
        xlim=(-30, 30),
        xticks=range(-30, 31, 10),
        xlabel="minutes early (-) or late (+)",
        ylabel="matched events",
    )
    bare(axis)
    return figure
