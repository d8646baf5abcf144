"""Baselines without deep learning, scored like a model: same recordings, decoding and metric.

A baseline is fitted to recordings and then turns a recording into probabilities [T,3] of asleep,
onset and wakeup at every step, as a model does; `sleepjax.postprocess` makes events of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from sleepjax import postprocess
from sleepjax.baselines import angle, logistic
from sleepjax.baselines.measured import FEATURES, measured, worn_steps
from sleepjax.data.recording import Recording
from sleepjax.postprocess.sleep_windows import windows_frame

__all__ = ["BASELINES", "FEATURES", "RULES", "as_windows", "find_events", "find_windows"]

Predict = Callable[[Recording], np.ndarray]
Fit = Callable[[Sequence[Recording], int], Predict]
"""(recordings with labels and `FEATURES`, seed) -> predict."""


def rule(periods: angle.Periods) -> Fit:
    """A rule that needs no fitting, as a baseline.

    A period's onset and wakeup are peaks one step wide. The rules give no score; theirs is the
    share of the period in which the watch was worn. An end of the recording is no event.
    """

    def predict(one: Recording) -> np.ndarray:
        probs = np.zeros((one.meta.n_steps, 3), np.float32)
        worn = worn_steps(one)
        for onset, wakeup in periods(measured(one, "anglez"), one.meta):
            score = worn[onset:wakeup].mean()
            probs[onset:wakeup, 0] = score
            if onset > 0:
                probs[onset, 1] = score
            if wakeup < one.meta.n_steps:
                probs[wakeup, 2] = score
        return probs

    return lambda series, seed: predict


RULES: dict[str, angle.Periods] = {"hdcza": angle.hdcza, "vanhees2015": angle.van_hees_2015}
BASELINES: dict[str, Fit] = {
    **{name: rule(periods) for name, periods in RULES.items()},
    "logistic": logistic.fit,
}


def find_events(
    predict: Predict, series: Sequence[Recording], post: Mapping[str, Any]
) -> pl.DataFrame:
    """Events of recordings: series_id, step, event, score; ``post`` as in a config."""
    return pl.concat(
        postprocess.decode_series(predict(one), one.meta, valid=np.asarray(one.valid), **post)
        for one in series
    )


def find_windows(name: str, predict: Predict, series: Sequence[Recording]) -> pl.DataFrame:
    """Sleep windows of recordings: a rule's periods, else those of `postprocess.find_windows`."""
    if name not in RULES:
        frames = [
            postprocess.find_windows(predict(s), s.meta, valid=np.asarray(s.valid)) for s in series
        ]
    else:
        frames = [as_windows(RULES[name](measured(s, "anglez"), s.meta), s) for s in series]
    return pl.concat(frames)


def as_windows(periods: np.ndarray, one: Recording) -> pl.DataFrame:
    """Periods [N,2], half-open in rows, as `postprocess.find_windows` returns windows; no score."""
    worn, last = worn_steps(one), one.meta.n_steps - 1
    rows = [
        {"onset_step": a, "wakeup_step": min(b, last), "worn_fraction": float(worn[a:b].mean())}
        for a, b in periods.tolist()
    ]
    return windows_frame(rows, one.meta)
