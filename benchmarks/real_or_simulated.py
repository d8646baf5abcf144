r"""How well real recordings can be told from simulated ones, and by what.

python benchmarks/real_or_simulated.py --real NIGHTS.parquet --recording laboratory --devices coarse
python benchmarks/real_or_simulated.py --real HOME.parquet --recording weeks --devices geneactiv

A logistic regression sees statistics of every hour of real recordings (the competition's series
columns) and of simulated participants of the population ``world``, or ``calm_world``; it is
cross-validated by recording. An AUC of 0.5 would say that nothing is missing in the simulation, 1
that a glance is enough. This is a measure of the simulation only: nothing is fitted to the real
recordings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from sleepjax.baselines.logistic import design, regress
from sleepjax.data.raw import iter_recordings
from sleepjax.simulation import simulate_series
from sleepjax.simulation.watches import DEVICES
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE

DEVICE = ("log floor of enmo", "share of enmo at the floor", "share of angles repeated exactly")
MOVEMENT = (
    "log median enmo above the floor",
    "log 90 % of enmo above the floor",
    "log median change of angle",
    "log 90 % of the change of angle",
    "share of steps that turn by > 5 degrees",
    "share of minutes without a turn",
    "log longest minutes without a turn",
    "SD of the angle",
    "mean size of the angle",
    "correlation of turning from minute to minute",
    "log size of a turn",
)
"""What an hour is described by: what the watch determines, and what the person does."""

FOLDS = 5


def hourly(anglez: np.ndarray, enmo: np.ndarray) -> np.ndarray:
    """Statistics [H,14] of every whole hour of a recording, in the order DEVICE, MOVEMENT."""
    good = np.isfinite(anglez) & np.isfinite(enmo)
    floor = np.quantile(enmo[good], 0.1) if good.any() else 0.0
    rows = []
    for start in range(0, len(anglez) - STEPS_PER_HOUR + 1, STEPS_PER_HOUR):
        here = slice(start, start + STEPS_PER_HOUR)
        if good[here].all():
            rows.append(_statistics(anglez[here], enmo[here], floor))
    return np.array(rows).reshape(-1, len(DEVICE) + len(MOVEMENT))


def _statistics(angle: np.ndarray, enmo: np.ndarray, floor: float) -> list[float]:
    change = np.abs(np.diff(angle, prepend=angle[:1]))
    above = np.maximum(enmo - floor, 0)
    turns = change > 5
    minutes = turns.reshape(-1, STEPS_PER_MINUTE).mean(axis=1)
    edges = np.flatnonzero(np.concatenate([[True], minutes > 0, [True]]))
    apart = minutes.std() > 0
    return [
        np.log(floor + 1e-4),
        float(np.mean(enmo <= floor + 1e-4)),
        float(np.mean(change == 0)),
        np.log(np.median(above) + 1e-3),
        np.log(np.quantile(above, 0.9) + 1e-3),
        np.log(np.median(change) + 0.03),
        np.log(np.quantile(change, 0.9) + 0.03),
        float(turns.mean()),
        float(np.mean(minutes == 0)),
        np.log(np.diff(edges).max()),
        float(angle.std()),
        float(np.abs(angle).mean()),
        float(np.corrcoef(minutes[1:], minutes[:-1])[0, 1]) if apart and _varies(minutes) else 0.0,
        np.log(change[turns].mean() if turns.any() else 5.0),
    ]


def _varies(minutes: np.ndarray) -> bool:
    return minutes[1:].std() > 0 and minutes[:-1].std() > 0


def real(paths: list[str]) -> list[np.ndarray]:
    """Hours of each real recording; masked steps are left out with their hour."""
    hours = []
    for recording in iter_recordings([Path(path) for path in paths]):
        valid = recording.frame["valid"].to_numpy()
        signals = recording.frame.select("anglez", "enmo").to_numpy().T
        anglez, enmo = np.where(valid, signals, np.nan)
        hours.append(hourly(anglez, enmo))
    return hours


def simulated(args: argparse.Namespace) -> Iterator[np.ndarray]:
    """Hours of participants with the wanted kind of recording; unworn steps count as masked."""
    found = index = 0
    while found < args.series:
        one = simulate_series(args.seed, index, args.days, args.population, args.devices)
        index += 1
        if one.facts["recording"] == args.recording:
            found += 1
            worn = one.steps.worn
            yield hourly(np.where(worn, one.anglez, np.nan), np.where(worn, one.enmo, np.nan))


def out_of_fold(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Score [N] of each hour by a regression that has not seen its recording."""
    score = np.zeros(len(y))
    for k in range(FOLDS):
        train = fold != k
        mean, std = x[train].mean(axis=0), x[train].std(axis=0) + 1e-9
        weights = regress(design(x[train], mean, std), y[train])
        score[~train] = design(x[~train], mean, std) @ weights
    return score


def auc(score: np.ndarray, y: np.ndarray) -> float:
    """Chance that a real hour scores higher than a simulated one."""
    ranks, n = rankdata(score), int(y.sum())
    return float((ranks[y == 1].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", nargs="+", required=True, help="series files of real people")
    parser.add_argument("--recording", default="laboratory", help="kind of simulated recording")
    parser.add_argument("--population", choices=("world", "calm_world"), default="world")
    parser.add_argument("--devices", nargs="*", default=(), choices=tuple(DEVICES))
    parser.add_argument("--series", type=int, default=60, help="simulated participants")
    parser.add_argument("--days", type=float, default=8.0, help="of simulated weeks")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    mine, theirs = real(args.real), list(simulated(args))
    if len(mine) < FOLDS:  # one long recording: its days are what is left out in turn
        mine = [day for one in mine for day in np.array_split(one, FOLDS)]
    groups = [hours for part in (mine, theirs) for hours in part]
    x = np.concatenate(groups)
    y = np.concatenate([np.full(len(g), i < len(mine)) for i, g in enumerate(groups)]).astype(float)
    fold = np.concatenate([np.full(len(g), i % FOLDS) for i, g in enumerate(groups)])
    print(f"{int(y.sum())} real hours, {int((1 - y).sum())} simulated ({args.recording})")
    n = len(DEVICE)
    for name, columns in (("all", slice(None)), ("movement", slice(n, None))):
        score = out_of_fold(x[:, columns], y, fold)
        print(f"AUC, {name} statistics: {auc(score, y):.3f}")
    print(f"{'statistic':46s} {'AUC':>6s} {'real':>8s} {'simulated':>10s}   (medians)")
    for i, name in enumerate((*DEVICE, *MOVEMENT)):
        alone = auc(x[:, i], y)
        at = [np.median(x[y == kind, i]) for kind in (1, 0)]
        print(f"{name:46s} {alone:6.3f} {at[0]:8.3f} {at[1]:10.3f}")


if __name__ == "__main__":
    main()
