r"""How models and rules agree with sleep: simulated people of each device, or real nights.

python benchmarks/people.py --cohort DIR RUN [RUN ...]           # simulated, by kind of device
python benchmarks/people.py --series nights.parquet --truth truth.csv --stages sleep.parquet RUN

A RUN is a run directory, a release, or ``release`` for the shipped weights; ``A+B`` is the mean of
two. One line of JSON for each: errors of main sleep in minutes (median absolute and signed), missed
and extra windows, those of the best-scored event of each class, where there are stages Cohen's
kappa of windows and of P(asleep) >= 0.5, and event AP on a cohort.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from sleepjax import metrics, predict
from sleepjax.data.raw import iter_recordings
from sleepjax.types import EVENTS, STEPS_PER_MINUTE


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--cohort", help="folder of scripts/simulate.py --population world")
    parser.add_argument("--series", help="recordings, a night each")
    parser.add_argument(
        "--truth", help="windows of these nights: series_id and two columns of steps"
    )
    parser.add_argument("--columns", nargs=2, default=("onset_step", "wakeup_step"))
    parser.add_argument("--stages", help="series_id, step, asleep")
    args = parser.parse_args(argv)
    for name in args.runs:
        rows = of_cohort(name, Path(args.cohort)) if args.cohort else of_nights(name, args)
        for row in rows:
            print(json.dumps({"run": name, **row}), flush=True)


def load(name: str) -> predict.Predictor:
    """The predictor of a run, of the shipped weights, or the mean of several."""
    parts = [predict.load(one) for one in name.split("+")]
    members = tuple(member for part in parts for member in part.members)
    return dataclasses.replace(parts[0], members=members)


def of_nights(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row: recordings of a night each."""
    predictor = load(name)
    found = [predictor.find(one) for one in iter_recordings(args.series)]
    truth = pl.read_csv(args.truth, schema_overrides={"series_id": pl.String})
    stages = pl.read_parquet(args.stages) if args.stages else None
    yield summary(found, truth, stages, *args.columns)


def of_cohort(name: str, cohort: Path) -> Iterator[dict[str, Any]]:
    """A row for each kind of device of a simulated cohort."""
    predictor = load(name)
    people = pl.read_csv(cohort / "participants.csv")
    truth = pl.read_csv(cohort / "train_events.csv", schema_overrides={"series_id": pl.String})
    found: dict[str, list[predict.Found]] = {}
    kinds = dict(people.select("series_id", "device").iter_rows())
    for one in iter_recordings(cohort / "train_series.parquet"):
        found.setdefault(kinds[one.meta.series_id], []).append(predictor.find(one))
    for device, some in sorted(found.items()):
        ids = [one.recording.meta.series_id for one in some]
        theirs = truth.filter(pl.col("series_id").is_in(ids))
        events = pl.concat([one.events for one in some])
        ap = metrics.event_detection_ap(theirs.drop_nulls("step"), events)
        yield {"device": device, "people": len(ids), "event_ap": ap} | summary(some, theirs)


def summary(
    found: list[predict.Found],
    truth: pl.DataFrame,
    stages: pl.DataFrame | None = None,
    onset: str = "onset_step",
    wakeup: str = "wakeup_step",
) -> dict[str, Any]:
    """Agreement of windows with the truth, and of the best-scored events where it has one night."""
    windows = pl.concat([one.windows for one in found])
    agreement = metrics.agreement(truth, windows, stages, onset=onset, wakeup=wakeup)
    row: dict[str, Any] = {"windows": agreement.n_truth, "missed": agreement.missed}
    row["extra"] = agreement.extra
    for event in EVENTS:
        difference = agreement.differences[event]
        row[event] = [round(difference.median_absolute, 1), round(difference.median, 1)]
    if agreement.epochs is not None:
        row["kappa"] = round(agreement.epochs.kappa, 3)
        row["kappa_asleep"] = round(kappa_asleep(found, stages), 3)
    if onset in truth.columns:
        row |= best_scored(found, truth, {"onset": onset, "wakeup": wakeup})
    return row


def kappa_asleep(found: list[predict.Found], stages: pl.DataFrame) -> float:
    """Cohen's kappa of P(asleep) of at least a half with the scored steps of ``stages``."""
    curves = pl.concat([one.curves for one in found])
    both = stages.drop_nulls("asleep").join(curves, on=["series_id", "step"], suffix="_found")
    true = both["asleep"].cast(pl.Boolean).to_numpy()
    ours = both["asleep_found"].to_numpy() >= 0.5
    chance = true.mean() * ours.mean() + (1 - true.mean()) * (1 - ours.mean())
    return float(((true == ours).mean() - chance) / (1 - chance))


def best_scored(found, truth: pl.DataFrame, columns: dict[str, str]) -> dict[str, Any]:
    """Median absolute error in minutes of the best-scored event of each class."""
    events = pl.concat([one.events for one in found])
    row = {}
    for event, column in columns.items():
        best = (
            events.filter(event=event)
            .sort("score", descending=True)
            .unique("series_id", keep="first")
        )
        both = truth.join(best, on="series_id", how="left")
        error = (both["step"] - both[column]).abs() / STEPS_PER_MINUTE
        row[f"best_{event}"] = [round(float(error.median() or 0), 1), error.null_count()]
    return row


if __name__ == "__main__":
    main(sys.argv[1:])
