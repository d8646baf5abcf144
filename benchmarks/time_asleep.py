r"""How long people slept within their sleep windows, against polysomnography.

python benchmarks/time_asleep.py --series nights.parquet --stages sleep.parquet

Recordings of a night each, and of each step whether the person slept (series_id, step, asleep).
Within the main sleep that the shipped weights find, minutes asleep by three rules are compared with
the stages: P(asleep) of at least 0.5, sustained inactivity (van Hees 2015), and both, which is the
rule of `sleepjax.nights`. One line of JSON for each: mean error and mean absolute error in minutes,
and the correlation of the share of the window that was slept.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import polars as pl

import sleepjax
from sleepjax.data.raw import iter_recordings
from sleepjax.nights import scoring
from sleepjax.types import STEPS_PER_MINUTE


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", required=True, help="recordings, a night each")
    parser.add_argument("--stages", required=True, help="series_id, step, asleep, parquet")
    args = parser.parse_args(argv)
    stages, predictor = pl.read_parquet(args.stages), sleepjax.load()
    minutes: dict[str, list[tuple[float, ...]]] = {}
    for recording in iter_recordings(args.series):
        found = predictor.find(recording)
        meta, probs = recording.meta, found.probabilities
        windows = found.windows.filter("main")
        scored = scoring.scored(recording, probs, windows)
        main_sleep, worn = scored.spans, scored.wear.worn
        truth = stages.filter(series_id=meta.series_id).sort("step")["asleep"]
        known, slept = truth.is_not_null().to_numpy(), truth.fill_null(False).to_numpy()
        certain = np.ones_like(probs)
        rules = {
            "P(asleep)": probs[:, 0] >= scoring.SURE,
            "still": scoring.states(recording, certain, main_sleep, worn) == scoring.ASLEEP,
            "both": scored.state == scoring.ASLEEP,
        }
        for first, end in main_sleep:
            inside = np.zeros(meta.n_steps, bool)
            inside[first:end] = True
            inside &= known
            sums = [float((mask & inside).sum()) / STEPS_PER_MINUTE for mask in (slept, inside)]
            for rule, mask in rules.items():
                asleep = float((mask & inside).sum()) / STEPS_PER_MINUTE
                minutes.setdefault(rule, []).append((asleep, *sums))
    for rule, rows in minutes.items():
        ours, true, window = np.array(rows).T
        error, together = ours - true, np.corrcoef(ours / window, true / window)[0, 1]
        row = {"rule": rule, "nights": len(rows), "mean_error": round(float(error.mean()), 1)}
        row |= {"mean_absolute": round(float(np.abs(error).mean()), 1)}
        print(json.dumps(row | {"correlation": round(float(together), 2)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
