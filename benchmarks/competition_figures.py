r"""Figures of a simulated cohort beside those published of the competition; docs/simulation.md.

python benchmarks/competition_figures.py --series 277 --seed 0
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sleepjax.simulation import SimulatedSeries, simulate_series
from sleepjax.types import EVENTS, STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE

PUBLISHED: dict[str, tuple[float, float]] = {
    # name: (published value, tolerance for a cohort of about 60 series)
    "days, median": (23.9, 3.5),
    "days, mean": (26.7, 4.0),
    "days, 95 %": (41.8, 9.0),
    "nights listed per series": (26.2, 4.0),
    "share of series with both clock offsets": (0.13, 0.10),
    "share of nights unlabelled": (0.339, 0.10),
    "unlabelled share per series, 25 %": (0.08, 0.07),
    "unlabelled share per series, 50 %": (0.19, 0.12),
    "unlabelled share per series, 75 %": (0.50, 0.20),
    "share of series with every night labelled": (0.134, 0.13),
    "repeat share, mean": (0.182, 0.08),
    "repeat share, median": (0.049, 0.06),
    "share of series with repeat share < 0.001": (0.325, 0.14),
    "unlabelled share where repeat share < 0.001": (0.05, 0.04),
    "unlabelled share where repeat share 0.01-0.3": (0.28, 0.12),
    "unlabelled share where repeat share > 0.3": (0.76, 0.14),
    "correlation of repeat and unlabelled share": (0.926, 0.12),
    "onset clock in hours, median": (22.37, 0.4),
    "onset clock in hours, SD": (1.89, 0.4),
    "onset clock in hours, 1 %": (19.18, 0.8),
    "onset clock in hours, 99 %": (28.57, 1.5),
    "wakeup clock in hours, median": (7.05, 0.4),
    "wakeup clock in hours, SD": (1.67, 0.4),
    "wakeup clock in hours, 1 %": (2.58, 1.6),
    "wakeup clock in hours, 99 %": (12.45, 1.8),
    "sleep in hours, mean": (8.65, 0.4),
    "sleep in hours, SD": (1.70, 0.3),
    "sleep in hours, 1 %": (3.46, 1.4),
    "sleep in hours, 5 %": (5.53, 0.6),
    "sleep in hours, 25 %": (7.82, 0.4),
    "sleep in hours, 50 %": (8.85, 0.4),
    "sleep in hours, 75 %": (9.75, 0.4),
    "sleep in hours, 95 %": (10.98, 0.7),
    "sleep in hours, 99 %": (12.17, 1.0),
    "onsets in minutes 0, 3, 7, 11 of a quarter hour": (0.604, 0.05),
    "wakeups in minutes 0, 3, 7, 11 of a quarter hour": (0.621, 0.05),
    "anglez, mean": (-8.81, 3.0),
    "anglez, SD": (35.52, 3.0),
    "anglez, 25 %": (-31.86, 5.0),
    "anglez, 50 %": (-9.60, 4.0),
    "anglez, 75 %": (11.30, 5.0),
    "enmo, mean": (0.0413, 0.008),
    "enmo, SD": (0.1018, 0.03),
    "enmo, 25 %": (0.0013, 0.0010),
    "enmo, 50 %": (0.0172, 0.0070),
    "enmo, 75 %": (0.0437, 0.0080),
    "asleep: enmo, median over series": (0.0004, 0.0020),
    "asleep: share of exact zeros": (0.41, 0.15),
    "awake: enmo, median over series": (0.0225, 0.0090),
    "awake: share of exact zeros": (0.027, 0.03),
    "asleep: median change of anglez per step": (0.042, 0.02),
    "awake: median change of anglez per step": (3.04, 1.2),
    "autocorrelation of log enmo, 1 min": (0.81, 0.12),
    "autocorrelation of log enmo, 5 min": (0.66, 0.15),
    "autocorrelation of log enmo, 30 min": (0.48, 0.17),
    "autocorrelation of log enmo, 60 min": (0.39, 0.18),
    "autocorrelation of log enmo, 720 min": (-0.34, 0.12),
    "autocorrelation of log enmo, 1440 min": (0.38, 0.15),
}
"""Figures of the competition's 277 series. Those asleep, awake and of the autocorrelation are known
of one or two recordings only, so theirs are compared with the median simulated participant."""

_LAGS = (1, 5, 30, 60, 720, 1440)


@dataclass(frozen=True)
class Summary:
    """What is kept of one recording: small arrays and shares."""

    days: float
    offsets: int
    nights: int
    unlabelled: float
    repeated: float
    clock: np.ndarray
    """float [N,2], local hours of onset and wakeup of every labelled night."""
    sleep: np.ndarray
    """float [N], hours."""
    signal: np.ndarray
    """float32 [n,2], every 20th anglez and enmo."""
    states: dict[str, float]


def summarise(recording: SimulatedSeries) -> Summary:
    """Reduce one recording; sleep is where the annotator says so, wake what truly is neither."""
    clock = recording.clock
    local = clock.local_seconds()
    nights = [
        (label.onset, label.wakeup)
        for label in recording.labels
        if label.onset is not None and label.wakeup is not None
    ]
    events = np.array(nights, dtype=np.int64).reshape(-1, 2)
    unlabelled = [label.onset is None and label.wakeup is None for label in recording.labels]
    anglez = recording.anglez
    repeated = np.equal(anglez[STEPS_PER_DAY:], anglez[:-STEPS_PER_DAY])
    return Summary(
        days=clock.n_steps / STEPS_PER_DAY,
        offsets=len(clock.offsets),
        nights=len(recording.labels),
        unlabelled=float(np.mean(unlabelled)),
        repeated=float(repeated.mean()) if repeated.size else 0.0,
        clock=local[events] % 86_400 / 3600,
        sleep=(events[:, 1] - events[:, 0]) / STEPS_PER_HOUR,
        signal=np.stack([anglez[::20], recording.enmo[::20]], axis=1),
        states=_states(recording, events),
    )


def _states(recording: SimulatedSeries, events: np.ndarray) -> dict[str, float]:
    worn = np.ones(recording.clock.n_steps, dtype=bool)
    for start, end in recording.nonwear:
        worn[start:end] = False
    asleep = np.zeros_like(worn)
    for start, end in events:
        asleep[start:end] = True
    awake = worn & ~asleep & (recording.behaviour.mode != 0)
    change = np.abs(np.diff(recording.anglez, prepend=recording.anglez[:1]))
    result: dict[str, float] = {}
    for name, mask in (("asleep", asleep), ("awake", awake)):
        if mask.sum() < STEPS_PER_HOUR:
            continue
        enmo = recording.enmo[mask]
        result[f"{name}: enmo, median over series"] = float(np.median(enmo))
        result[f"{name}: share of exact zeros"] = float(np.mean(enmo == 0))
        result[f"{name}: median change of anglez per step"] = float(np.median(change[mask]))
    minutes = len(worn) // STEPS_PER_MINUTE
    whole = slice(0, minutes * STEPS_PER_MINUTE)
    level = np.log(recording.enmo[whole].reshape(minutes, -1).mean(axis=1) + 1e-3)
    good = np.asarray(worn[whole].reshape(minutes, -1).all(axis=1))
    for lag in _LAGS:
        both = good[lag:] & good[:-lag]
        if both.sum() > 2 * 1440:
            value = np.corrcoef(level[lag:][both], level[:-lag][both])[0, 1]
            result[f"autocorrelation of log enmo, {lag} min"] = float(value)
    return result


def measure(recordings: Iterable[SimulatedSeries]) -> dict[str, float]:
    """The figures of PUBLISHED, of a cohort that is read once and never held in memory."""
    summaries = [summarise(recording) for recording in recordings]
    result = _cohort_figures(summaries)
    clock = np.concatenate([summary.clock for summary in summaries])
    result |= _clock_figures(clock, np.concatenate([summary.sleep for summary in summaries]))
    result |= _signal_figures(np.concatenate([summary.signal for summary in summaries]))
    for name in PUBLISHED:
        values = [summary.states[name] for summary in summaries if name in summary.states]
        if values:
            result[name] = np.median(values)
    return {name: float(result[name]) for name in PUBLISHED}


def _cohort_figures(summaries: list[Summary]) -> dict[str, float]:
    column = lambda name: np.array([getattr(summary, name) for summary in summaries])
    days, nights = column("days"), column("nights")
    unlabelled, repeated = column("unlabelled"), column("repeated")
    # By night; nan where a small cohort has no such series.
    share = lambda mask: float((unlabelled * nights)[mask].sum() / (nights[mask].sum() or np.nan))
    result = {
        "days, median": np.median(days),
        "days, mean": days.mean(),
        "days, 95 %": np.quantile(days, 0.95),
        "nights listed per series": nights.mean(),
        "share of series with both clock offsets": np.mean(column("offsets") > 1),
        "share of nights unlabelled": share(nights > 0),
        "share of series with every night labelled": np.mean(unlabelled == 0),
        "repeat share, mean": repeated.mean(),
        "repeat share, median": np.median(repeated),
        "share of series with repeat share < 0.001": np.mean(repeated < 0.001),
        "unlabelled share where repeat share < 0.001": share(repeated < 0.001),
        "unlabelled share where repeat share 0.01-0.3": share((repeated > 0.01) & (repeated < 0.3)),
        "unlabelled share where repeat share > 0.3": share(repeated > 0.3),
        "correlation of repeat and unlabelled share": np.corrcoef(repeated, unlabelled)[0, 1],
    }
    for percent in (25, 50, 75):
        name = f"unlabelled share per series, {percent} %"
        result[name] = np.quantile(unlabelled, percent / 100)
    return result


def _clock_figures(clock: np.ndarray, sleep: np.ndarray) -> dict[str, float]:
    result = {}
    for i, event in enumerate(EVENTS):
        # Onsets are counted past midnight, so that the evening before and the night are one.
        hours = (clock[:, i] - 12) % 24 + 12 if event == "onset" else clock[:, i]
        result[f"{event} clock in hours, median"] = np.median(hours)
        result[f"{event} clock in hours, SD"] = hours.std()
        for percent in (1, 99):
            result[f"{event} clock in hours, {percent} %"] = np.quantile(hours, percent / 100)
        minute = np.round(clock[:, i] * 60).astype(int) % 15
        name = f"{event}s in minutes 0, 3, 7, 11 of a quarter hour"
        result[name] = np.isin(minute, (0, 3, 7, 11)).mean()
    result |= {"sleep in hours, mean": sleep.mean(), "sleep in hours, SD": sleep.std()}
    for percent in (1, 5, 25, 50, 75, 95, 99):
        result[f"sleep in hours, {percent} %"] = np.quantile(sleep, percent / 100)
    return result


def _signal_figures(signal: np.ndarray) -> dict[str, float]:
    result = {}
    for i, name in enumerate(("anglez", "enmo")):
        values = signal[:, i].astype(np.float64)
        result |= {f"{name}, mean": values.mean(), f"{name}, SD": values.std()}
        for percent in (25, 50, 75):
            result[f"{name}, {percent} %"] = np.quantile(values, percent / 100)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=277)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    figures = measure(simulate_series(args.seed, index) for index in range(args.series))
    print("| figure | published | simulated | tolerance of the test |\n|---|---|---|---|")
    for name, (published, tolerance) in PUBLISHED.items():
        print(f"| {name} | {published:g} | {figures[name]:.4g} | {tolerance:g} |")


if __name__ == "__main__":
    main()
