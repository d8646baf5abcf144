"""scripts/prepare_data.py as a user runs it, kills included."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from sleepjax.data.store import open_store, prepare
from tests.reference.series import nights, rows, tree, write_cohort

pytestmark = pytest.mark.entry

KILLS = 4


def command(project, data, out, *more):
    script = str(project / "scripts" / "prepare_data.py")
    return [
        sys.executable,
        script,
        "--data",
        str(data),
        "--phase",
        "train",
        "--out",
        str(out),
        *more,
    ]


def run(project, data, out, *more):
    return subprocess.run(
        command(project, data, out, *more), capture_output=True, text=True, timeout=60, cwd=project
    )


def test_prepare_rerun_and_errors(project, tmp_path):
    frames = [rows(500, enmo=[None] + [0.1, 0.2] * 249 + [0.3]), rows(30, "b2")]
    data = write_cohort(tmp_path / "raw", frames, "train", nights("a1", [(12, None)]))
    first = run(project, data, tmp_path / "out")
    assert first.returncode == 0, first.stderr
    assert "2 series of 530 steps; 2 series written, 0 were there already" in first.stderr
    assert "samples empty, NaN or infinite (masked): 1, in a1 (1)" in first.stderr
    assert "nights with only one of the two events (unknown): 1" in first.stderr
    assert "series without a row in the event file (nothing known of them): 1" in first.stderr
    again = run(project, data, tmp_path / "out")
    assert "nothing to do" in again.stderr
    assert again.stdout == first.stdout
    pl.concat(frames).rename({"enmo": "ENMO"}).write_parquet(data / "train_series.parquet")
    failed = run(project, data, tmp_path / "new")
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: train_series.parquet: column 'enmo' is missing")
    assert failed.stderr.count("\n") == 1
    failed = run(project, data, tmp_path / "out")
    assert "out: inputs or settings changed" in failed.stderr


def kill_while_preparing(arguments, out: Path, n_files: int) -> bool:
    """Start prepare, kill -9 it once ``n_files`` stand in ``out``; False if it finished before."""
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and sum(len(names) for _, _, names in os.walk(out)) < n_files:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def check_kills(project, tmp_path, kills: int, frames, seed: int) -> int:
    """Kill, kill the rerun too, finish, compare. Returns how many kills hit a running process."""
    data = write_cohort(
        tmp_path / "raw", frames, "train", nights(frames[0]["series_id"][0], [(12, 60)])
    )
    prepare(data, tmp_path / "want", "train", quiet=True)
    want = tree(tmp_path / "want")
    rng, hits = random.Random(seed), 0
    for k in range(kills):
        out = tmp_path / f"out{k}"
        for _ in range(2):
            hits += kill_while_preparing(command(project, data, out), out, rng.randrange(len(want)))
            leftover = out / "manifest.json"
            assert not leftover.exists() or open_store(out)
        prepare(data, out, "train", quiet=True)
        assert tree(out) == want
    return hits


def test_kill_9_at_random_moments_loses_nothing(project, tmp_path):
    frames = [rows(300, f"s{i:02d}", seed=i) for i in range(30)]
    assert check_kills(project, tmp_path, KILLS, frames, seed=0) >= KILLS


@pytest.mark.slow
def test_kill_9_fifty_times(project, tmp_path):
    frames = [rows(17_280, f"s{i:02d}", seed=i) for i in range(30)]
    assert check_kills(project, tmp_path, 25, frames, seed=1) >= 40
