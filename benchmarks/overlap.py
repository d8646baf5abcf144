r"""How much the windows of a prediction must overlap: scores and time at several distances of them.

python scripts/simulate.py --out data/held --population world --series 24 --days 8 --seed 77
python benchmarks/overlap.py --cohort data/held --strides 8640 11520 12960 14400 16200

The shipped weights, or those of ``--workdir``, on simulated people. A line of Markdown for each
stride in steps: processor time in ms for a day, event AP, median absolute error of onset and wakeup
of the windows in minutes, windows that were missed, mean difference of a probability from that of
the first stride.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax import metrics
from sleepjax.data.raw import iter_recordings
from sleepjax.predict import Found, Predictor, load
from sleepjax.types import EVENTS, STEPS_PER_DAY

HEAD = "| stride | ms a day | event AP | onset / wakeup | missed | difference |"
TOGETHER = 16
"""Recordings that are predicted at once."""


def with_stride(predictor: Predictor, stride: int) -> Predictor:
    """The same members, with so many steps from one window to the next."""
    members = []
    for member in predictor.members:
        config = member.config.copy_and_resolve_references()
        config.eval.stride = stride
        members.append(replace(member, config=config))
    return replace(predictor, members=tuple(members))


def scores(found: list[Found], truth: pl.DataFrame) -> list[str]:
    """Event AP, errors of windows, and how many were missed."""
    ap = metrics.event_detection_ap(
        truth.drop_nulls("step"), pl.concat([one.events for one in found])
    )
    windows = pl.concat([one.windows for one in found])
    agreed = metrics.agreement(truth, windows, onset="onset_step", wakeup="wakeup_step")
    errors = [f"{agreed.differences[event].median_absolute:.1f}" for event in EVENTS]
    return [f"{ap:.3f}", " / ".join(errors), f"{agreed.missed} of {agreed.n_truth}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cohort", required=True, type=Path, help="folder of scripts/simulate.py")
    parser.add_argument("--workdir", help="of other weights")
    parser.add_argument("--strides", type=int, nargs="+", required=True)
    args = parser.parse_args()
    recordings = list(iter_recordings(args.cohort / "train_series.parquet"))
    ids = {"series_id": pl.String}
    truth = pl.read_csv(args.cohort / "train_events.csv", schema_overrides=ids)
    days = sum(one.meta.n_steps for one in recordings) / STEPS_PER_DAY
    predictor, reference = load(args.workdir), None
    predictor.find(recordings[0])  # compiles
    print(HEAD, "|---" * (HEAD.count("|") - 1) + "|", sep="\n", flush=True)
    for stride in args.strides:
        one, begin, found = with_stride(predictor, stride), time.process_time(), []
        for i in range(0, len(recordings), TOGETHER):
            found += one.find_each(recordings[i : i + TOGETHER])
        spent = 1e3 * (time.process_time() - begin) / days
        reference = reference or found
        pairs = zip(found, reference, strict=True)
        apart = np.concatenate([np.abs(a.probabilities - b.probabilities) for a, b in pairs])
        cells = [f"{stride:,}", f"{spent:.1f}", *scores(found, truth), f"{apart.mean():.0e}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
