"""Bland-Altman pictures: the error of each window against the mean of found and true."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from sleepjax.figures.palette import DARK, GREY, SERIES, bare, picture
from sleepjax.metrics import Agreement
from sleepjax.types import STEPS_PER_HOUR

SHOWN = ("onset", "wakeup", "duration")


def bland_altman(results: Mapping[str, Agreement]) -> Figure:
    """A row for each method, a column for onset, wakeup and duration.

    The horizontal axis is the mean duration of the true and the found window: it is the same for
    all columns and, unlike a step of the recording, means the same in every recording. Lines are
    the mean error and the limits of agreement, bands their 95 % intervals. Errors beyond the axis
    lie at its edge, and are counted.
    """
    limits = np.abs([r.differences[q].limits for r in results.values() for q in SHOWN])
    reach = 1.15 * max(limits[np.isfinite(limits)], default=30.0)
    figure = picture(9, 0.6 + 2.3 * len(results), layout="constrained")
    axes = figure.subplots(len(results), len(SHOWN), sharex=True, sharey=True, squeeze=False)
    for row, (name, result) in enumerate(results.items()):
        nights = result.nights.drop_nulls("onset_error")
        true = (nights["wakeup"] - nights["onset"]).to_numpy()
        found = (nights["found_wakeup"] - nights["found_onset"]).to_numpy()
        hours = (true + found) / 2 / STEPS_PER_HOUR
        for column, quantity in enumerate(SHOWN):
            axis = axes[row, column]
            error = nights[f"{quantity}_error"].to_numpy()
            beyond = int((np.abs(error) > reach).sum())
            axis.scatter(hours, error.clip(-reach, reach), 12, SERIES[0], alpha=0.6, lw=0)
            of = result.differences[quantity]
            for value, interval, style in (
                (of.mean, of.mean_interval, "-"),
                (of.limits[0], of.low_interval, "--"),
                (of.limits[1], of.high_interval, "--"),
            ):
                axis.axhline(value, color=DARK, lw=1, ls=style)
                axis.axhspan(*interval, color=GREY, alpha=0.25, lw=0)
            axis.axhline(0, color=GREY, lw=0.5)
            axis.set_ylim(-1.05 * reach, 1.05 * reach)
            axis.set_title(
                f"{quantity} {of.mean:+.0f} ({of.limits[0]:+.0f} to {of.limits[1]:+.0f})"
                + (f", {beyond} beyond" if beyond else ""),
                fontsize=9,
            )
            bare(axis)
            if row == len(results) - 1:
                axis.set_xlabel("mean duration, hours")
        axes[row, 0].set_ylabel(f"{name}\nfound - true, min")
    return figure
