"""Logistic regression on statistics of windows around each minute: what a linear model can do.

One regression per class, fitted by Newton's method in a trust region to the soft targets of
training, on at most `MAX_FRAMES` random minutes with known labels.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.optimize import minimize
from scipy.special import expit

from sleepjax.baselines.measured import measured
from sleepjax.data import windows
from sleepjax.data.features import ENMO_CLIP
from sleepjax.data.recording import Recording
from sleepjax.types import CLASSES, STEPS_PER_MINUTE, InputError

FRAME = STEPS_PER_MINUTE
SPANS = (5, 15, 30, 60)
"""Minutes that a statistic looks to either side."""
SIGMA = 60.0
"""Steps; width of the Gaussian targets of onset and wakeup."""
RIDGE = 1e-4
MAX_FRAMES = 200_000

Predict = Callable[[Recording], np.ndarray]


def fit(series: Sequence[Recording], seed: int) -> Predict:
    """Fit to labelled recordings with `signals.FEATURES`.

    Returns a function from a recording to probabilities float32 [T,3]. Raises InputError where
    there is nothing to fit to.
    """
    rng = np.random.default_rng(seed)
    share = min(1.0, MAX_FRAMES * FRAME / sum(one.meta.n_steps for one in series))
    parts, targets = [], []
    for one in series:
        batch = windows.gather(one, 0, one.meta.n_steps, FRAME)
        chosen = (batch["mask"] > 0) & (rng.random(len(batch["mask"])) < share)
        events = np.exp(-0.5 * np.square(batch["distance"] / SIGMA))
        parts.append(statistics(one)[chosen])
        targets.append(np.column_stack([batch["asleep"], events])[chosen])
    x, y = np.concatenate(parts), np.concatenate(targets)  # [N,S], [N,3]
    if len(x) <= x.shape[1]:
        raise InputError(
            f"logistic regression on {x.shape[1]} statistics needs more than {len(x)} labelled "
            "minutes; give more recordings with labelled nights."
        )
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = design(x, mean, std)
    weights = np.stack([regress(x, y[:, k]) for k in range(len(CLASSES))], axis=-1)  # [1+S,3]

    def predict(one: Recording) -> np.ndarray:
        frames = expit(design(statistics(one), mean, std) @ weights)  # [T',3]
        centre = np.arange(len(frames)) * FRAME + (FRAME - 1) / 2
        at = np.arange(one.meta.n_steps)
        each = [np.interp(at, centre, frames[:, k]) for k in range(len(CLASSES))]
        return np.stack(each, axis=-1).astype(np.float32)

    return predict


def design(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Standardised statistics [N,S] with a column of ones in front, [N,1+S]."""
    return np.column_stack([np.ones(len(x)), (x - mean) / std])


def regress(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights [1+S] of least mean cross-entropy of targets y [N] from 0 to 1, plus a ridge.

    The ridge, `RIDGE` / 2 times the sum of squares, leaves the first weight alone.
    """
    n, size = x.shape
    ridge = np.full(size, RIDGE)
    ridge[0] = 0.0

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ w
        value = np.mean(np.logaddexp(0, z) - y * z) + 0.5 * np.sum(ridge * w**2)
        return float(value), x.T @ (expit(z) - y) / n + ridge * w

    def hessian(w: np.ndarray) -> np.ndarray:
        p = expit(x @ w)
        return (x * (p * (1 - p))[:, None]).T @ x / n + np.diag(ridge)

    start = np.zeros(size)
    rate = np.clip(y.mean(), 1e-6, 1 - 1e-6)
    start[0] = np.log(rate / (1 - rate))
    found = minimize(
        loss, start, jac=True, hess=hessian, method="trust-exact", options={"gtol": 1e-7}
    )
    return found.x


def statistics(one: Recording) -> np.ndarray:
    """[T',S] per minute: movement and its surroundings, clock, and whether the watch was worn."""
    anglez = measured(one, "anglez")
    enmo = np.minimum(measured(one, "enmo"), ENMO_CLIP)  # as prepared recordings have it
    change = np.abs(np.diff(anglez, prepend=anglez[:1]))
    average = lambda x: windows.frames(x, FRAME).mean(axis=1)
    activity = (
        np.log(measured_mean(enmo) + 1e-3),
        np.log(measured_mean(change) + 1e-2),
        measured_mean(np.where(np.isnan(change), np.nan, change > 5)),
    )
    columns = []
    for x in map(filled, activity):
        columns.append(x)
        for span in SPANS:
            before, after = window_mean(x, -span, -1), window_mean(x, 1, span)
            around = window_mean(x, -span, span)
            spread = np.sqrt(np.maximum(window_mean(x * x, -span, span) - around**2, 0))
            columns += [around, after - before, spread, maximum_filter1d(x, 2 * span + 1)]
    sine, cosine = (average(np.asarray(one.features[f"hour_{name}"])) for name in ("sin", "cos"))
    copied, missing = average(np.asarray(one.features["repeat"])), average(~np.asarray(one.valid))
    columns += [sine, cosine, 2 * sine * cosine, cosine**2 - sine**2, copied, missing]
    return np.column_stack(columns)


def measured_mean(x: np.ndarray) -> np.ndarray:
    """[T'] mean of the steps of each minute that are not NaN; NaN where all are."""
    each = windows.frames(x, FRAME)
    n = np.isfinite(each).sum(axis=1)
    return np.where(n > 0, np.nansum(each, axis=1) / np.maximum(n, 1), np.nan)


def filled(x: np.ndarray) -> np.ndarray:
    """[T'] with the mean of the recording, which is neither rest nor movement, in place of NaN."""
    known = x[np.isfinite(x)]
    return np.where(np.isnan(x), known.mean() if len(known) else 0.0, x)


def window_mean(x: np.ndarray, first: int, last: int) -> np.ndarray:
    """[T'] mean of x[i + first] to x[i + last], of those that exist; x[i] where none does."""
    n = len(x)
    total = np.concatenate([[0.0], np.cumsum(x, dtype=np.float64)])
    start = np.clip(np.arange(n) + first, 0, n)
    stop = np.clip(np.arange(n) + last + 1, 0, n)
    count = stop - start
    return np.where(count > 0, (total[stop] - total[start]) / np.maximum(count, 1), x)
