"""Time of event-detection AP at the size of the competition's training data, checked for equality.

python benchmarks/metric.py [--repeats 10] [--oracle-series 277] prints one JSON object: best time
of scoring arrays, of scoring polars frames, of `evaluate`, of 1,000 bootstrap draws, and of the
slow oracle of the tests (on ``--oracle-series`` of the series, both results compared there). Events
and detections are simulated: 277 series, 9,585 events, 161,400 detections, 20 event-tolerance
pairs. Times are in seconds.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.metrics import bootstrap, evaluate, event_detection_ap
from sleepjax.metrics.ap import score_problem
from sleepjax.metrics.arrays import check_tolerances, encode
from sleepjax.types import EVENTS, STEPS_PER_DAY, STEPS_PER_MINUTE, TOLERANCES

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.reference import ap as oracle  # noqa: E402

N_SERIES, N_EVENTS, N_DETECTIONS = 277, (4795, 4790), 80_700


def problem() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events a day apart; detections near events (7 of 10) or anywhere in the recording."""
    rng = np.random.default_rng(0)
    names = pl.Series([f"{i:012x}" for i in rng.integers(0, 2**48, N_SERIES)])
    truth, dets = [], []
    for event, n_events in zip(EVENTS, N_EVENTS, strict=True):
        series = np.sort(rng.integers(0, N_SERIES, n_events))
        night = np.arange(n_events) - np.searchsorted(series, series)
        minute = rng.normal(320, 110, n_events).round().clip(0, 1200)
        step = (night * STEPS_PER_DAY + minute * STEPS_PER_MINUTE).astype(np.int64)
        near = rng.random(N_DETECTIONS) < 0.7
        of = rng.integers(0, n_events, N_DETECTIONS)
        shift = rng.normal(0, 200, N_DETECTIONS).astype(np.int64)
        anywhere = rng.integers(0, step.max(), N_DETECTIONS)
        score = rng.random(N_DETECTIONS) * np.exp(-np.abs(shift) / 200 * near)
        truth.append({"series_id": names[series], "event": event, "step": step})
        dets.append(
            {
                "series_id": names[series[of]],
                "step": np.where(near, (step[of] + shift).clip(0), anywhere),
                "event": event,
                "score": score,
            }
        )
    return pl.concat(map(pl.DataFrame, truth)), pl.concat(map(pl.DataFrame, dets))


def best(function, repeats: int) -> float:
    """Shortest time of several calls."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--oracle-series", type=int, default=N_SERIES)
    args = parser.parse_args()
    solution, submission = problem()
    arrays = encode(solution, submission)
    tolerances = check_tolerances(TOLERANCES, list(arrays.events))

    some = solution["series_id"].unique(maintain_order=True).head(args.oracle_series).to_list()
    truth = solution.filter(pl.col("series_id").is_in(some))
    dets = submission.filter(pl.col("series_id").is_in(some))
    by_event = dict.fromkeys(EVENTS, TOLERANCES)
    rows = truth.rows(), dets.select("series_id", "event", "step", "score").rows()
    begin = time.perf_counter()
    expected = oracle.event_detection_ap(*rows, by_event)
    oracle_seconds = time.perf_counter() - begin
    same = best(lambda: event_detection_ap(truth, dets), args.repeats)
    result = {
        "cores": os.cpu_count(),
        "series": len(arrays.series),
        "events": len(solution),
        "detections": len(submission),
        "ap": event_detection_ap(solution, submission),
        "from_arrays": best(lambda: score_problem(arrays, tolerances), args.repeats),
        "from_frames": best(lambda: event_detection_ap(solution, submission), args.repeats),
        "evaluate": best(lambda: evaluate(solution, submission), args.repeats),
        "bootstrap_1000": best(lambda: bootstrap(solution, submission), 1),
        "oracle_series": len(some),
        "oracle": oracle_seconds,
        "oracle_ratio": oracle_seconds / same,
        "difference": abs(event_detection_ap(truth, dets) - expected),
    }
    print(
        json.dumps(
            {k: round(v, 4) if k not in ("ap", "difference") else v for k, v in result.items()}
        )
    )


if __name__ == "__main__":
    main()
