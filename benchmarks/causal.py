r"""Scores of runs at latencies of 5, 15 and 60 minutes, beside those of the whole recording.

python benchmarks/causal.py --workdir runs/causal runs/spec1d --out runs/causal.json

Each run is scored on its own validation participants: one with a latency of its own (eval.latency)
at all three, others as usual, ``offline``. At a latency, the prediction of a step comes from a
window that ends at most that long after it. What was worn is known in hindsight here, as in the
run's validation; in a stream a watch that lies still counts as worn for up to six hours.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax import metrics, postprocess
from sleepjax.data import source
from sleepjax.inference import Windowing, predict_series
from sleepjax.live.stream import BLOCK
from sleepjax.predict import Member, Predictor, load
from sleepjax.progress import Progress
from sleepjax.types import STEPS_PER_MINUTE

MINUTES = (5, 15, 60)


def score(member: Member, post: dict[str, Any], data: Any, how: Windowing) -> float:
    """Event AP on the validation series."""
    found = []
    series = predict_series(data.valid, member.predict_fn, how)
    with Progress(
        len(data.valid), f"latency {how.latency // STEPS_PER_MINUTE} min", "series"
    ) as progress:
        for one, probs in zip(data.valid, series, strict=True):
            valid = np.asarray(one.valid)
            found.append(postprocess.decode_series(probs, one.meta, valid=valid, **post))
            progress.advance()
    return metrics.evaluate(data.solution, pl.concat(found)).ap


def rows(workdir: Path, predictor: Predictor) -> list[dict[str, Any]]:
    """A row for each latency of a run, or one."""
    (member,) = predictor.members
    config = member.config
    data = source.open_training_data(config.data, config.simulate)
    own = Windowing.of(config)
    at = lambda minutes: replace(own, stride=BLOCK, latency=minutes * STEPS_PER_MINUTE)
    each = {f"{m} min": at(m) for m in MINUTES} if own.latency else {"offline": own}
    found = []
    for name, how in each.items():
        begin = time.monotonic()
        ap = score(member, predictor.post, data, how)
        row = {"run": workdir.name, "latency": name, "event_ap": round(ap, 4)}
        row |= {"simulated": data.simulated, "seconds": round(time.monotonic() - begin, 1)}
        print(json.dumps(row), flush=True)
        found.append(row)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workdir", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    table = [row for workdir in args.workdir for row in rows(workdir, load(workdir))]
    args.out.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
