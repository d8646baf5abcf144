"""The double-plotted actogram: a recording at a glance, a day per row, by its own local clock."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sleepjax.data.compact import true_runs
from sleepjax.figures.night import night_figure
from sleepjax.figures.palette import COLOURS, DARK, GREY, NAP, SLEEP, bare, picture
from sleepjax.figures.shown import DAY, HOUR, MIN_SCORE, SHADES, View, of_frame
from sleepjax.types import CLASSES, EVENTS, STEPS_PER_MINUTE

BIN = 2 * STEPS_PER_MINUTE
"""Steps per point that is drawn; a pixel is about as wide."""
FULL = 0.3
"""g; more movement than that is drawn as that."""
MARKERS = {"onset": "v", "wakeup": "^"}


def plot(
    series: pl.DataFrame,
    events: pl.DataFrame | None = None,
    *,
    truth: pl.DataFrame | None = None,
    night: str | None = None,
    tz: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one recording as an actogram, or one of its nights in detail.

    Args:
      series: one series with the columns series_id, step, timestamp, anglez and enmo.
      events: what was found (event, step, score); without a column score they count as labels.
      truth: labels (event, step), when both are to be drawn.
      night: the date of the evening, such as ``"2018-08-14"``: draw that night alone.
      tz: IANA zone of the wall clock, where timestamps carry no UTC offset or are UTC.
      title: by default the name of the series.

    Returns a matplotlib Figure; a notebook shows it, ``savefig("night.svg")`` writes it.
    Raises InputError for frames that cannot be used and for a night that was not recorded.

    Examples:
      >>> import sleepjax
      >>> recordings, labels = sleepjax.simulate(days=2)
      >>> actogram = sleepjax.plot(recordings, labels)
      >>> evening = recordings["timestamp"][0][:10]
      >>> sleepjax.plot(recordings, labels, night=evening).savefig("night.svg")
    """
    view = of_frame(series, events, truth, tz)
    title = view.meta.series_id[:40] if title is None else title
    return actogram(view, title) if night is None else night_figure(view, night, title)


def actogram(view: View, title: str, *, max_days: int = 31) -> Figure:
    """Each row shows two days, its own and the next, so every night is seen whole once.

    The place in a row is the local clock: where the clock is put forward an hour does not exist and
    stays empty, where it is put back two hours share their place; both are marked. Days after the
    first ``max_days`` are left out, and the title says so.
    """
    first, total = int(view.day[0]), int(view.day[-1] - view.day[0] + 1)
    days = min(total, max_days)
    if total > days:
        title += f" (first {days} of {total} days)"
    figure = picture(12, 1.55 + 0.62 * days)
    figure.suptitle(title, fontsize=12, color=DARK, fontweight="bold")
    axis = figure.subplots()
    for row in range(days):
        for panel in (0, 1):
            _draw_day(axis, view, first + row + panel, panel, -row)
    _scale(axis, first, days)
    axis.set_title(
        "Each row: the day named at the left, then the day after it; the whole night lies in the "
        "middle and comes again, cut, in the rows above and below.",
        fontsize=8, color="#555555", loc="left",
    )  # fmt: skip
    figure.legend(
        handles=_legend(view), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    return figure


def _draw_day(axis: Axes, view: View, day: int, panel: int, top: int) -> None:
    """One day of 24 hours of wall clock in the band from ``top - 1`` to ``top``."""
    begin, end = np.searchsorted(view.day, [day, day + 1]).tolist()
    if begin == end:
        return
    base = top - 0.93
    hour_of = lambda rows: (view.clock[rows] - day * DAY) / HOUR + 24 * panel
    edges = [begin, *(row for row, _ in view.meta.offsets if begin < row < end), end]
    for low, high in pairwise(edges):  # the UTC offset does not change in between
        hour = hour_of(slice(low, high))
        for kind, mask in view.stretches.items():
            face, hatch, _ = SHADES[kind]
            bars = [
                (float(hour[a]), float(hour[b - 1] - hour[a]))
                for a, b in true_runs(mask[low:high]).tolist()
                if b - a >= BIN or kind == "copied"
            ]
            axis.broken_barh(
                bars, (base, 0.9), fc=to_rgba(face, 0.6), ec="#BBBBBB", lw=0, hatch=hatch
            )
        _draw_signals(axis, view, low, high, hour, base)
    _draw_clock_changes(axis, view, begin, end, hour_of, base)
    _draw_events(axis, view, begin, end, hour_of, base)


HourOf = Callable[..., np.ndarray]
"""Rows -> hours from the left edge of the picture."""


def _draw_signals(
    axis: Axes, view: View, low: int, high: int, hour: np.ndarray, base: float
) -> None:
    """Movement as bars, arm angle as a line, probability of sleep as a strip below."""
    starts = np.arange(0, high - low, BIN)
    size = np.diff(np.append(starts, high - low))
    mean = lambda x: np.add.reduceat(np.asarray(x[low:high], np.float64), starts) / size
    shown = np.where(mean(view.valid) >= 0.5, 1.0, np.nan)
    x = hour[starts]
    moved = np.sqrt(np.clip(mean(view.enmo) / FULL, 0, 1))  # the root shows small movements too
    angle = np.clip((mean(view.anglez) + 90) / 180, 0, 1)
    axis.fill_between(x, base + 0.2, base + 0.2 + 0.36 * moved * shown, color=DARK, lw=0)
    axis.plot(x, base + 0.46 + 0.4 * angle * shown, color="#E69F00", lw=0.6, alpha=0.9)
    if view.probabilities is not None:
        asleep = mean(view.probabilities[:, CLASSES.index("asleep")])
        axis.fill_between(x, base, base + 0.17 * asleep * shown, color=COLOURS["asleep"], lw=0)


def _draw_clock_changes(
    axis: Axes, view: View, begin: int, end: int, hour_of: HourOf, base: float
) -> None:
    """A line where the clock was changed, and what was done."""
    for (_, before), (row, after) in pairwise(view.meta.offsets):
        if begin <= row < end:
            hour, change = hour_of(row), (after - before) / HOUR
            axis.vlines([hour - change, hour], base, base + 0.9, color="black", lw=0.8, ls=":")
            x = float(max(hour - change, hour)) + 0.1
            axis.text(x, base + 0.84, f"clock {change:+g} h", fontsize=7, va="top")


def _draw_events(
    axis: Axes, view: View, begin: int, end: int, hour_of: HourOf, base: float
) -> None:
    """Labels as lines with a bar from onset to wakeup, found events as triangles."""
    onsets, wakeups = (np.sort(view.rows(view.truth, event)[0]) for event in EVENTS)
    ends = [(row, wakeups[wakeups > row][:1]) for row in onsets]
    labelled = [(row, int(after[0]), True) for row, after in ends if len(after)]
    for first, last, main in labelled + view.spans():
        low, high = max(first, begin), min(last, end - 1)
        if low < high:
            colour = SLEEP if main else NAP
            axis.plot(hour_of([low, high]), [base + 0.87] * 2, color=colour, lw=3)
    for event in EVENTS:
        rows, _ = view.rows(view.truth, event)
        rows = rows[(rows >= begin) & (rows < end)]
        axis.vlines(hour_of(rows), base, base + 0.9, color=COLOURS[event], lw=1.4)
        rows, scores = view.rows(view.found, event)
        keep = (rows >= begin) & (rows < end) & (scores >= MIN_SCORE)
        rgba = np.tile(to_rgba(COLOURS[event]), (int(keep.sum()), 1))
        rgba[:, 3] = np.clip(scores[keep], 0.25, 1.0)
        height = np.full(int(keep.sum()), base + (0.97 if event == "onset" else 0.12))
        axis.scatter(
            hour_of(rows[keep]), height, marker=MARKERS[event], s=34, c=rgba, lw=0.5, ec="white",
            zorder=5,
        )  # fmt: skip


def _scale(axis: Axes, first: int, days: int) -> None:
    """Hours below, dates at the left, thin lines between days and at midnight."""
    axis.set(xlim=(0, 48), ylim=(-days, 0.08))
    ticks = np.arange(0, 49, 3)
    axis.set_xticks(ticks, [f"{t % 24:02d}:00" for t in ticks], fontsize=8)
    dates = [np.datetime64(first + k, "D").astype(object) for k in range(days)]
    axis.set_yticks([-k - 0.5 for k in range(days)], [f"{d:%a %d %b %Y}" for d in dates])
    axis.tick_params(axis="y", length=0, labelsize=8)
    axis.set_xlabel("local clock", fontsize=9)
    axis.hlines(np.arange(-days, 0), 0, 48, color="#CCCCCC", lw=0.6)
    axis.axvline(24, color=GREY, lw=0.8)
    axis.grid(axis="x", color="#EEEEEE", lw=0.5)
    axis.set_axisbelow(True)
    bare(axis, "left")


def _legend(view: View) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Patch(color=DARK, label="movement (ENMO, root scale to 300 mg)"),
        Line2D([], [], color="#E69F00", lw=1.5, label="arm angle, -90 to 90 degrees"),
    ]
    if view.probabilities is not None:
        handles.append(Patch(color=COLOURS["asleep"], label="P(asleep) of the model"))
    if view.truth is not None:
        handles.append(Line2D([], [], color=SLEEP, lw=3, label="labelled sleep"))
    for main, colour, words in ((True, SLEEP, "main sleep that was found"), (False, NAP, "nap")):
        if any(of == main for _, _, of in view.spans()):
            handles.append(Line2D([], [], color=colour, lw=3, label=words))
    for event in EVENTS:
        if view.truth is not None:
            handles.append(Line2D([], [], color=COLOURS[event], lw=1.4, label=f"true {event}"))
        if view.found is not None:
            label = f"found {event} (paler: less sure)"
            handles.append(
                Line2D([], [], marker=MARKERS[event], color=COLOURS[event], ls="", label=label)
            )
    for kind, mask in view.stretches.items():
        if any(high - low >= BIN for low, high in true_runs(mask)):
            face, hatch, words = SHADES[kind]
            handles.append(Patch(fc=to_rgba(face, 0.6), ec="#BBBBBB", hatch=hatch, label=words))
    return handles
