"""Work that waits in another process, possibly of another Python, and is timed there on request.

So two libraries can be timed in turns, each in its own environment, with everything compiled.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def serve(work: Callable[[int], Any], about: dict[str, Any]) -> None:
    """Tell about the work, then do it as often as each line of standard input says."""
    work(1)
    work(1)
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        work(int(line))
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps(seconds), flush=True)


class Served:
    """The other end of `serve`; use as a context manager."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        """Start the process and wait until it is ready."""
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.about = self._answer()

    def _answer(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise RuntimeError(f"{' '.join(self.process.args)} ended with exit code {code}")
        return json.loads(line)

    def seconds(self, times: int) -> tuple[float, float]:
        """(by the clock, of processor time) for the work done so many times."""
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        return tuple(self._answer())

    def __enter__(self) -> Served:
        """Ready."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
