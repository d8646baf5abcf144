"""The score as a table for people and as a dictionary for programs."""

from typing import Any

import polars as pl

from sleepjax.config import nearest
from sleepjax.metrics.ap import APResult
from sleepjax.metrics.bootstrap import Bootstrap
from sleepjax.text import columns, counted
from sleepjax.types import EVENTS, STEPS_PER_MINUTE


def doubts(result: APResult, submission: pl.DataFrame) -> list[str]:
    """What makes one doubt that the right two files were scored, in a line each."""
    lines = []
    for name, found in (
        ("events", list(result.per_event)),
        ("submission", submission["event"].cast(pl.String).drop_nulls().unique().sort()),
    ):
        unknown = [event for event in found if event not in EVENTS]
        if unknown:
            hint = nearest(unknown[0].lower(), EVENTS)
            known = " and ".join(EVENTS)
            lines.append(f"{name}: event is {unknown[0]!r}{hint} Sleep events are called {known}.")
    twice = sum(int(a.n_truth.sum()) - len(a.truth_step) for a in result.problem.events.values())
    if twice:
        rows = counted(twice, "row repeats an event", "rows repeat an event")
        lines.append(f"events: {rows}; an event is found once, its repetition counts as missed.")
    left_out = len(submission) - result.n_detections
    if 2 * left_out > len(submission):
        ids = submission["series_id"].cast(pl.String).drop_nulls()
        others = ids.filter(~ids.is_in(result.problem.series))
        example = (
            f", such as {others[0]!r} (not {result.problem.series[0]!r})" if len(others) else ""
        )
        detections = counted(len(submission), "detection")
        lines.append(
            f"left out of the score: {left_out} of {detections}{example}; do the two files belong "
            "together?"
        )
    return lines


def as_dict(result: APResult, boot: Bootstrap) -> dict[str, Any]:
    """All that `as_text` shows, in plain types; AP under the keys of metrics.jsonl."""
    values = {"event_ap": result.ap}
    values |= {f"event_ap/{event}": ap for event, ap in result.per_event.items()}
    values |= {f"event_ap/{event}@{tol}": ap for (event, tol), ap in result.table.items()}
    intervals = {"event_ap": boot.interval()}
    intervals |= {f"event_ap/{event}": boot.interval(event=event) for event in result.per_event}
    errors = {
        event: {
            "matched": e.n,
            "median": e.median if e.n else None,
            "bias": e.bias if e.n else None,
            "quantiles": {str(q): v if e.n else None for q, v in e.quantiles.items()},
        }
        for event, e in result.errors.items()
    }
    return values | {
        "interval_95": intervals,
        "error_minutes": errors,
        "n_series": result.n_series,
        "n_events": result.n_events,
        "n_detections": result.n_detections,
        "ignored": result.ignored,
    }


def as_text(result: APResult, boot: Bootstrap) -> str:
    """A readable account of the score, some 20 lines."""
    low, high = boot.interval()
    lines = [
        f"event-detection AP {result.ap:.4f}   95 % interval {low:.4f} to {high:.4f} "
        f"({len(boot.samples)} draws of {result.n_series} series)",
        "",
        *_ap_table(result, boot),
        "",
        *_error_table(result),
        "",
        f"scored: {counted(result.n_detections, 'detection')} in {result.n_series} series",
    ]
    lines += [f"left out: {reason}: {count:,}" for reason, count in result.ignored.items()]
    return "\n".join(lines)


def _ap_table(result: APResult, boot: Bootstrap) -> list[str]:
    tolerances = sorted({tolerance for _, tolerance in result.table})
    rows = [
        ["error below, min", *(f"{t / STEPS_PER_MINUTE:g}" for t in tolerances), "mean", "95 %"]
    ]
    for event, mean in result.per_event.items():
        cells = (result.table.get((event, tolerance)) for tolerance in tolerances)
        low, high = boot.interval(event=event)
        rows.append(
            [
                event,
                *("" if cell is None else f"{cell:.3f}" for cell in cells),
                f"{mean:.4f}",
                f"{low:.3f} to {high:.3f}",
            ]
        )
    return columns(rows)


def _error_table(result: APResult) -> list[str]:
    rows = [["", "events", "matched", "median error", "middle half", "95 % below", "bias"]]
    for event, e in result.errors.items():
        row = [event, str(result.n_events[event]), str(e.n)]
        if e.n:
            q = e.quantiles
            row += [f"{e.median:.1f} min", f"{q[0.25]:.1f} to {q[0.75]:.1f}", f"{q[0.95]:.1f}"]
            row += [f"{e.bias:+.1f}"]
        rows.append(row)
    return columns(rows)
