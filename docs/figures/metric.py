"""The figure of docs/metric.md: its worked example, drawn from the metric's own results.

python docs/figures/metric.py --out docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import polars as pl

from sleepjax.metrics import APResult, evaluate
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_MINUTE

EVENT, DETECTION, MISS = "#2b5c8a", "#c8553d", "#555555"
BANDS = ("#7da7cf", "#a9c5e0", "#d6e4f0")

# (night, minutes after the event of that night, score)
DETECTIONS = ((1, 2.0, 0.9), (2, -0.5, 0.8), (1, 0.5, 0.7), (3, 10.0, 0.5), (4, -20 * 60, 0.6))


def example() -> APResult:
    """Four onsets, five detections; one detection lies in the daytime, one onset is missed."""
    at = {night: night * STEPS_PER_DAY for night in (1, 2, 3, 4)}
    solution = pl.DataFrame({"series_id": "a", "event": "onset", "step": list(at.values())})
    rows = [("a", at[n] + m * STEPS_PER_MINUTE, "onset", score) for n, m, score in DETECTIONS]
    columns = ["series_id", "step", "event", "score"]
    return evaluate(solution, pl.DataFrame(rows, schema=columns, orient="row"))


def draw_nights(axis: plt.Axes) -> None:
    """Each night's event at 0, tolerances as bands, detections with their score."""
    places = ((1, 1.2, 4.42, "left"), (3, -3.2, 0.45, "right"), (12.5, 12.3, 0.45, "right"))
    for (tolerance, x, y, side), colour in reversed(list(zip(places, BANDS, strict=True))):
        axis.axvspan(-tolerance, tolerance, color=colour, lw=0)
        axis.text(x, y, f"within {tolerance:g} min", fontsize=8, va="center", ha=side)
    for night in (1, 2, 3, 4):
        axis.plot([0, 0], [night - 0.35, night + 0.35], color=EVENT, lw=3)
    for night, minutes, score in DETECTIONS:
        if abs(minutes) < 60:
            axis.plot(minutes, night, "o", color=DETECTION, ms=7)
            side = "right" if minutes < 0 else "left"
            axis.text(minutes + 0.2, night - 0.27, f"{score}", fontsize=9, va="center", ha=side)
    axis.text(-12.2, 4.0, "0.6: in the daytime", fontsize=8, color=MISS, va="center")
    axis.text(3.3, 4.0, "event missed", fontsize=8, color=MISS, va="center")
    axis.set(xlim=(-15, 15), ylim=(4.6, 0.3), yticks=(1, 2, 3, 4))
    axis.set(xlabel="minutes after the event", ylabel="night")
    axis.set_title("events (bars) and detections with their score (dots)", fontsize=10)


def draw_curve(axis: plt.Axes, result: APResult, minutes: float) -> None:
    """Precision and recall of each threshold, and the area that is the AP."""
    tolerance = minutes * STEPS_PER_MINUTE
    curve = result.curves["onset", tolerance]
    left = 0.0
    for score, precision, recall in zip(curve.score, curve.precision, curve.recall, strict=True):
        if recall > left:
            axis.bar(left, precision, recall - left, align="edge", color="#f0c9bf", ec="white")
        axis.plot(recall, precision, "o", color=DETECTION, ms=5)
        axis.annotate(f"{score}", (recall, precision), (4, 3), textcoords="offset points", size=8)
        left = recall
    axis.set(xlim=(0, 1.02), ylim=(0, 1.12), xlabel="recall")
    area = result.table["onset", tolerance]
    axis.set_title(f"error below {minutes:g} min\nAP {area:.3f}", fontsize=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    args = parser.parse_args()
    result = example()
    figure, axes = plt.subplots(
        1, 4, figsize=(13, 3.6), layout="constrained", width_ratios=(1.9, 1, 1, 1)
    )
    draw_nights(axes[0])
    for axis, minutes in zip(axes[1:], (1, 3, 12.5), strict=True):
        draw_curve(axis, result, minutes)
    axes[1].set_ylabel("precision")
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "metric.png", dpi=110)
    for (_, tolerance), ap in result.table.items():
        print(f"{tolerance / STEPS_PER_MINUTE:>5g} min  AP {ap:.4f}")
    print(f"       mean {result.ap:.4f}")


if __name__ == "__main__":
    main()
