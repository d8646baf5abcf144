"""Time and memory from a device file of 7 days at 100 Hz to 5-second epochs, and wristpy's.

python benchmarks/devices.py --out benchmarks/results/devices.json
python -m venv wp && wp/bin/pip install wristpy==0.2.10
python benchmarks/devices.py --wristpy wp/bin/python --out benchmarks/results/devices.json

Writes a simulated recording as a GENEActiv .bin file (60 million samples, 770 MB) and as parquet,
and reads each in a process of its own: time with imports, peak memory of the process plus that of
its largest helper times their number. wristpy does on the same .bin file what is compared: it
reads, calibrates (its ggir method) and computes enmo, anglez and non-wear.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sleepjax.simulation.populations import simulate_series
from sleepjax.simulation.raw_samples import Watch, raw_blocks, write_raw
from tests.support import geneactiv

OURS = """
import json, resource, sys
from pathlib import Path
from sleepjax.devices import recordings
if __name__ == "__main__":
    jobs = int(sys.argv[2])
    (one,) = recordings(sys.argv[1], tz="America/New_York", jobs=jobs)
    own, theirs = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    helpers = theirs.ru_maxrss * (jobs if jobs > 1 else 0)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    frame = one.frame
    print(json.dumps({
        "epochs": frame.height,
        "enmo": float(frame["enmo"].mean()),
        "anglez": float(frame["anglez"].mean()),
        "calibration": one.quality["calibration"],
        "cpu_seconds": round(sum(u.ru_utime + u.ru_stime for u in (own, theirs)), 1),
        "peak_mb": round((peak + helpers) / 1000),
    }))
"""
WRISTPY = """
import json, resource, sys
from pathlib import Path
from wristpy.io.readers import readers
from wristpy.processing import calibration, metrics
watch = readers.read_watch_data(Path(sys.argv[1]))
raw = calibration.CalibrationDispatcher("ggir").run(watch.acceleration)
enmo = metrics.euclidean_norm_minus_one(raw)
anglez = metrics.angle_relative_to_horizontal(raw)
nonwear = metrics.detect_nonwear(raw)
own = resource.getrusage(resource.RUSAGE_SELF)
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({
    "epochs": len(enmo.measurements),
    "enmo": float(enmo.measurements.mean()),
    "anglez": float(anglez.measurements.mean()),
    "cpu_seconds": round(own.ru_utime + own.ru_stime, 1),
    "peak_mb": round(peak / 1000),
}))
"""


def measure(python: str, code: str, *args: str) -> dict:
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(code)
        script.flush()
        begin = time.perf_counter()
        done = subprocess.run([python, script.name, *args], capture_output=True, text=True)
        seconds = time.perf_counter() - begin
    if done.returncode:
        return {"seconds": round(seconds, 1), "failed": done.stderr.strip().splitlines()[-1]}
    return {"seconds": round(seconds, 1)} | json.loads(done.stdout)


def write_files(folder: Path, days: float, rate: float) -> dict[str, Path]:
    series = simulate_series(0, 0, days)
    watch = Watch(rate=rate)
    blocks = (xyz for _, xyz in raw_blocks(series, watch))
    start = datetime.fromtimestamp(series.clock.start, UTC)
    n_samples = int(len(series.anglez) * 5 * rate)
    geneactiv.write(folder / "week.bin", blocks, rate, start, n_samples=n_samples)
    write_raw(folder / "week.parquet", series, watch)
    np.savez(folder / "truth.npz", anglez=series.anglez, enmo=series.enmo)
    return {"GENEActiv .bin": folder / "week.bin", "parquet": folder / "week.parquet"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--wristpy", help="python of an environment that has wristpy")
    parser.add_argument("--folder", help="keep the files here, and use those that are there")
    parser.add_argument("--out", help="JSON file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.folder or temporary)
        folder.mkdir(exist_ok=True)
        files = {"GENEActiv .bin": folder / "week.bin", "parquet": folder / "week.parquet"}
        if not all(path.exists() for path in files.values()):
            files = write_files(folder, args.days, args.rate)
        samples = int(args.days * 86_400 * args.rate)
        result: dict = {"data": "simulated", "samples": samples, "sleepjax": {}}
        for name, path in files.items():
            for jobs in ("1",) if name == "parquet" else ("2", "1"):
                runs = [measure(sys.executable, OURS, str(path), jobs) for _ in range(args.repeats)]
                best = min(runs, key=lambda run: run["seconds"])
                best["megabytes"] = round(path.stat().st_size / 1e6)
                result["sleepjax"][f"{name}, {jobs} processes"] = best
                print(name, jobs, json.dumps(best), flush=True)
        if args.wristpy:
            theirs = measure(args.wristpy, WRISTPY, str(files["GENEActiv .bin"]))
            ours = result["sleepjax"]["GENEActiv .bin, 2 processes"]
            result["wristpy"] = theirs
            result["times_faster"] = round(theirs["seconds"] / ours["seconds"], 1)
            print("wristpy", json.dumps(theirs), result["times_faster"], flush=True)
    if args.out:
        Path(args.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
