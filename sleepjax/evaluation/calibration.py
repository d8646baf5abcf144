"""Calibration of probabilities: of the steps that are called 70 % asleep, were 70 %?"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from sleepjax.figures.palette import DARK, GREY, bare, picture

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Probabilities and outcomes in equal bins of probability; bins without any hold NaN."""

    predicted: np.ndarray
    """[bins] mean probability."""
    observed: np.ndarray
    """[bins] fraction of true outcomes."""
    count: np.ndarray
    """[bins]."""
    brier: float
    """Mean squared difference of probability and outcome; NaN without any."""

    @property
    def ece(self) -> float:
        """Expected calibration error: mean distance of predicted and observed, by count."""
        used = self.count > 0
        if not used.any():
            return float("nan")
        gap = np.abs(self.predicted - self.observed)[used]
        return float(np.average(gap, weights=self.count[used]))


def reliability(probability: np.ndarray, outcome: np.ndarray, bins: int = BINS) -> Reliability:
    """Compare probabilities [N] in [0,1] with what happened, bool [N].

    Bin k holds probabilities from k/bins to below (k+1)/bins; the last one holds 1 too.
    """
    probability = np.asarray(probability, np.float64)
    outcome = np.asarray(outcome, bool)
    which = np.minimum((probability * bins).astype(np.int64), bins - 1)
    count = np.bincount(which, minlength=bins)
    sums = (np.bincount(which, weights, bins) for weights in (probability, outcome))
    with np.errstate(invalid="ignore"):
        predicted, observed = (total / count for total in sums)
    brier = float(np.mean((probability - outcome) ** 2)) if len(outcome) else float("nan")
    return Reliability(predicted, observed, count, brier)


def reliability_figure(name: str, curve: Reliability, colour: str) -> Figure:
    """Observed over predicted, and below it how often each probability was given."""
    figure = picture(4.0, 4.4, layout=None)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    figure.subplots_adjust(left=0.17, right=0.97, top=0.92, bottom=0.12, hspace=0.1)
    upper.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
    used = curve.count > 0
    upper.plot(curve.predicted[used], curve.observed[used], color=colour, marker="o", ms=5)
    edges = np.arange(len(curve.count)) / len(curve.count)
    lower.bar(edges, curve.count, 1 / len(curve.count), align="edge", color=colour, ec="white")
    few = (0, 0.5, 1)  # ticks are most of the time that a figure takes
    upper.set(xlim=(0, 1), ylim=(0, 1.02), xticks=few, yticks=few, ylabel="share that was true")
    lower.set(
        yscale="log" if used.any() else "linear", xlabel="probability given", ylabel="how often"
    )
    lower.minorticks_off()
    upper.set_title(f"{name}: mean gap {curve.ece:.3f}", fontsize=10, color=DARK)
    for axis in (upper, lower):
        bare(axis)
    return figure
