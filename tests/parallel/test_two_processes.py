"""Two processes over loopback train the same run as one, through a kill and a resume."""

import os
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from sleepjax.parallel import processes
from sleepjax.runs import log
from sleepjax.runs.checkpoints import MANIFEST
from sleepjax.types import InputError
from tests.support.project import QUICK
from tests.support.runs import final_state


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(project, tmp_path, flags, devices, processes):
    """Start the tiny config in so many processes of so many fake devices each."""
    env = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} {QUICK}",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, str(project / "scripts" / "train.py")]
    command += ["--config", str(project / "configs" / "spec1d.py:tiny"), *flags]
    joined = ["--coordinator", f"127.0.0.1:{free_port()}", "--num_processes", str(processes)]
    found = []
    for i in range(processes):
        with (tmp_path / f"log{i}").open("w") as log:
            one = [*command, *joined, "--process_id", str(i)]
            found.append(subprocess.Popen(one, env=env, cwd=tmp_path, stdout=log, stderr=log))
    return found


def logs(tmp_path, processes=2) -> str:
    parts = [(tmp_path / f"log{i}").read_text() for i in range(processes)]
    return "\n---- process ----\n".join(parts)


def finish(processes, tmp_path, seconds=240):
    end = time.monotonic() + seconds
    try:
        codes = [p.wait(max(end - time.monotonic(), 0.1)) for p in processes]
    finally:
        for process in processes:
            process.kill()
    return codes, logs(tmp_path, len(processes))


def compare(one, two):
    """Two run directories: states and validation lines equal but for the order of sums."""
    for kind in ("latest", "best"):
        (step_a, a), (step_b, b) = final_state(one, kind), final_state(two, kind)
        assert step_a == step_b
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
    losses = [
        [row["valid/loss"] for row in log.read_metrics(run) if "valid/loss" in row]
        for run in (one, two)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    losses = [
        {row["step"]: row["train/loss"] for row in log.read_metrics(run) if "train/loss" in row}
        for run in (one, two)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.entry
def test_two_processes_are_killed_resume_and_equal_one(finished, cohort, project, tmp_path):
    """2 processes x 2 devices, one of them killed with SIGKILL, against 1 process x 4 devices."""
    run = tmp_path / "run"
    flags = ["--workdir", str(run), f"--config.data.root={cohort}"]
    processes = start(project, tmp_path, flags, devices=2, processes=2)
    saved = run / "checkpoints" / "latest" / "2" / MANIFEST
    end = time.monotonic() + 240
    while not saved.exists() and time.monotonic() < end and processes[0].poll() is None:
        time.sleep(0.02)
    processes[0].send_signal(signal.SIGKILL)
    codes, log = finish(processes, tmp_path)
    assert saved.exists(), log
    assert codes[0] == -signal.SIGKILL and codes[1] != 0, log  # the other does not hang

    codes, log = finish(start(project, tmp_path, flags, 2, 2), tmp_path)
    assert codes == [0, 0], log
    assert log.count("resuming") == 1 and "at step 2 of 4" in log  # only process 0 speaks
    assert log.count("event AP on held-out SIMULATED participants") == 1
    compare(finished.workdir, run)
    assert {p.name for p in (run / "figures").iterdir()} == {p.name for p in finished.figures}


@pytest.mark.slow
def test_two_processes_of_four_devices_equal_one_of_eight(cohort, project, tmp_path):
    common = [f"--config.data.root={cohort}", "--config.total_steps=20", "--config.batch_size=16"]
    common += ["--config.eval.every=10", "--config.eval.batch_size=8", "--config.log_every=1"]
    for name, count, devices in (("one", 1, 8), ("two", 2, 4)):
        flags = ["--workdir", str(tmp_path / name), *common]
        codes, log = finish(start(project, tmp_path, flags, devices, count), tmp_path)
        assert set(codes) == {0}, log
    compare(tmp_path / "one", tmp_path / "two")


# ---- joining


@pytest.mark.parametrize(
    "given, environment, message",
    [
        (dict(coordinator="a:1"), {}, "--num_processes, --process_id must be given too"),
        (
            dict(coordinator="node7", num_processes=2, process_id=0),
            {},
            "--coordinator 'node7' has no port; write host:port .* such as node7:1234",
        ),
        (dict(process_id=0), {}, "--coordinator, --num_processes must be given too"),
        ({}, {"SLURM_JOB_ID": "1"}, r"no task of it \(SLURM_STEP_NODELIST, SLURM_NTASKS"),
        ({}, {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, "with srun"),
        ({}, {}, "Start the same command in every task of Slurm"),
        (dict(coordinator="a:1", num_processes=2, process_id=2), {}, "process_id < num_processes"),
    ],
)
def test_joining_says_what_is_missing(given, environment, message, monkeypatch):
    monkeypatch.setattr("jax._src.xla_bridge.backends_are_initialized", lambda: False)
    with pytest.raises(InputError, match=message):
        processes.start(**given, environment=environment)


@pytest.mark.entry
def test_a_login_node_with_some_of_slurms_variables_answers_at_once(project, tmp_path):
    env = os.environ | {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"}
    script = [sys.executable, str(project / "scripts" / "train.py"), "--distributed"]
    config = str(project / "configs" / "spec1d.py:tiny")
    result = subprocess.run(
        [*script, "--config", config, "--workdir", str(tmp_path / "run")],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: --distributed: this is a Slurm allocation")
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "run").exists()


def test_alone_nothing_is_asked():
    assert processes.is_main()
    assert processes.agreed(True, ask=False) and not processes.agreed(False, ask=True)
    assert processes.agreed(True, ask=False)
    assert processes.from_main(lambda: "text") == "text"
    processes.barrier("none")
