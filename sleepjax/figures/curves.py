"""Figures of a run: nights of a series with what was found, precision-recall, learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sleepjax.data.compact import true_runs
from sleepjax.figures.palette import COLOURS, DARK, GREY, SHADE, bare, picture
from sleepjax.figures.shown import DAY, MIN_SCORE, View, of_validation
from sleepjax.metrics import APResult
from sleepjax.types import (
    CLASSES,
    EVENTS,
    STEP_SECONDS,
    STEPS_PER_HOUR,
    STEPS_PER_MINUTE,
    TOLERANCES,
)

if TYPE_CHECKING:
    from sleepjax.data.source import TrainingData
    from sleepjax.evaluation.event_ap import Evaluation

SHORTEST_NOTE = 4 * STEPS_PER_HOUR
"""Shorter stretches without labels are not named."""
MOST_DAYS = 14


def nights_figure(view: View, title: str) -> Figure:
    """One row per day from noon to noon, local clock: signal, P(asleep), true and found events.

    Days after the first `MOST_DAYS` are left out, and the title says so. Found events are the more
    solid, the higher their score; those below `MIN_SCORE` are not drawn.

    Args:
      view: the recording with what was found; of its labels, stretches that the annotators left
        empty are marked *not labelled*.
      title: shown above; says *simulated* for simulated data.
    """
    assert view.probabilities is not None
    asleep = view.probabilities[:, CLASSES.index("asleep")]
    labels, anglez, enmo, valid = view.recording.labels, view.anglez, view.enmo, view.valid
    clock = view.clock - DAY // 2  # days begin at noon
    day = clock // DAY - clock[0] // DAY
    days = int(min(day[-1] + 1, MOST_DAYS))
    figure = picture(11, 1.3 + 0.75 * days)
    if day[-1] + 1 > days:
        title += f" (first {days} of {day[-1] + 1} days)"
    figure.suptitle(title, fontsize=11, color=DARK)
    axes = figure.subplots(days, 1, sharex=True, squeeze=False)[:, 0]
    low, high = np.nanpercentile(anglez[valid], [0.5, 99.5]) if valid.any() else (-1, 1)
    top = np.nanpercentile(enmo[valid], 99.5) if valid.any() else 1
    for k, axis in enumerate(axes):
        rows = np.flatnonzero(day == k)[:: STEPS_PER_MINUTE // 4]
        if len(rows) == 0:
            axis.set_axis_off()
            continue
        hour = (clock[rows] % DAY) / 3600
        shown = np.where(valid[rows], 1.0, np.nan)
        angle = np.clip((anglez[rows] - low) / max(high - low, 1e-9), 0, 1)
        moved = np.clip((enmo[rows] - np.nanmin(enmo)) / max(top - np.nanmin(enmo), 1e-9), 0, 1)
        axis.fill_between(hour, 0, 1, where=view.copied[rows], color=SHADE, lw=0)
        axis.fill_between(hour, 0, 0.45 * moved * shown, color=DARK, lw=0, alpha=0.6)
        axis.plot(hour, (0.45 + 0.5 * angle) * shown, color=GREY, lw=0.4)
        axis.fill_between(hour, 0, asleep[rows] * shown, color=COLOURS["asleep"], alpha=0.35, lw=0)
        if labels is not None:
            _draw_unlabelled(axis, clock, (day == k) & ~np.asarray(labels.known))
        _draw_events(axis, view, clock, day == k)
        label = np.datetime64(int(clock[rows[0]]) // DAY, "D").astype(object)  # of its noon
        axis.set_ylabel(
            f"{label:%a %d}\n{label:%b %Y}", rotation=0, ha="right", va="center", fontsize=8
        )
        axis.set(xlim=(0, 24), ylim=(0, 1.12), yticks=[])
        bare(axis, "left")
    ticks = np.arange(0, 25, 3)
    axes[-1].set_xticks(ticks, [f"{(12 + t) % 24:02d}:00" for t in ticks], fontsize=8)
    axes[-1].set_xlabel("local clock", fontsize=8)
    _legend(figure, bool(view.copied.any()), view.truth is not None)
    return figure


def _draw_unlabelled(axis: Axes, clock: np.ndarray, rows: np.ndarray) -> None:
    """A line with two words over the longer stretches of ``rows``, bool [T], of one day."""
    for low, high in true_runs(rows):
        if high - low >= SHORTEST_NOTE:
            begin, end = (clock[[low, high - 1]] % DAY) / 3600
            axis.hlines(0.98, begin, end, color=DARK, lw=1, ls=(0, (1, 2)))
            axis.text(
                (begin + end) / 2, 0.98, "not labelled", fontsize=7, color=DARK, ha="center",
                va="center", bbox={"fc": "white", "ec": "none", "pad": 1},
            )  # fmt: skip


def _draw_events(axis: Axes, view: View, clock: np.ndarray, today: np.ndarray) -> None:
    """True events as solid lines, found ones as triangles at the top whose opacity is the score."""
    for event in EVENTS:
        rows, _ = view.rows(view.truth, event)
        hours = (clock[rows[today[rows]]] % DAY) / 3600
        axis.vlines(hours, 0, 1, color=COLOURS[event], lw=1.6)
        rows, scores = view.rows(view.found, event)
        strong = today[rows] & (scores >= MIN_SCORE)
        rgba = np.tile(to_rgba(COLOURS[event]), (int(strong.sum()), 1))
        rgba[:, 3] = np.clip(scores[strong], 0.15, 1.0)
        hours = (clock[rows[strong]] % DAY) / 3600
        height = np.full(len(hours), 1.05)
        axis.scatter(hours, height, marker="v", s=34, c=rgba, lw=0, clip_on=False, zorder=5)


def _legend(figure: Figure, has_copies: bool, has_truth: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=GREY, lw=1, label="arm angle"),
        Patch(color=DARK, alpha=0.6, label="movement"),
        Patch(color=COLOURS["asleep"], alpha=0.35, label="P(asleep)"),
    ]
    if has_copies:
        handles.append(Patch(color=SHADE, label="copy of another day"))
    for event in EVENTS:
        if has_truth:
            handles.append(Line2D([], [], color=COLOURS[event], lw=2, label=f"true {event}"))
        handles.append(
            Line2D([], [], color=COLOURS[event], marker="v", ls="", label=f"found {event}")
        )
    paler = {"color": COLOURS["onset"], "alpha": 0.3, "marker": "v", "ls": ""}
    handles.append(Line2D([], [], **paler, label="the paler, the lower the score"))
    ncols = 6 if len(handles) <= 6 else 5
    figure.legend(
        handles=handles, loc="outside lower center", ncols=ncols, fontsize=8, frameon=False
    )


def precision_recall_figure(result: APResult, title: str) -> Figure:
    """One panel per event: precision over recall at every tolerance."""
    figure = picture(11, 4)
    figure.suptitle(title, fontsize=11, color=DARK)
    axes = figure.subplots(1, len(EVENTS), sharey=True)
    shades = np.linspace(0.25, 1.0, len(TOLERANCES))
    for axis, event in zip(axes, EVENTS, strict=True):
        for shade, tolerance in zip(shades, TOLERANCES, strict=True):
            if (event, tolerance) not in result.curves:
                continue
            curve = result.curves[event, tolerance]
            minutes = tolerance * STEP_SECONDS / 60
            axis.plot(
                curve.recall,
                curve.precision,
                color=COLOURS[event],
                alpha=shade,
                lw=1.3,
                label=f"{minutes:g} min: {result.table[event, tolerance]:.2f}",
            )
        axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", title=event)
        bare(axis)
        if axis.has_data():
            axis.legend(
                fontsize=7, frameon=False, title="tolerance: AP", title_fontsize=7,
                loc="upper left", bbox_to_anchor=(1.0, 1.0),
            )  # fmt: skip
    axes[0].set_ylabel("precision")
    return figure


def learning_figure(rows: Sequence[Mapping[str, float]], title: str) -> Figure:
    """Losses and event AP over steps, from the lines of metrics.jsonl."""
    figure = picture(9, 3.6)
    figure.suptitle(title, fontsize=11, color=DARK)
    left, right = figure.subplots(1, 2)
    curves = (
        (left, "train/loss", "training", GREY),
        (left, "valid/loss", "validation", DARK),
        (right, "valid/event_ap", "mean", DARK),
        (right, "valid/event_ap/onset", "onset", COLOURS["onset"]),
        (right, "valid/event_ap/wakeup", "wakeup", COLOURS["wakeup"]),
    )
    for axis, key, label, colour in curves:
        points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
        if points:
            marker = "o" if len(points) < 30 else ""
            axis.plot(*zip(*points, strict=True), label=label, color=colour, marker=marker, ms=3)
    left.set(xlabel="step", title="loss (BCE per output)", yscale="log")
    right.set(xlabel="step", title="validation event AP", ylim=(0, 1))
    for axis in (left, right):
        bare(axis)
        if axis.has_data():
            axis.legend(fontsize=8, frameon=False)
    return figure


def curves(
    evaluation: Evaluation, history: Sequence[Mapping[str, float]], title: str
) -> Iterator[tuple[str, Figure]]:
    """(name, figure) of an evaluation: learning curve so far, precision and recall."""
    yield "learning_curve", learning_figure(history, title)
    yield "precision_recall", precision_recall_figure(evaluation.result, title)


MOST_NIGHTS = 40
"""Validation series of a run that are drawn by themselves; scripts/plot.py draws any number."""


def nights(data: TrainingData, evaluation: Evaluation, title: str) -> Iterator[tuple[str, Figure]]:
    """(name, figure): the nights of each validation series, of the first `MOST_NIGHTS`."""
    if len(data.valid) > MOST_NIGHTS:
        title += f", {MOST_NIGHTS} of {len(data.valid)} series are drawn"
    for one in data.valid[:MOST_NIGHTS]:
        series_id = one.meta.series_id
        view = of_validation(one, data.solution, evaluation)
        yield f"nights_{series_id}", nights_figure(view, f"{series_id[:40]}, {title}")
