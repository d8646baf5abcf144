"""One night, or any stretch of a recording, in detail: signals, probabilities, events."""

from datetime import date
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from sleepjax.data.compact import true_runs
from sleepjax.figures.palette import COLOURS, DARK, GREY, NAP, SLEEP, bare, picture
from sleepjax.figures.shown import DAY, HOUR, MIN_SCORE, SHADES, View
from sleepjax.types import CLASSES, EVENTS, STEP_SECONDS, STEPS_PER_MINUTE, InputError

MAX_POINTS = 3000
_MINUTES = (1, 5, 15, 60, 120, 180, 360, 720, 1440)
"""Between two ticks."""
TOP = 1000.0
"""mg; a few seconds of more than that would flatten all else."""


def night_figure(view: View, night: str, title: str) -> Figure:
    """Noon to noon around the night that begins on the date ``night``, by the local clock.

    Raises InputError for something that is not a date and for a night outside the recording.
    """
    try:
        noon = date.fromisoformat(night).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        raise InputError(
            f"night={night!r} is not a date; give its evening, like 2018-08-14."
        ) from None
    inside = np.flatnonzero((view.clock - DAY // 2) // DAY == noon)
    if len(inside) == 0:
        first, last = (np.datetime64(int(c) // DAY, "D") for c in view.clock[[0, -1]])
        raise InputError(
            f"night {night} is not in series {view.meta.series_id!r}, which runs from {first} to "
            f"{last}."
        )
    evening = np.datetime64(noon, "D").astype(object)
    title = f"{title}, night of {evening:%A %d %B %Y}"
    return stretch_figure(view, int(inside[0]), int(inside[-1]) + 1, title)


def stretch_figure(
    view: View,
    begin: int,
    end: int,
    title: str,
    *,
    min_score: float = MIN_SCORE,
    size: tuple[float, float] = (11, 5.6),
) -> Figure:
    """Rows ``begin`` to ``end``: arm angle, movement, and probabilities where there are any.

    ``size`` is in inches. The axis is true to the time that passed and labelled by the local clock,
    so that an hour that is repeated or left out at a change of the clock is seen as such.
    """
    heights = (2, 2, 1.6) if view.probabilities is not None else (2, 2)
    width, height = size
    figure = picture(width, height, layout=None)  # fixed margins are ten times faster
    figure.suptitle(
        title, fontsize=11, color=DARK, fontweight="bold", y=1 - 0.08 / height, va="top"
    )
    above = 0.8 if title else 0.3
    figure.subplots_adjust(
        left=0.85 / width, right=1 - 0.25 / width, top=1 - above / height, bottom=0.5 / height,
        hspace=0.14,
    )  # fmt: skip
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    rows = np.arange(begin, end, max(1, (end - begin) // MAX_POINTS))
    x = rows * STEP_SECONDS / HOUR
    shown = np.where(view.valid[rows], 1.0, np.nan)
    axes[0].plot(x, view.anglez[rows] * shown, color=DARK, lw=0.7)
    axes[0].set(ylabel="arm angle\n(degrees)", ylim=(-95, 95), yticks=(-90, -45, 0, 45, 90))
    moved = _peaks(view.enmo, rows) * 1000 * shown
    axes[1].fill_between(x, 0, moved, color=DARK, lw=0)
    cut = bool((moved > TOP).any())
    words = f"movement\n(mg, to {TOP:g})" if cut else "movement\n(ENMO, mg)"
    axes[1].set(ylabel=words, ylim=(0, TOP if cut else None))
    if view.probabilities is not None:
        _draw_probabilities(axes[2], view, rows, x, shown)
    for axis in axes:
        _shade(axis, view, begin, end)
        bare(axis)
        axis.set_xlim(x[0], end * STEP_SECONDS / HOUR)
        axis.yaxis.label.set_size(9)
    _draw_windows(axes, view, begin, end)
    draw_events(axes, view, begin, end, min_score)
    clock_axis(axes[-1], view, begin, end)
    axes[-1].set_xlabel("local clock", fontsize=9)
    return figure


def _peaks(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The highest value from each of the rows to the next: thinning must not hide movement."""
    return np.maximum.reduceat(values[: rows[-1] + 1], rows)


def _draw_probabilities(
    axis: Axes, view: View, rows: np.ndarray, x: np.ndarray, shown: np.ndarray
) -> None:
    """P(asleep) filled, P(onset) and P(wakeup) as lines of different dashes."""
    assert view.probabilities is not None
    asleep = view.probabilities[rows, CLASSES.index("asleep")] * shown
    axis.fill_between(x, 0, asleep, color=COLOURS["asleep"], alpha=0.5, lw=0, label="P(asleep)")
    for event, dash in zip(EVENTS, ("-", "--"), strict=True):
        peak = _peaks(view.probabilities[:, CLASSES.index(event)], rows) * shown
        axis.plot(x, peak, color=COLOURS[event], lw=1.2, ls=dash, label=f"P({event})")
    axis.set(ylabel="probability\n(model)", ylim=(0, 1.02), yticks=(0, 0.5, 1))
    axis.legend(loc="upper left", fontsize=7, ncols=3, frameon=False)


def _shade(axis: Axes, view: View, begin: int, end: int) -> None:
    """`SHADES`: grey where the watch was not worn, hatched where nothing was measured."""
    place = lambda row: (begin + row) * STEP_SECONDS / HOUR
    for kind, mask in view.stretches.items():
        face, hatch, _ = SHADES[kind]
        for low, high in true_runs(mask[begin:end]).tolist():
            if high - low < STEPS_PER_MINUTE and kind != "copied":
                continue  # thinner than a line
            axis.axvspan(
                place(low), place(high), fc=to_rgba(face, 0.6), ec="#BBBBBB", hatch=hatch, lw=0,
                zorder=0,
            )  # fmt: skip


def _draw_windows(axes, view: View, begin: int, end: int) -> None:
    """Sleep windows as coloured ground, with the times of their ends above."""
    for onset, wakeup, main in view.spans():
        low, high = max(onset, begin), min(wakeup, end)
        if low >= high:
            continue
        for axis in axes:
            ends = low * STEP_SECONDS / HOUR, high * STEP_SECONDS / HOUR
            axis.axvspan(*ends, color=SLEEP if main else NAP, alpha=0.12, lw=0, zorder=0)
        for event, row in zip(EVENTS, (onset, wakeup), strict=True):
            if begin <= row < end:
                axes[0].annotate(
                    _time(view.clock[row]), (row * STEP_SECONDS / HOUR, 1), (0, 3),
                    xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9,
                    color=COLOURS[event], ha="right" if event == "onset" else "left",
                )  # fmt: skip


def draw_events(axes, view: View, begin: int, end: int, min_score: float) -> None:
    """Labels as solid lines, found events as dashed ones, paler where less sure; times above."""
    for event in EVENTS:
        for events, dash, word in ((view.truth, "-", "true"), (view.found, (0, (4, 2)), "found")):
            rows, scores = view.rows(events, event)
            keep = (rows >= begin) & (rows < end) & (scores >= min_score)
            rows, scores = rows[keep], scores[keep]
            for row, score in zip(rows, scores, strict=True):
                at = row * STEP_SECONDS / HOUR
                for axis in axes:
                    strength = 1.0 if word == "true" else max(0.35, min(1.0, float(score)))
                    axis.axvline(at, color=COLOURS[event], lw=1.6, ls=dash, alpha=strength)
                if word == "found" and (score < scores.max() or view.windows is not None):
                    continue  # words for the surest one only, or for windows
                sure = "" if word == "true" else f" ({score:.2f})"
                axes[0].annotate(
                    f"{word} {event} {_time(view.clock[row])}{sure}",
                    (at, 1), (0, 3 if word == "true" else 15), xycoords=("data", "axes fraction"),
                    textcoords="offset points", fontsize=8, color=COLOURS[event],
                    ha=_side(event, (row - begin) / (end - begin)), annotation_clip=False,
                )  # fmt: skip


def _side(event: str, place: float) -> str:
    """Words stand outside the sleep, unless they would leave the picture."""
    if 0.2 < place < 0.8:
        return "right" if event == "onset" else "left"
    return "left" if place <= 0.2 else "right"


def _time(clock) -> str:
    minutes = int(clock) % DAY // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def clock_axis(axis: Axes, view: View, begin: int, end: int) -> None:
    """Ticks at whole hours or minutes of the local clock, a line where it is changed."""
    minutes = (end - begin) / STEPS_PER_MINUTE
    every = next(step for step in _MINUTES if minutes / step <= 16 or step == _MINUTES[-1])
    clock = view.clock[begin:end]
    after = view.clock[end - 1] + STEP_SECONDS  # the end of the axis may be a whole hour too
    clock = np.append(clock, after)
    whole = np.flatnonzero(clock % (60 * every) < STEP_SECONDS)
    ticks = [((begin + i) * STEP_SECONDS / HOUR, _time(clock[i])) for i in whole]
    axis.set_xticks([at for at, _ in ticks], [label for _, label in ticks], fontsize=8)
    for (_, before), (row, after) in pairwise(view.meta.offsets):
        if begin < row < end:
            at = row * STEP_SECONDS / HOUR
            axis.axvline(at, color="black", lw=0.8, ls=":")
            axis.annotate(
                f"clock {(after - before) / HOUR:+g} h", (at, 0.5),
                xycoords=("data", "axes fraction"), fontsize=7, rotation=90, ha="right",
                va="center",
            )  # fmt: skip
    axis.tick_params(color=GREY)
