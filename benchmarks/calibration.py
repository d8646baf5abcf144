r"""Whether an event's score means what it says: finished runs' scores against the share found true.

python benchmarks/calibration.py runs/grid/centernet-12-17280-0 runs/grid/detr-12-17280-0

A markdown table: per run and bin of scores the share of detections that match an event at less than
5 / 30 minutes, with their number, and the mean gap of score and share (ECE). Detections below 0.02
are left out: there are thousands, and all are nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from sleepjax.evaluation.calibration import reliability
from sleepjax.evaluation.compare import read_run
from sleepjax.metrics import evaluate
from sleepjax.types import STEPS_PER_MINUTE, InputError

LOWEST = 0.02
BINS = 5
MINUTES = (5, 30)


def row(workdir: Path) -> list[str]:
    """The run's line of the table."""
    run = read_run(workdir, workdir.name)
    result = evaluate(run.solution, run.events)
    score = {event: arrays.det_score for event, arrays in result.problem.events.items()}
    kept = {event: values >= LOWEST for event, values in score.items()}
    given = np.concatenate([np.clip(score[event][kept[event]], 0, 1) for event in score])
    curves = []
    for minutes in MINUTES:
        right = {event: np.zeros(len(values), bool) for event, values in score.items()}
        for event, found in right.items():
            found[result.pairs[event, minutes * STEPS_PER_MINUTE].det] = True
        outcome = np.concatenate([right[event][kept[event]] for event in score])
        curves.append(reliability(given, outcome, BINS))
    shares = [
        " / ".join(f"{curve.observed[k]:.2f}" for curve in curves) + f" ({curves[0].count[k]})"
        if curves[0].count[k]
        else "–"
        for k in range(BINS)
    ]
    gaps = " / ".join(f"{curve.ece:.3f}" for curve in curves)
    return [f"`{workdir.name}`", *shares, gaps, f"{result.ap:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="finished runs")
    args = parser.parse_args()
    edges = [f"{k / BINS:.1f} to {(k + 1) / BINS:.1f}" for k in range(BINS)]
    head = ["run", *edges, "mean gap", "event AP"]
    try:
        lines = [head, ["---"] * len(head), *map(row, args.runs)]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    main()
