r"""Cost of a stream with the shipped weights: time per sample, memory, size of the state.

python benchmarks/stream.py --days 30 --out runs/stream.json

One simulated person is streamed, some of it sample by sample, the rest by the hour, without live
probabilities and with a latency of 5 minutes. A sample comes every 5 s: a core serves
``streams_per_core`` streams.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

import sleepjax
from sleepjax.progress import Progress
from sleepjax.types import STEP_SECONDS, STEPS_PER_DAY, STEPS_PER_HOUR

ALONE = STEPS_PER_HOUR
"""Samples that are pushed one by one, at the end."""


def parts(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """An hour each, then one sample each."""
    split = len(frame) - ALONE
    for first in range(0, split, STEPS_PER_HOUR):
        yield frame[first : min(first + STEPS_PER_HOUR, split)]
    yield from (frame[i : i + 1] for i in range(split, len(frame)))


def measure(frame: pl.DataFrame, latency: float | None) -> dict[str, float | None]:
    """A row of the table."""
    stream = sleepjax.Stream(sleepjax.load(), "benchmark", latency=latency)
    stream.push(frame[: 2 * STEPS_PER_HOUR])  # compiles
    rest, seconds, slowest = frame[2 * STEPS_PER_HOUR :], {"hour": 0.0, "alone": 0.0}, 0.0
    with Progress(len(rest), f"latency {latency}", "samples") as progress:
        for part in parts(rest):
            begin = time.perf_counter()
            stream.push(part)
            took = time.perf_counter() - begin
            seconds["alone" if len(part) == 1 else "hour"] += took
            slowest = max(slowest, took) if len(part) == 1 else slowest
            progress.advance(len(part))
    per_sample = seconds["alone"] / ALONE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "latency_minutes": latency,
        "ms_per_sample_by_the_hour": round(1e3 * seconds["hour"] / (len(rest) - ALONE), 3),
        "ms_per_sample_alone": round(1e3 * per_sample, 3),
        "slowest_push_ms": round(1e3 * slowest, 1),
        "streams_per_core": round(STEP_SECONDS / per_sample),
        "state_MB": round(len(stream.to_bytes()) / 1e6, 2),
        "peak_memory_MB": round(peak / 1e6),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    frame, _ = sleepjax.simulate(series=1, days=args.days, seed=0)
    frame = frame.select("timestamp", "anglez", "enmo")
    table = []
    for days in (min(10, args.days), args.days):  # memory must not grow between the two
        for latency in (None, 5.0):
            row = {"days": days} | measure(frame.head(days * STEPS_PER_DAY), latency)
            print(json.dumps(row), flush=True)
            table.append(row)
    args.out.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
