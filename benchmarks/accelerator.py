r"""Everything worth knowing about one accelerator, in one command that ends in time.

python benchmarks/accelerator.py --out DIR --minutes 8
python benchmarks/accelerator.py --out DIR --minutes 5 --tiny     # on a CPU, to see that it works

Needs no network and nothing to edit. Jobs run in the order of their importance, each under a time
limit of its own, in one process per library that is started again where a job fails or takes too
long; what does not fit into the minutes is recorded as left out. Every row is written when it is
known: ``DIR/rows.jsonl``, and as tables ``DIR/summary.md``; what the jobs print is in ``DIR/log``.

On the machine: jax 0.10 to 0.12 with its CUDA plugin, flax, optax, orbax-checkpoint, jaxtyping,
numpy, scipy, safetensors, matplotlib, tqdm and absl-py; for the rows of PyTorch, torch with a C
compiler. A machine that has no more than these needs these wheels brought along, for its Python:
polars, polars-runtime-32, ml-collections, tensorboardX, tzdata (versions in constraints.txt).

FLOPs are those of XLA's cost analysis of the traced update (`train_step.compiled`), and PyTorch's
rows are given the same number for the same model: both do the same arithmetic. The peak is what the
maker states for dense products, by the device's name (`train_step.PEAKS`); float32 is computed as
TF32 by both libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from accelerator_jobs import JOBS
from accelerator_summary import summary

START = 40
"""Seconds that a process may take until its first job begins: imports, and finding the device."""
SLOW = 5
"""How much longer everything may take with ``--tiny``: on a CPU that others use, too."""
LEAST = 10
"""Seconds that must be left for a job to be begun."""


def work(names: list[str], out: Path, tiny: bool) -> None:
    """Do some jobs in this process; on standard output a line for each event."""
    say = lambda **event: print(json.dumps({"event": event}), flush=True)
    for name in names:
        say(begin=name)
        job = JOBS[name]
        try:
            for row in job.run(out, tiny):
                say(row={"job": name, **row})
        except Exception as error:  # the next job may work
            say(row={"job": name, "error": f"{type(error).__name__}: {error}"[:500]})
        say(end=name)


def events(process: subprocess.Popen) -> Iterator[tuple[dict, float]]:
    """The events of a process; the consumer sends by when the next one must come.

    Ends where the process does, or where an event is late.
    """
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = yield {}
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            deadline = yield {"late": True}
            return
        if line is None:
            return
        if line.startswith('{"event"'):
            deadline = yield json.loads(line)["event"]


def run_process(names: list[str], args: argparse.Namespace, end: float, write) -> list[str]:
    """Let one process do jobs until it ends or one fails to; returns the jobs that are left."""
    command = [sys.executable, __file__, "--out", str(args.out), "--worker", *names]
    environment = os.environ | {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.9", "PYTHONUNBUFFERED": "1"}
    if not args.tiny:  # compile times are those of a first run
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    patience = SLOW if args.tiny else 1
    with open(args.out / "log", "a") as log, subprocess.Popen(
        command + ["--tiny"] * args.tiny, stdout=subprocess.PIPE, stderr=log, text=True,
        env=environment,
    ) as process:  # fmt: skip
        stream = events(process)
        next(stream)
        left, job, deadline = list(names), "", min(end, time.monotonic() + patience * START)
        try:
            while left:
                event = stream.send(deadline)
                if "row" in event:
                    write(event["row"])
                elif "begin" in event:
                    job, now = event["begin"], time.monotonic()
                    begun, deadline = now, min(end, now + patience * JOBS[job].limit)
                    if end - now < LEAST:
                        return left
                elif "end" in event:
                    left.remove(job)
                    job, deadline = "", min(end, time.monotonic() + patience * START)
                elif event:
                    name = job or left[0]
                    text = f"stopped after {time.monotonic() - begun:.0f} s" if job else "no start"
                    write({"job": name, "error": f"{text}; see the log"})
                    return [other for other in left if other != name]
        except StopIteration:
            write({"job": job or left[0], "error": "its process ended; see the log"})
            return [name for name in left if name != (job or left[0])]
        finally:
            process.kill()
    return left


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=8.0, help="ends after so many")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), help="only these")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(args.worker, args.out, args.tiny)
    begin = time.monotonic()
    end = begin + 60 * args.minutes
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []

    def write(row: dict[str, Any]) -> None:
        rows.append(row | {"at_s": round(time.monotonic() - begin, 1)})
        with open(args.out / "rows.jsonl", "a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        (args.out / "summary.md").write_text(summary(rows))
        print(json.dumps(rows[-1]), flush=True)

    left = args.jobs or list(JOBS)
    while left and end - time.monotonic() > LEAST:
        alike = lambda name, first=left[0]: JOBS[name].library == JOBS[first].library
        batch = list(takewhile(alike, left))
        left = run_process(batch, args, end, write) + left[len(batch) :]
    for name in left:
        write({"job": name, "left_out": "no time"})


if __name__ == "__main__":
    main()
