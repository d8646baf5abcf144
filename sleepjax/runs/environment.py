"""Environment: the code and the versions of packages that run now."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import sleepjax
from sleepjax.data.identity import repair_code

PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "polars")
ENVIRONMENT = ("sleepjax", "git_commit", "repair", "python", "versions")


def environment() -> dict[str, Any]:
    """The code and versions that run now."""
    return {
        "sleepjax": sleepjax.__version__,
        "git_commit": _git_commit(),
        "repair": repair_code(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _git_commit() -> str | None:
    """The commit of the code that runs, with ``+changes`` where it differs; None outside git."""
    here = Path(__file__).parent
    run = lambda *args: subprocess.run(
        ("git", "-C", str(here), *args), capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
    try:
        return run("rev-parse", "HEAD") + ("+changes" if run("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
