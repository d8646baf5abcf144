"""Execution of a run: how it is computed, as opposed to what it computes, which is the config's."""

import ctypes
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CACHE_VARIABLE = "JAX_COMPILATION_CACHE_DIR"

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of mallopt(3): free bytes at the end of the heap, and size of an array, that go back."""


@dataclass(frozen=True)
class Execution:
    """None of this changes the batches, and a run may be resumed with another choice."""

    resident: bool = False
    """The training recordings live on the device, and windows are made inside the step."""
    shard_optimizer: bool = False
    """Each device keeps its share of the optimiser's state (as in ZeRO stage 1)."""
    extend: bool = False
    """``total_steps`` may be more than the run in the directory was begun with."""
    profile: tuple[int, int] | None = None
    """First and stop step of a trace written below the run directory."""
    track: tuple[str, ...] = ()
    """Trackers that mirror the log: wandb, mlflow (see `sleepjax.runs.trackers`)."""
    dry_run: bool = False
    """Only the shortest validation series is validated (see `sleepjax.experiments.dry_run`)."""


AS_USUAL = Execution()


def use_compilation_cache() -> None:
    """Keep compiled programs in a folder of the user; call before the first array is made.

    ``JAX_COMPILATION_CACHE_DIR`` names another folder, and empty it switches the cache off.
    """
    import jax

    if CACHE_VARIABLE in os.environ:
        return  # JAX reads it
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if Path(base).is_absolute():  # not so without a home
        jax.config.update("jax_compilation_cache_dir", str(Path(base) / "sleepjax" / "xla"))


def keep_freed_memory() -> None:
    """Let the process use its freed memory again, where the C library is glibc; others are left.

    By default large arrays go back to the system when they are freed, and the pages of the next
    ones are cleared one by one: up to a third of the time of repairing and decoding recordings.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 32 << 20)
        mallopt(_TRIM_THRESHOLD, 1 << 30)


def use_deterministic_kernels() -> None:
    """Forbid kernels whose sums come in any order; call before the first array is made.

    A CPU is deterministic without it. On a GPU it also fixes the choice of algorithms, which costs
    speed.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
