r"""Where the time of a prediction goes, from a 5-s file to sleep windows.

python benchmarks/prediction.py --series 40 --days 14 --out benchmarks/results/prediction.json
python benchmarks/prediction.py --series 40 --days 14 --workdir small

Simulated recordings in one parquet file, the released weights or others: milliseconds per day of
recording, by the clock and of processor time. First one part after the other, group by group as
`scripts/predict.py` takes them; then `together`, as it runs them, in threads; at last `whole`, the
command with --no_figures as a process. What starting and compiling take is apart.
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
from pathlib import Path
from typing import Any

import numpy as np

from sleepjax import postprocess
from sleepjax.commands.predict import answers, in_groups
from sleepjax.data import derived
from sleepjax.data.raw import Rows
from sleepjax.devices.series import count_rows, iter_recordings, iter_rows
from sleepjax.inference import Windowing, predict_series
from sleepjax.member import predict_together
from sleepjax.predict import Predictor, load
from sleepjax.runs.runtime import keep_freed_memory
from sleepjax.simulation import simulate_cohort
from sleepjax.types import STEPS_PER_DAY

ROOT = Path(__file__).resolve().parent.parent
ONCE = ("load the weights", "first recording")
"""What is paid once, whatever the number of recordings."""


class Clock:
    """Seconds of named parts: by the clock, and of processor time."""

    def __init__(self):
        self.parts: dict[str, np.ndarray] = {}

    def __call__(self, name: str, work):
        """The result of ``work()``, its time added to that of the part."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        took = np.array([time.perf_counter() - wall, time.process_time() - cpu])
        self.parts[name] = self.parts.get(name, 0) + took
        return result


def in_turn(rows: list[Rows], predictor: Predictor, clock: Clock) -> int:
    """Predict the recordings of a group part by part; returns their steps."""
    recordings = clock("check and repair", lambda: [one.recording() for one in rows])
    found = []
    for members in predictor.alike:
        names, how = tuple(members[0].config.data.features), Windowing.of(members[0].config)
        seen = clock("features", lambda: [derived.with_features(one, names) for one in recordings])  # noqa: B023
        together = predict_together(members)
        found.append(clock("model", lambda: list(predict_series(seen, together, how))))  # noqa: B023
    probs = found[0]
    if len(found) > 1:
        probs = clock("mean", lambda: [np.mean(p, axis=0) for p in zip(*found, strict=True)])
    each = [(p, r.meta, np.asarray(r.valid)) for p, r in zip(probs, recordings, strict=True)]
    decode, choose = postprocess.decode_series, postprocess.find_windows
    post, spread = predictor.post, predictor.spread
    events = lambda p, meta, v: postprocess.with_timestamps(decode(p, meta, valid=v, **post), meta)
    clock("decode events", lambda: [events(*one) for one in each])
    clock("choose windows", lambda: [choose(p, m, valid=v, spread=spread) for p, m, v in each])
    return sum(one.meta.n_steps for one in recordings)


def parts(path: Path, workdir: str | None, clock: Clock) -> float:
    """Predict the recordings of a file in turn and together; returns their days."""
    keep_freed_memory()
    predictor = clock("load the weights", lambda: load(workdir))
    clock("first recording", lambda: predictor.find(next(iter_recordings(path))).windows)
    clock("count rows", lambda: count_rows(path))
    groups, steps = in_groups(iter_rows(path)), 0
    while rows := clock("read", lambda: next(groups, None)):
        steps += in_turn(rows, predictor, clock)
    clock("together", lambda: list(answers(path, predictor, {})))
    return steps / STEPS_PER_DAY


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


def whole(path: Path, workdir: str | None, folder: Path) -> dict[str, float]:
    """The command as a user runs it: seconds, processor time, largest memory."""
    command = [sys.executable, "-c", WHOLE, "--series", str(path), "--no_figures"]
    command += ["--workdir", workdir] if workdir else []
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
    parser.add_argument("--workdir", help="weights, as of scripts/predict.py")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_cohort(folder, series=args.series, days=args.days, seed=0)
        path, clock = folder / "train_series.parquet", Clock()
        days = parts(path, args.workdir, clock)
        total: dict[str, Any] = whole(path, args.workdir, folder)
    once = {part: clock.parts.pop(part) for part in ONCE}
    rows = {
        part: {
            "ms_per_day": round(1e3 * wall / days, 3),
            "cpu_ms_per_day": round(1e3 * cpu / days, 3),
        }
        for part, (wall, cpu) in clock.parts.items()
    }
    result = {
        "weights": args.workdir or "release",
        "days": round(days, 1),
        "series": args.series,
        "once": {part: round(cpu, 2) for part, (_, cpu) in once.items()},
        "parts": rows,
        "days_per_s_together": round(days / clock.parts["together"][0], 1),
        "whole": {key: round(value, 2) for key, value in total.items()},
        "whole_days_per_s": round(days / total["seconds"], 1),
        "data": "simulated",
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
