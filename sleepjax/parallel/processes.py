"""Several processes, one run: starting them together, and what only the first of them does.

Every process runs the same loop over the same steps. Process 0 writes files other than
checkpoints; all agree on what decides how the loop continues, since a process that leaves a
collective out makes the others wait forever.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils

from sleepjax.runs.stop import Interrupted
from sleepjax.types import DivergedError, InputError

HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as dead and the others end."""

TEXT = 4096
"""Bytes of a message between processes."""

SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")
"""What Slurm sets in every task that srun starts, and what JAX reads."""


def start(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Join the processes of a run; call before anything asks JAX for its devices.

    With a coordinator ("host:port" of process 0) all three are needed; without any, JAX recognises
    Slurm, Open MPI, Kubernetes and Cloud TPU. Raises InputError where neither is so, at once.
    """
    given = {
        "--coordinator": coordinator,
        "--num_processes": num_processes,
        "--process_id": process_id,
    }
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise InputError(
            f"{', '.join(missing)} must be given too: --coordinator host:port --num_processes N "
            "--process_id 0 to N-1, or none of them on Slurm, Open MPI, Kubernetes or Cloud TPU."
        )
    if coordinator is not None:
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdigit():
            raise InputError(
                f"--coordinator {coordinator!r} has no port; write host:port with the name of "
                f"process 0's host and a free port there, such as {host or port or 'host0'}:1234."
            )
    if missing:
        absent = [name for name in SLURM if name not in environment]
        if absent and any(name in environment for name in SLURM):
            raise InputError(
                f"--distributed: this is a Slurm allocation but no task of it ({', '.join(absent)} "
                "not set). Start one task per device with srun, or give --coordinator."
            )
    detection: dict = {} if missing else {"cluster_detection_method": "deactivate"}
    try:
        jax.distributed.initialize(
            coordinator, num_processes, process_id, heartbeat_timeout_seconds=HEARTBEAT, **detection
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"--distributed: {str(error).splitlines()[0]} Start the same command in every task of "
            "Slurm (srun), Open MPI (mpirun), Kubernetes or Cloud TPU, or give --coordinator "
            "host:port --num_processes N --process_id 0 to N-1."
        ) from None


@contextmanager
def failing_together() -> Iterator[None]:
    """Among several processes, end this one at once when something raises, saying what.

    The others wait for it in a collective, and would wait minutes for an orderly farewell. They
    are to fail too, so that the scheduler starts the run again.
    """
    try:
        yield
    except Interrupted:
        raise  # all processes stop at the same step
    except BaseException as error:
        if not jax.distributed.is_initialized() or jax.process_count() == 1:
            raise
        codes = {InputError: 2, OSError: 2, DivergedError: 3}  # as `cli.answer`
        code = next((n for kind, n in codes.items() if isinstance(error, kind)), 1)
        text = traceback.format_exc() if code == 1 else f"error: {error}"
        print(f"process {jax.process_index()}: {text}", file=sys.stderr, flush=True)
        os._exit(code)


def is_main() -> bool:
    """Whether this process writes the files and speaks to the user."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Wait until all processes are here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def agreed(flag: bool, ask: bool) -> bool:
    """The flag of a lone process; among several whether anyone's is up, known only when all ask.

    Asking waits for the device, so a loop asks where it waits anyway.
    """
    if jax.process_count() == 1:
        return flag
    return ask and bool(np.any(multihost_utils.process_allgather(np.asarray(flag))))


def from_main(work: Callable[[], str | None]) -> str:
    """The text that ``work`` returns in process 0, in every process; empty for None.

    Where it raises InputError or OSError there, every process raises InputError with its text.
    """
    if jax.process_count() == 1:
        return work() or ""
    mark, text = "+", ""
    if is_main():
        try:
            text = work() or ""
        except (InputError, OSError) as error:
            mark, text = "-", str(error)
    buffer = np.zeros(TEXT, np.uint8)
    encoded = (mark + text).encode()[:TEXT]
    buffer[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    told = np.asarray(multihost_utils.broadcast_one_to_all(buffer))
    mark, text = (found := bytes(told).rstrip(b"\0").decode(errors="replace"))[0], found[1:]
    if mark == "-":
        raise InputError(text)
    return text
