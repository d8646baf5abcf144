"""The figures of docs/concepts.md and docs/design.md, drawn with the package itself.

python docs/figures/concepts.py --out docs/images

The docs build draws them afresh (docs/figures/hook.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from sleepjax.data.labels import make_labels
from sleepjax.figures.palette import (
    COLOURS,
    DARK,
    GREY,
    SHADE,
    bare,
    picture,
    png,
)
from sleepjax.simulation import simulate
from sleepjax.types import STEPS_PER_HOUR

LIGHT = "#F3F6F9"


def labels_figure() -> Figure:
    """Movement, labels, targets of two widths and what is not known, over three days."""
    recordings, events = simulate(series=1, days=4, seed=11)
    wide = events.with_columns(pl.col("step").cast(pl.Int64))
    night = wide.drop_nulls("step")["night"].unique().sort()[1]
    one_empty = wide.with_columns(
        step=pl.when(pl.col("night") == night).then(None).otherwise("step")
    )
    labels = make_labels(one_empty, len(recordings))
    rows = np.arange(0, len(recordings), 60)
    hour = rows / STEPS_PER_HOUR
    figure = picture(10, 5)
    axes = figure.subplots(3, 1, sharex=True, height_ratios=(1.2, 0.8, 1.2))
    enmo = recordings["enmo"].to_numpy()
    axes[0].fill_between(hour, 0, np.maximum.reduceat(enmo, rows) * 1000, color=DARK, lw=0)
    axes[0].set(ylabel="movement (mg)", ylim=(0, 1500))
    axes[1].fill_between(hour, 0, labels.asleep[rows], color=COLOURS["asleep"], lw=0)
    axes[1].set(ylabel="asleep", yticks=(0, 1))
    every = np.arange(0, len(recordings), 12)
    for k, event in enumerate(("onset", "wakeup")):
        for sigma, dash in ((60, "-"), (360, "--")):
            target = np.exp(-0.5 * (np.asarray(labels.distance)[every, k] / sigma) ** 2)
            minutes = f"{sigma / 12:g} min"
            axes[2].plot(
                every / STEPS_PER_HOUR, target, color=COLOURS[event], ls=dash, lw=1.2,
                label=f"target of {event}, sigma {minutes}",
            )  # fmt: skip
    axes[2].set(ylabel="target", xlabel="hours since the recording began", yticks=(0, 1))
    axes[2].legend(fontsize=7, ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1))
    for axis in axes:
        axis.fill_between(
            hour, 0, 1, where=~labels.known[rows], transform=axis.get_xaxis_transform(),
            color=SHADE, lw=0, zorder=0,
        )  # fmt: skip
        bare(axis)
        axis.set_xlim(0, hour[-1])
    figure.suptitle("Grey: nobody labelled this night, so the model is not told anything", size=11)
    return figure


def windows_figure() -> Figure:
    """Where windows of training and of evaluation come from, and how predictions are joined."""
    figure = picture(10, 4.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.1))
    nights = ((23, 31), (47, 55), (71, 79))
    for axis in (upper, lower):
        axis.add_patch(FancyBboxPatch((0, 0), 96, 0.5, boxstyle="square,pad=0", fc=LIGHT, ec=GREY))
        for onset, wakeup in nights:
            axis.axvspan(onset, wakeup, 0.0, 0.18, color=COLOURS["asleep"], lw=0)
        bare(axis, "left")
        axis.set(yticks=[], xlim=(0, 96), ylim=(0, 4.2))
    rng = np.random.default_rng(4)
    for i in range(6):
        anchor = float(rng.choice([edge for night in nights for edge in night]))
        start = anchor - rng.uniform(1, 23)
        upper.barh(1 + 0.5 * i, 24, 0.36, left=start, color=GREY, alpha=0.5)
        upper.plot(anchor, 1 + 0.5 * i, "o", color=COLOURS["wakeup"], ms=5)
    upper.set_title(
        "training: random windows, each around an event (dot) or a random known step",
        fontsize=10, loc="left",
    )  # fmt: skip
    for i, start in enumerate(range(0, 73, 12)):
        y = 1 + 0.42 * i
        lower.barh(y, 24, 0.3, left=start, color=GREY, alpha=0.35)
        first, end = (0 if start == 0 else start + 3), (96 if start == 72 else start + 21)
        lower.barh(y, end - first, 0.3, left=first, color=COLOURS["onset"], alpha=0.6)
    lower.set_title(
        "evaluation: overlapping windows; their edges (grey) are cut, what overlaps is averaged "
        "with more weight in the centre",
        fontsize=10, loc="left",
    )  # fmt: skip
    lower.set_xticks(range(0, 97, 12))
    lower.set_xlabel("hours since the recording began (blue: asleep)")
    return figure


BOXES = {
    # name: (x, y, words)
    "files": (0.0, 4, "series + events\n(competition's, your\nown, simulated)"),
    "prepare": (2.6, 4, "prepare\ncheck, repair, count"),
    "store": (5.2, 4, "feature store\none array per feature"),
    "windows": (7.8, 4, "windows\nf(seed, step)"),
    "extractor": (7.8, 2, "extractor\n[B,T,F] to [B,T',H,C]"),
    "decoder": (5.2, 2, "decoder\nlogits [B,T',K]"),
    "loss": (2.6, 2, "loss\nsoft targets, mask"),
    "probs": (5.2, 0, "probabilities\nat every step"),
    "stitch": (2.6, 0, "stitch, decode"),
    "events": (0.0, 0, "events with scores,\nsleep windows"),
    "ap": (0.0, 2, "event-detection AP\nreport.html"),
    "new": (7.8, 0, "new recording\ncheck, repair, features"),
}
ARROWS = (
    ("files", "prepare"), ("prepare", "store"), ("store", "windows"), ("windows", "extractor"),
    ("extractor", "decoder"), ("decoder", "loss"), ("decoder", "probs"), ("probs", "stitch"),
    ("stitch", "events"), ("events", "ap"), ("new", "extractor"),
)  # fmt: skip


def flow_figure() -> Figure:
    """The one path of all data."""
    figure = picture(10, 5.2, layout=None)
    axis = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    axis.set_axis_off()
    axis.set(xlim=(-0.2, 10.1), ylim=(-0.4, 5.4))
    for name, (x, y, words) in BOXES.items():
        face = "#FDEBDD" if name in ("files", "new") else LIGHT
        face = "#DDEEF9" if name in ("events", "ap") else face
        axis.add_patch(
            FancyBboxPatch((x, y), 2.0, 0.9, boxstyle="round,pad=0.06", fc=face, ec=DARK, lw=1)
        )
        axis.text(x + 1, y + 0.45, words, ha="center", va="center", fontsize=10, color=DARK)
    for begin, end in ARROWS:
        _arrow(axis, begin, end)
    axis.text(-0.05, 5.2, "data", color=GREY, fontsize=10)
    axis.text(7.75, 3.45, "model", color=GREY, fontsize=10, ha="left")
    return figure


def _arrow(axis: Axes, begin: str, end: str) -> None:
    (x0, y0, _), (x1, y1, _) = BOXES[begin], BOXES[end]
    if y0 == y1:
        tail = (x0 + 2.06 if x1 > x0 else x0 - 0.06, y0 + 0.45)
        head = (x1 - 0.06 if x1 > x0 else x1 + 2.06, y1 + 0.45)
    else:
        tail = (x0 + 1, y0 - 0.06 if y1 < y0 else y0 + 0.96)
        head = (x1 + 1, y1 + 0.96 if y1 < y0 else y1 - 0.06)
    axis.annotate("", head, tail, arrowprops=dict(arrowstyle="-|>", color=DARK, lw=1.4))


FIGURES = {
    "concept_labels": labels_figure,
    "concept_windows": windows_figure,
    "data_flow": flow_figure,
}
"""Name of the file in docs/images -> what draws it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        (args.out / f"{name}.png").write_bytes(png(draw()))


if __name__ == "__main__":
    main()
