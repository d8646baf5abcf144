r"""Kill training and preparation with SIGKILL at random moments; nothing may be lost.

python benchmarks/kills.py --kills 100 --out kills.json

Trains the tiny config in a process of its own, kills it at a random moment after its start or its
resuming (steps, saves, validations) and starts it again, until the wished number of kills is
reached; then lets it finish and compares every array of the state, and the metrics, with a run that
nobody killed. ``steps_lost`` counts the steps from where a process begins to the newest checkpoint
that was there just before the kill, or after it. ``inside_a_save`` counts the kills at which a save
was in progress: this very process left a half-written checkpoint. The
same with prepare, comparing every byte. Every tenth kill is reported on stderr.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sleepjax.data.store_files import LOCK
from sleepjax.runs import checkpoints

PROJECT = Path(__file__).resolve().parent.parent
RESUMED = re.compile(r"(?:resuming \S+|is finished) at step (\d+) of")
"""What a run says that takes up a checkpoint, after its last step too (`loop.resumption`)."""
SETTINGS = [
    "--config.total_steps=40",
    "--config.log_every=5",
    "--config.ckpt_every=1",
    "--config.eval.every=10",
    "--config.ema=0.99",
]


def train_command(data: Path, workdir: Path) -> list[str]:
    config = f"{PROJECT / 'configs' / 'spec1d.py'}:tiny"
    root = f"--config.data.root={data}"
    script = str(PROJECT / "scripts" / "train.py")
    return [sys.executable, script, "--config", config, "--workdir", str(workdir), root, *SETTINGS]


def prepare_command(data: Path, out: Path) -> list[str]:
    script = str(PROJECT / "scripts" / "prepare_data.py")
    return [sys.executable, script, "--data", str(data), "--phase", "train", "--out", str(out)]


def newest_step(workdir: Path) -> int:
    """The newest step whose checkpoint is complete; 0 without any."""
    return checkpoints.newest(workdir) or 0


def save_was_cut(workdir: Path, since: float) -> bool:
    """Whether a save that wrote after ``since`` is not whole: what older kills left is too old."""
    folders = (workdir / checkpoints.FOLDER).glob("*/*.saving")
    return any(path.stat().st_ctime >= since for path in folders)


def start_training(data: Path, workdir: Path, log: Path) -> subprocess.Popen:
    """A training process that has begun to step, or has ended; what it says goes to ``log``."""
    with log.open("w") as stream:
        process = subprocess.Popen(train_command(data, workdir), stdout=stream, stderr=stream)
    new = "all parameters"  # the last line of the table that a new run prints
    while process.poll() is None and not (new in (text := log.read_text()) or RESUMED.search(text)):
        time.sleep(0.01)
    return process


def kill_training(data: Path, folder: Path, kills: int, rng: random.Random) -> dict:
    whole, broken, log = folder / "whole", folder / "broken", folder / "log"
    seconds = 0.0
    for _ in range(2):  # the second time compiled functions come from the cache
        shutil.rmtree(whole, ignore_errors=True)
        process, begin = start_training(data, whole, log), time.monotonic()
        if process.wait():
            raise SystemExit(f"failed without any kill:\n{log.read_text()}")
        seconds = time.monotonic() - begin
    done = finished = resumed = lost = unreadable = cut = saved = 0
    equal = True
    while done < kills or (broken / "config.json").exists():
        process = start_training(data, broken, log)
        begun, seen = time.time(), 0
        try:
            process.wait(timeout=rng.uniform(0, 0.5 * seconds) if done < kills else None)
        except subprocess.TimeoutExpired:
            seen = newest_step(broken)
            process.kill()
            process.wait()
        text = log.read_text()
        if process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"failed after {done} kills:\n{text}")
        unreadable += text.count("Going back to step")
        at = RESUMED.search(text)
        resumed += at is not None
        lost += max(saved - (int(at[1]) if at else 0), 0)  # begun anew, all is lost
        saved = max(seen, newest_step(broken))
        if process.returncode == -signal.SIGKILL:  # else it ended just before
            done += 1
            cut += save_was_cut(broken, begun)
            if done % 10 == 0:
                print(f"training: {done} of {kills} kills, {lost} steps lost", file=sys.stderr)
        else:  # compare, and begin again from nothing
            finished += 1
            equal &= states_equal(whole, broken) and scores(whole) == scores(broken)
            shutil.rmtree(broken)
            saved = 0
    result = dict(kills=done, inside_a_save=cut, finished=finished, resumed=resumed)
    result |= dict(steps_lost=lost, unreadable=unreadable, equal=equal)
    return result | dict(seconds_of_steps_without_kills=round(seconds, 1))


def states_equal(a: Path, b: Path) -> bool:
    import jax
    import orbax.checkpoint as ocp

    def load(workdir: Path, kind: str):
        step = checkpoints.newest(workdir, kind)
        folder = workdir / checkpoints.FOLDER / kind / str(step) / checkpoints.STATE
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
            return step, jax.tree.leaves(reader.restore(folder))

    for kind in ("latest", "best"):
        (step_a, tree_a), (step_b, tree_b) = load(a, kind), load(b, kind)
        arrays = zip(tree_a, tree_b, strict=True)
        if step_a != step_b or not all(np.array_equal(x, y) for x, y in arrays):
            return False
    return True


def scores(workdir: Path) -> list[dict]:
    """The validation lines; training lines are means since the last line *or resume*."""
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if "valid/loss" in row]


def kill_prepare(data: Path, folder: Path, kills: int, rng: random.Random) -> dict:
    whole, broken = folder / "store", folder / "broken-store"
    begin = time.monotonic()
    subprocess.run(prepare_command(data, whole), check=True, capture_output=True)
    seconds = time.monotonic() - begin
    done = finished = 0
    while done < kills:
        process = subprocess.Popen(
            prepare_command(data, broken), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=rng.uniform(0.2, 1.1 * seconds))
            finished += 1
            shutil.rmtree(broken)  # begin again from nothing
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
            if done % 10 == 0:
                print(f"prepare: {done} of {kills} kills", file=sys.stderr)
    last = subprocess.run(prepare_command(data, broken), capture_output=True, text=True)
    if last.returncode:
        raise SystemExit(f"prepare failed after {done} kills:\n{last.stderr}")
    return dict(kills=done, finished=finished, equal=digest(whole) == digest(broken))


def digest(folder: Path) -> dict[str, str]:
    """Hash of each file of a store; its lock, which names the last process, is none of it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


PARTS = {"prepare": kill_prepare, "training": kill_training}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--only", choices=PARTS, help="leave the other out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="write the result as JSON")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "xla")
        simulate = [sys.executable, str(PROJECT / "scripts" / "simulate.py")]
        data = folder / "data"
        size = ["--series", "6", "--days", "3", "--out", str(data)]
        subprocess.run([*simulate, *size], check=True, capture_output=True)
        result = {
            name: part(data, folder, args.kills, rng)
            for name, part in PARTS.items()
            if args.only in (None, name)
        }
    print(json.dumps(result, indent=2))
    if args.out:
        Path(args.out).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
