"""Speed and memory of `sleepjax process` on many short recordings, and where the time goes.

python benchmarks/process.py [--files 200 --days 1 --jobs 2] prints one JSON object; with
--no_reports it leaves out the run that draws a page for each recording. The recordings
are of simulated people, cut from a few and shifted so that no two are alike. Memory is the largest
of the command and of its processes, in its middle and in its last third: it is flat where the two
agree. --files 10000 --no_reports is the full measurement: four
minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from sleepjax.types import STEPS_PER_DAY

PROJECT = Path(__file__).parents[1]
PAGE = os.sysconf("SC_PAGE_SIZE")


def recordings(folder: Path, files: int, days: float) -> None:
    """Write the files, a hundred in each folder."""
    from sleepjax.simulation import simulate

    series, _ = simulate(series=8, days=days + 1, seed=0)
    parts = series.partition_by("series_id", maintain_order=True)
    length = int(days * STEPS_PER_DAY)
    for number in range(files):
        part = parts[number % len(parts)]
        first = number // len(parts) * 7 % (part.height - length)
        name = f"r{number:06}"
        (folder / name[:5]).mkdir(parents=True, exist_ok=True)
        cut = part[first : first + length].with_columns(series_id=pl.lit(name))
        cut.write_parquet(folder / name[:5] / f"{name}.parquet")


def memory(pid: int) -> dict[int, float]:
    """MB of a process and of those that it started."""
    found = {}
    for one in [pid, *children(pid)]:
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue  # it has ended
        found[one] = pages * PAGE / 1e6
    return found


def children(pid: int) -> list[int]:
    try:
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def measure(data: Path, out: Path, jobs: int, *flags: str) -> dict:
    """One run of the command, watched."""
    command = [sys.executable, str(PROJECT / "scripts" / "process.py"), str(data)]
    command += ["--out", str(out), "--jobs", str(jobs), *flags]
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = []
    while child.poll() is None:
        used = memory(child.pid)
        parent = used.pop(child.pid, 0.0)
        samples.append((time.perf_counter() - begin, parent, max(used.values(), default=0.0)))
        time.sleep(0.25)
    seconds = time.perf_counter() - begin
    third = lambda low, high: [s for s in samples if low * seconds / 3 <= s[0] < high * seconds / 3]
    worst = lambda some: [round(max((s[i] for s in some), default=0)) for i in (1, 2)]
    return {
        "exit_code": child.returncode,
        "seconds": round(seconds, 1),
        "mb_command_and_process_middle_third": worst(third(1, 2)),
        "mb_command_and_process_last_third": worst(third(2, 3)),
    }


def parts_of_one(path: Path) -> dict[str, float]:
    """Seconds of each part of the work on one file, in this process, after a first file."""
    from sleepjax import nights
    from sleepjax.processing import worker
    from sleepjax.processing.recipe import Settings

    (read,) = worker._read(path, Settings(), 1)
    assert isinstance(read, tuple)
    predictor = worker.model(None)
    find = lambda: next(predictor.find_each([read[1]], fitted=True))
    find()  # compiles
    seconds = {}

    def timed(name, function):
        begin = time.perf_counter()
        result = function()
        seconds[name] = round(time.perf_counter() - begin, 4)
        return result

    timed("read", lambda: list(worker._read(path, Settings(), 1)))
    found = timed("find", find)
    of = found.recording, found.probabilities, timed("windows", lambda: found.windows)
    scored = timed("scoring", lambda: nights.scored(*of))
    table = timed("nights", lambda: nights.nights_table(scored))
    rows = timed("recordings", lambda: nights.recordings_table(scored))
    people = timed("people", lambda: nights.people_table(table, rows))
    page = path.with_suffix(".html")
    made = {"simulated": True, "settings": {}}
    write = lambda: nights.write_person_report(
        page, scored, nights=table, people=people, made_with=made
    )
    timed("report", write)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no_reports", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder, "in"), Path(folder, "out")
        recordings(data, args.files, args.days)
        result: dict = {"files": args.files, "days_each": args.days, "jobs": args.jobs}
        runs = {"tables": ["--no_reports"], "tables_and_reports": []}
        for name, flags in list(runs.items())[: 1 if args.no_reports else 2]:
            result[name] = measure(data, Path(f"{out}-{name}"), args.jobs, *flags)
            days = args.files * args.days / result[name]["seconds"]
            result[name]["days_per_second"] = round(days, 1)
        result["again"] = measure(data, Path(f"{out}-tables"), args.jobs, "--no_reports")
        result["seconds_of_one"] = parts_of_one(next(data.glob("*/*.parquet")))
        print(json.dumps(result | {"data": "simulated"}))


if __name__ == "__main__":
    main()
