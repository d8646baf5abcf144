"""Time and peak memory of prepare on a simulated cohort, and on one twice as large.

python benchmarks/prepare.py [--series 30 --days 25 --repeats 3] prints one JSON object per cohort.
Each measurement is a process of its own, imports included in its memory but not in its time. Of the
seconds, ``cpu_seconds`` are those of all threads together, which other work hardly changes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from sleepjax.simulation import simulate_cohort

MEASURE = """
import json, sys, time
from pathlib import Path
from sleepjax.data.store import prepare
from sleepjax.runs.runtime import keep_freed_memory
keep_freed_memory()  # as the command does
begin, cpu = time.perf_counter(), time.process_time()
store = prepare(sys.argv[1], sys.argv[2], "train", quiet=True)
seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
steps = sum(store.meta(series_id).n_steps for series_id in store.series_ids)
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1e3
print(json.dumps({"steps": steps, "seconds": seconds, "cpu": cpu, "peak_mb": peak}))
"""


def measure(data: Path, out: Path) -> dict:
    command = [sys.executable, "-c", MEASURE, str(data), str(out)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=30)
    parser.add_argument("--days", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for series in (args.series, 2 * args.series):
            data = Path(folder, f"cohort{series}")
            simulate_cohort(data, series=series, days=args.days, seed=0)
            runs = [measure(data, data / f"out{i}") for i in range(args.repeats)]
            best = min(runs, key=lambda run: run["seconds"])
            result = {
                "series": series,
                "steps": best["steps"],
                "seconds": [round(run["seconds"], 2) for run in runs],
                "cpu_seconds": [round(run["cpu"], 2) for run in runs],
                "best_million_steps_per_s": round(best["steps"] / best["seconds"] / 1e6, 2),
                "peak_mb": [round(run["peak_mb"]) for run in runs],
                "rerun_seconds": round(measure(data, data / "out0")["seconds"], 2),
                "data": "simulated",
            }
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
