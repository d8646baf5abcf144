"""The report of an evaluation: how good, how sure, how wrong and where, in one HTML file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sleepjax.evaluation.calibration import Reliability, reliability, reliability_figure
from sleepjax.figures import mistakes
from sleepjax.figures.curves import precision_recall_figure
from sleepjax.figures.night import stretch_figure
from sleepjax.figures.page import bullets, image, page, row, table
from sleepjax.figures.palette import COLOURS, DARK
from sleepjax.figures.shown import View, of_validation
from sleepjax.io import write_text
from sleepjax.metrics import APResult, Bootstrap, resample
from sleepjax.text import counted
from sleepjax.types import CLASSES, STEPS_PER_HOUR, STEPS_PER_MINUTE

if TYPE_CHECKING:
    from sleepjax.data.source import TrainingData
    from sleepjax.evaluation.event_ap import Evaluation

FILE = "report.html"
SHOWN = {
    "precision_recall": (
        "Precision and recall", "Precision over recall; one line per error allowed.",
    ),
    "learning_curve": ("Learning curve", "Loss and event AP over the steps of training."),
}  # fmt: skip
"""Name of a picture of `curves.curves` -> heading, words below."""
AROUND = 4 * STEPS_PER_HOUR
"""Steps that are shown on either side of a mistake."""
WORST = 5
"""Most mistakes of a kind that are shown; at least one for each ten labelled events."""
ALONE = 12 * STEPS_PER_HOUR


def write(
    workdir: Path, data: TrainingData, evaluation: Evaluation, settings: Any, title: str
) -> Path:
    """Write ``report.html`` of a run directory, with its pictures, run.json and ``settings``."""
    recordings = {one.meta.series_id: one for one in data.valid}
    pictures = {name: (workdir / "figures" / f"{name}.png").read_bytes() for name in SHOWN}
    facts = json.loads((workdir / "run.json").read_text(encoding="utf-8"))
    html = build(
        title,
        data.solution,
        evaluation.result,
        resample(evaluation.result),
        simulated=data.simulated,
        view=lambda name: of_validation(recordings[name], data.solution, evaluation),
        asleep=_asleep_reliability(data, evaluation),
        pictures=pictures,
        config=json.loads(settings.to_json()),
        facts=facts,
    )
    path = workdir / FILE
    write_text(path, html)  # an open browser sees the old page or the new one
    return path


def build(
    title: str,
    solution: pl.DataFrame,
    result: APResult,
    boot: Bootstrap,
    *,
    simulated: bool = False,
    view: Callable[[str], View] | None = None,
    asleep: Reliability | None = None,
    pictures: Mapping[str, bytes] | None = None,
    config: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> str:
    """The page as text. What is not given (signals, steps, config) is left out of it.

    Args:
      title: heading.
      solution: true events (series_id, event, step).
      result: `metrics.evaluate` of them and what was found.
      boot: `metrics.resample` of that.
      simulated: says so at the top.
      view: series id -> what to draw of it around mistakes.
      asleep: reliability of P(asleep) over all steps.
      pictures: name, one of `SHOWN`, -> PNG file; precision and recall are drawn without.
      config: of the run.
      facts: contents of run.json.
    """
    drawn = pictures or {"precision_recall": precision_recall_figure(result, title)}
    sections = [("Score", _score(result, boot))]
    for name, picture in drawn.items():
        heading, words = SHOWN[name]
        sections.append((heading, image(picture, words)))
    sections.append(("Calibration", _calibration(result, asleep)))
    sections.append(("How far off", _errors(result)))
    sections.append(("Worst mistakes", _mistakes(result, solution, view)))
    sections.append(("Participants", _participants(result)))
    if config:
        sections.append(("Settings", _settings(config, facts or {})))
    low, high = boot.interval()
    lead = '<p class="warning"><b>Simulated data.</b> ' * simulated
    lead += "These scores say that the machinery works and nothing about people.</p>" * simulated
    lead += (
        f'<p><span class="big">{result.ap:.3f}</span> event-detection AP, 95 % interval '
        f"{low:.3f} to {high:.3f} ({len(boot.samples)} draws of {result.n_series} series)</p>"
    )
    return page(title, lead, sections)


def _score(result: APResult, boot: Bootstrap) -> str:
    events = list(result.per_event)

    def cell(event: str, tolerance: float | None, value: float | None) -> str | None:
        if value is None:
            return None
        low, high = boot.interval(event=event, tolerance=tolerance)
        return f"{value:.3f} ({low:.2f} to {high:.2f})"

    rows = [
        [f"{t / STEPS_PER_MINUTE:g} min", *(cell(e, t, result.table.get((e, t))) for e in events)]
        for t in sorted({t for _, t in result.table})
    ]
    rows.append(["mean", *(cell(e, None, result.per_event[e]) for e in events)])
    left_out = bullets(f"{escape(why)}: {count:,}" for why, count in result.ignored.items())
    return (
        "<p>Average precision: 1 is perfect. An event counts as found when a detection lies closer "
        "than the error allowed; in brackets the 95 % interval from resampling participants.</p>"
        + table(["error below", *events], rows)
        + f"<p><small>{counted(result.n_detections, 'detection')} scored against "
        f"{counted(sum(result.n_events.values()), 'event')} of {result.n_series} series.</small>"
        + "</p>"
        + (f"<p><small>Left out of the score:</small></p>{left_out}" if left_out else "")
    )


def _asleep_reliability(data: TrainingData, evaluation: Evaluation) -> Reliability:
    """P(asleep) against the labels, over the steps whose labels are known."""
    probability, outcome = [], []
    for one in data.valid:
        assert one.labels is not None
        known = np.asarray(one.labels.known) & np.asarray(one.valid)
        asleep = evaluation.probabilities[one.meta.series_id][:, CLASSES.index("asleep")]
        probability.append(asleep[known])
        outcome.append(np.asarray(one.labels.asleep)[known])
    return reliability(np.concatenate(probability), np.concatenate(outcome))


def _calibration(result: APResult, asleep: Reliability | None) -> str:
    curves = {} if asleep is None else {"asleep": asleep}
    for event, tolerance in mistakes.widest(result):
        arrays, pairs = result.problem.events[event], result.pairs[event, tolerance]
        right = np.zeros(len(arrays.det_score), bool)
        right[pairs.det] = True
        curves[event] = reliability(np.clip(arrays.det_score, 0, 1), right)
    rows = [
        [name, int(c.count.sum()), _number(c.ece), _number(c.brier)] for name, c in curves.items()
    ]
    return (
        "<p>Dots on the dotted line mean what they say: of what is given 70 %, 70 % is true. "
        "For <i>asleep</i> every step with a known label counts; for onset and wakeup every "
        "detection, true when it is matched at the widest error allowed.</p>"
        + row(
            {
                f"How often {name} was right, and how often each probability was given.": (
                    reliability_figure(name, curve, COLOURS.get(name, DARK))
                )
                for name, curve in curves.items()
            }
        )
        + table(["", "cases", "mean gap (ECE)", "Brier score"], rows)
    )


def _errors(result: APResult) -> str:
    rows = []
    for event, e in result.errors.items():
        q = e.quantiles
        half = f"{_number(q[0.25], 1)} to {_number(q[0.75], 1)}" if e.n else None
        cells = [_number(e.median, 1), half, _number(q[0.95], 1), _number(e.bias, 1)]
        rows.append([event, result.n_events[event], e.n, *cells])
    head = ["", "events", "matched", "median min", "middle half", "95 % below", "bias"]
    found = mistakes.offsets(result)
    return row(
        {f"Found {e} minus label.": mistakes.error_figure(found, e) for e in result.errors}
    ) + table(head, rows)


def _number(value: float, digits: int = 3) -> str | None:
    return None if math.isnan(value) else f"{value:.{digits}f}"


def _mistakes(result: APResult, solution: pl.DataFrame, view: Callable[[str], View] | None) -> str:
    most = min(WORST, max(1, sum(result.n_events.values()) // 20))
    labelled = solution.drop_nulls("step")
    false = "Detections that no label was left for within the widest error allowed, sure or not:"
    missed = "Labelled events that nothing was matched to:"
    far = "Matched, but far from the label:"
    parts = []
    for name, words, rows, place in (
        ("Surest false alarms", false, mistakes.false_alarms(result), "detection"),
        ("Misses", missed, mistakes.misses(result), "step"),
        ("Largest offsets", far, mistakes.offsets(result), "step"),
    ):
        shown = "; the worst are shown" if len(rows) > most else ""
        parts.append(f"<h3>{name}</h3><p>{words} {len(rows)} in all{shown}.</p>")
        for mistake in _spread(rows, most).to_dicts():
            parts.append(_mistake(mistake, int(mistake[place]), labelled, view))
    return "\n".join(parts)


def _spread(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """The first rows, at most two of a series as long as there are other series."""
    rank = pl.int_range(pl.len()).over("series_id") // 2
    return rows.with_columns(_rank=rank).sort("_rank", maintain_order=True).head(most).drop("_rank")


def _mistake(
    mistake: Mapping[str, Any],
    step: int,
    labelled: pl.DataFrame,
    view: Callable[[str], View] | None,
) -> str:
    """Words on one mistake, and its picture where the signals are known."""
    words = f"{mistake['event']} in {mistake['series_id']}"
    if mistake["score"] is not None:
        words += f", score {mistake['score']:.2f}"
    if mistake["error"] is not None:
        words += f", {abs(mistake['error']) / STEPS_PER_MINUTE:.1f} min "
        words += "late" if mistake["error"] > 0 else "early"
    if view is None:
        place, figure = f"step {step}", None
    else:
        one = view(mistake["series_id"])
        middle = step - one.meta.first_step
        when = np.datetime64(int(one.clock[middle]), "s").astype(object)
        place = f"{when:%a %d %b %Y, %H:%M}"
        begin, end = max(middle - AROUND, 0), min(middle + AROUND, one.meta.n_steps)
        figure = stretch_figure(one, begin, end, place, size=(8, 4.4))
    words += f", {place}"
    near = labelled.filter(series_id=mistake["series_id"])["step"].cast(pl.Float64) - step
    if len(near) == 0 or near.abs().min() > ALONE:  # type: ignore
        words += "; no label within 12 h: the night may not have been labelled"
    return f"<p>{escape(words)}.</p>" if figure is None else image(figure, words + ".")


def _participants(result: APResult) -> str:
    rows = [
        [series_id, n, f"{ap:.3f}", None if error is None else f"{error:.1f}", missed, alarms]
        for series_id, n, ap, error, missed, alarms in mistakes.participants(result).iter_rows()
    ]
    return (
        "<p>The lowest score first. A false alarm counts here when it is at least as sure as half "
        "of the detections that are right.</p>"
        + table(["series", "labels", "AP", "median error, min", "missed", "false alarms"], rows)
    )


def _settings(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    known = {k: facts[k] for k in ("sleepjax", "git_commit", "python", "versions") if k in facts}
    dump = lambda value: f"<pre>{escape(json.dumps(value, indent=1))}</pre>"
    return f"<p>config.json</p>{dump(dict(config))}<p>Made with</p>{dump(known)}"
