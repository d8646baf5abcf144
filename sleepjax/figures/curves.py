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
NOON = DAY // 2
ROW = 1.42
"""Height of a day, of which 1 is the signals' and 1.12 ends above the triangles."""


def nights_figure(view: View, title: str) -> Figure:
    """One row per day from noon to noon, local clock: signal, P(asleep), true and found events.

    All rows are on one axis, a day below the other: a tenth as many parts as with an axis each.
    Days after the first `MOST_DAYS` are left out, and the title says so. Found events are the more
    solid, the higher their score; those below `MIN_SCORE` are not drawn. Stretches that the
    annotators left empty are marked *not labelled*.
    """
    every = int(_day(view).max()) + 1
    days = min(every, MOST_DAYS)
    figure = picture(11, 1.3 + 0.75 * days)
    if every > days:
        title += f" (first {days} of {every} days)"
    figure.suptitle(title, fontsize=11, color=DARK)
    axis = figure.subplots()
    _draw_signals(axis, view, days)
    for event in EVENTS:
        _draw_events(axis, view, event, days)
    if view.recording.labels is not None:
        _draw_unlabelled(axis, view, ~np.asarray(view.recording.labels.known), days)
    bases = -ROW * np.arange(days)
    axis.hlines(bases, 0, 24, color="black", lw=0.8)
    first = np.datetime64(int(view.clock.min() - NOON) // DAY, "D")
    names = [f"{day:%a %d}\n{day:%b %Y}" for day in (first + np.arange(days)).astype(object)]
    axis.set_yticks(bases + 0.5, names, fontsize=8)
    axis.set(xlim=(0, 24), ylim=(bases[-1], 1.12))
    axis.tick_params(left=False)
    bare(axis, "left", "bottom")
    ticks = np.arange(0, 25, 3)
    axis.set_xticks(ticks, [f"{(12 + t) % 24:02d}:00" for t in ticks], fontsize=8)
    axis.set_xlabel("local clock", fontsize=8)
    _legend(figure, bool(view.copied.any()), view.truth is not None)
    return figure


def _day(view: View) -> np.ndarray:
    """Row of the figure that each step is in, int64 [T]: days from noon to noon.

    A traveller's clock may go back from after noon to before it, and to an earlier day.
    """
    day = (view.clock - NOON) // DAY
    return day - day.min()


def _place(view: View, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hours after noon, height of the row of the day) of steps."""
    return (view.clock[rows] - NOON) % DAY / 3600, -ROW * _day(view)[rows]


def _draw_signals(axis: Axes, view: View, days: int) -> None:
    """Arm angle, movement and P(asleep) of every 15 s, with the shade of copies below them."""
    assert view.probabilities is not None
    day, valid = _day(view), view.valid
    seen = valid if valid.any() else np.ones(len(valid), bool)
    low, high = np.nanpercentile(view.anglez[seen], [0.5, 99.5])
    least, top = np.nanmin(view.enmo), np.nanpercentile(view.enmo[seen], 99.5)
    rows = np.flatnonzero(day < days)[:: STEPS_PER_MINUTE // 4]
    breaks = np.flatnonzero(np.diff(day[rows])) + 1  # no line goes from one row to the next
    broken = lambda values: np.insert(values.astype(np.float64), breaks, np.nan)
    hour, base = (broken(x) for x in _place(view, rows))
    shown = broken(np.where(valid[rows], 1.0, np.nan))
    part = lambda x, low, high: broken(np.clip((x[rows] - low) / max(high - low, 1e-9), 0, 1))
    filled = lambda height, **how: axis.fill_between(hour, base, base + height, lw=0, **how)
    filled(1.0, where=broken(view.copied[rows]) > 0, color=SHADE)
    filled(0.45 * part(view.enmo, least, top) * shown, color=DARK, alpha=0.6)
    angle = 0.45 + 0.5 * part(view.anglez, low, high)
    axis.plot(hour, base + angle * shown, color=GREY, lw=0.4)
    asleep = broken(view.probabilities[rows, CLASSES.index("asleep")])
    filled(asleep * shown, color=COLOURS["asleep"], alpha=0.35)


def _draw_unlabelled(axis: Axes, view: View, unknown: np.ndarray, days: int) -> None:
    """A line with two words over the longer stretches without labels, bool [T], of each day."""
    day = _day(view)
    for low, high in (pair for k in range(days) for pair in true_runs(unknown & (day == k))):
        if high - low >= SHORTEST_NOTE:
            (begin, end), (base, _) = _place(view, np.array([low, high - 1]))
            axis.hlines(base + 0.98, begin, end, color=DARK, lw=1, ls=(0, (1, 2)))
            axis.text(
                (begin + end) / 2, base + 0.98, "not labelled", fontsize=7, color=DARK, ha="center",
                va="center", bbox={"fc": "white", "ec": "none", "pad": 1},
            )  # fmt: skip


def _draw_events(axis: Axes, view: View, event: str, days: int) -> None:
    """True events as solid lines, found ones as triangles at the top whose opacity is the score."""
    drawn = lambda rows: _day(view)[rows] < days
    rows, _ = view.rows(view.truth, event)
    hours, bases = _place(view, rows[drawn(rows)])
    axis.vlines(hours, bases, bases + 1, color=COLOURS[event], lw=1.6)
    rows, scores = view.rows(view.found, event)
    strong = drawn(rows) & (scores >= MIN_SCORE)
    rgba = np.tile(to_rgba(COLOURS[event]), (int(strong.sum()), 1))
    rgba[:, 3] = np.clip(scores[strong], 0.15, 1.0)
    hours, bases = _place(view, rows[strong])
    axis.scatter(hours, bases + 1.05, marker="v", s=34, c=rgba, lw=0, clip_on=False, zorder=5)


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
