r"""Where the time of a prediction goes, from a 5-s file to sleep windows.

python benchmarks/prediction.py --series 40 --days 14 --out benchmarks/results/prediction.json

Simulated recordings in one parquet file, the released weights. One part after the other, each over
all recordings: seconds by the clock and of processor time, and days of recording per second. What
compiling and starting take is apart; `whole` is `scripts/predict.py --no_figures` as a process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sleepjax import postprocess
from sleepjax.data import derived, raw
from sleepjax.inference import Windowing, predict_series
from sleepjax.member import predict_together
from sleepjax.predict import load
from sleepjax.simulation import simulate_cohort
from sleepjax.types import STEPS_PER_DAY

ROOT = Path(__file__).resolve().parent.parent


class Clock:
    """Seconds of named parts."""

    def __init__(self):
        self.parts: dict[str, list[float]] = {}

    def __call__(self, name: str, work):
        """The result of ``work()``, timed."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.parts[name] = [time.perf_counter() - wall, time.process_time() - cpu]
        return result


def parts(path: Path, clock: Clock) -> float:
    """Predict the recordings of a file part by part; returns their days."""
    predictor = clock("load the weights", load)
    rows = clock("read", lambda: list(raw.iter_rows(path)))
    recordings = clock("check and repair", lambda: [one.recording() for one in rows])
    names = [tuple(group[0].config.data.features) for group in predictor.alike]
    prepared = clock(
        "features",
        lambda: {n: [derived.with_features(one, n) for one in recordings] for n in set(names)},
    )
    valid = [np.asarray(one.valid) for one in recordings]
    found = []
    for i, group in enumerate(predictor.alike):
        series, how = prepared[names[i]], Windowing.of(group[0].config)
        together = partial(predict_together, group)
        predict = lambda some, t=together, h=how: list(predict_series(some, t, h))
        clock(f"compile {i}", lambda: predict(series[:1]))  # noqa: B023
        found.append(clock(f"model {i}", lambda: predict(series)))  # noqa: B023
    probs = clock("mean", lambda: [np.mean(each, axis=0) for each in zip(*found, strict=True)])
    each = list(zip(probs, recordings, valid, strict=True))
    clock(
        "decode events",
        lambda: [
            postprocess.with_timestamps(
                postprocess.decode_series(p, r.meta, valid=v, **predictor.post), r.meta
            )
            for p, r, v in each
        ],
    )
    clock(
        "choose windows",
        lambda: [
            postprocess.find_windows(p, r.meta, valid=v, spread=predictor.spread)
            for p, r, v in each
        ],
    )
    return sum(one.meta.n_steps for one in recordings) / STEPS_PER_DAY


WHOLE = """
import sys
from pathlib import Path
from sleepjax.cli import run
from sleepjax.commands.predict import main
code = run(main)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""
"""The command, and then its largest memory in kB; getrusage would count that of its parent, too."""


def whole(path: Path, folder: Path) -> dict[str, float]:
    """The command as a user runs it: seconds, processor time, largest memory."""
    command = [sys.executable, "-c", WHOLE, "--series", str(path), "--no_figures"]
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--out", str(folder / "found.csv")], check=True, stdout=subprocess.PIPE, cwd=ROOT
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = round(int(done.stdout.split()[-1]) / 1e3)
    return {"seconds": time.perf_counter() - begin, "cpu_seconds": cpu, "peak_mb": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_cohort(folder, series=args.series, days=args.days, seed=0)
        path, clock = folder / "train_series.parquet", Clock()
        days = parts(path, clock)
        total: dict[str, Any] = whole(path, folder)
    rows = {
        part: dict(seconds=round(wall, 3), cpu_seconds=round(cpu, 3), days_per_s=round(days / wall))
        for part, (wall, cpu) in clock.parts.items()
    }
    once = ("load the weights", "compile")
    working = sum(wall for part, (wall, _) in clock.parts.items() if not part.startswith(once))
    result = {
        "days": round(days, 1),
        "series": args.series,
        "parts": rows,
        "days_per_s_without_start": round(days / working, 1),
        "whole": {key: round(value, 2) for key, value in total.items()},
        "whole_days_per_s": round(days / total["seconds"], 1),
        "data": "simulated",
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
