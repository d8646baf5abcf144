"""benchmarks/accelerator.py on a CPU: every job gives rows or says why not, and it ends in time."""

import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

from sleepjax.config import load_config
from sleepjax.postprocess import find_peaks


@pytest.fixture
def benchmark(project, monkeypatch):
    """Name -> the module of the folder benchmarks."""
    monkeypatch.syspath_prepend(str(project / "benchmarks"))
    return importlib.import_module


def run(project, out, *flags):
    command = [sys.executable, str(project / "benchmarks" / "accelerator.py"), "--out", str(out)]
    done = subprocess.run([*command, "--tiny", *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert (out / "summary.md").read_text().startswith("# Accelerator")
    return rows


@pytest.mark.entry
def test_a_job_that_fails_does_not_stop_the_next_one(project, tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("import os; os._exit(9)")  # worse than an exception
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{project}")
    jobs = ["torch/spec1d/bfloat16/compile", "torch/spec1d/float32/compile", "peaks"]
    first, second, peaks = run(project, tmp_path / "out", "--minutes", "5", "--jobs", *jobs)
    assert first["error"] == second["error"] == "its process ended; see the log"
    assert peaks["job"] == "peaks" and peaks["different"] == 0 and peaks["peaks"] > 0


def test_what_does_not_fit_into_the_time_is_left_out(project, tmp_path):
    rows = run(project, tmp_path / "out", "--minutes", "0.1", "--jobs", "demo", "peaks")
    assert [(row["job"], row["left_out"]) for row in rows] == [
        ("demo", "no time"),
        ("peaks", "no time"),
    ]


@pytest.mark.slow
def test_every_job_runs_at_its_smallest_size(project, tmp_path):
    rows = run(project, tmp_path / "out", "--minutes", "25")
    failed = {row["job"] for row in rows if "error" in row and row.get("variant") != "cuDNN"}
    try:
        importlib.import_module("torch")
        assert not failed
    except ModuleNotFoundError:
        assert all(job.startswith("torch/") for job in failed)
    assert not [row for row in rows if "left_out" in row]
    assert {row["share"] <= 1 for row in rows if row["job"].startswith("trace/")} == {True}


def test_noise_batches_hold_what_the_objective_of_the_shipped_weights_asks_for(project, benchmark):
    config = load_config(project / "configs" / "world.py:tiny")
    update, *args = benchmark("train_step").prepare(config, False)
    _, metrics = update.eval_shape(*args)
    assert metrics["loss"].shape == ()


def test_summary_compares_the_same_model_and_dtype(benchmark):
    ours = dict(job="step/m/bf", model="m", dtype="bf", how="sleepjax", jax="1", device="d")
    ours |= dict(windows_per_second=30.0, gflop_per_window=100.0, peak_tflop_per_second=10.0)
    theirs = [
        dict(job="torch/1", model="m", dtype="bf", how="torch.compile", windows_per_second=20.0),
        dict(job="torch/2", model="m", dtype="bf", how="torch.compile, x", windows_per_second=24.0),
        dict(job="torch/3", model="m", dtype="other", how="torch eager", windows_per_second=90.0),
    ]
    text = benchmark("accelerator_summary").summary([ours, *theirs, dict(job="demo", ap=0.5)])
    assert "| m | bf | 30.0 | torch.compile, x | 24.0 | 1.25 |" in text
    assert theirs[1]["tflop_per_second"] == 2.4 and theirs[1]["share_of_peak"] == 0.24
    assert "tflop_per_second" not in theirs[2] and "- `demo`: ap 0.5" in text


def test_peaks_on_the_device_are_those_of_the_host(benchmark):
    x = np.random.default_rng(0).permutation(3 * 700).reshape(3, 700).astype(np.float32)
    device = np.asarray(benchmark("device_peaks").peaks_of(x, 100.0, 7, 512))
    np.testing.assert_array_equal(device[device[:, 0] >= 0], find_peaks(x, 100.0, 7))


def test_fused_recurrence_and_its_gradient_are_those_of_the_serial_one(benchmark):
    import jax

    kernels = benchmark("recurrence_kernels")
    rng = np.random.default_rng(0)
    keep, add = (rng.uniform(0.2, 1, (9, 2, 3)).astype(np.float32) for _ in range(2))
    loss = lambda function: jax.value_and_grad(
        lambda *a: (function(*a) ** 3).sum(), argnums=(0, 1)
    )(keep, add)
    for ours, expected in zip(
        *(jax.tree.leaves(loss(f)) for f in (kernels.fused, kernels.serial)), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)
