"""A trace of some steps of a run, for TensorBoard, XProf or Perfetto."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax

from sleepjax.runs.log import reported
from sleepjax.types import InputError


def parse_steps(text: str) -> tuple[int, int]:
    """``"10:15"`` -> (10, 15). Raises InputError unless 0 <= a < b."""
    a, _, b = text.partition(":")
    if not (a.isdecimal() and b.isdecimal() and int(a) < int(b)):
        raise InputError(f"--profile_steps {text!r} must be first:stop, such as 10:15.")
    return int(a), int(b)


class Profile:
    """Writes a trace of the steps [a, b) below ``workdir/profile``; use as a context manager."""

    def __init__(self, workdir: Path, steps: tuple[int, int] | None):
        """None traces nothing."""
        self.folder, self.steps = Path(workdir) / "profile", steps
        self.running = self.traced = False

    def at(self, step: int, wait_for: Any) -> None:
        """Start or stop where this step asks for it, after what the device has begun."""
        if self.steps is None:
            return
        inside = self.steps[0] <= step < self.steps[1]
        if inside != self.running:
            jax.block_until_ready(wait_for)
            self._start() if inside else self._stop()

    def _start(self) -> None:
        self.running = self.traced = True
        with reported("the trace"):
            jax.profiler.start_trace(str(self.folder))

    def _stop(self) -> None:
        self.running = False
        with reported("the trace"):
            jax.profiler.stop_trace()

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *error: object) -> None:
        """Write what was traced where the run ends earlier; say it where no step was."""
        if self.running:
            self._stop()
        if self.steps is not None and not self.traced and error[0] is None:
            a, b = self.steps
            print(f"--profile_steps {a}:{b}: none of them was run, no trace.", file=sys.stderr)
