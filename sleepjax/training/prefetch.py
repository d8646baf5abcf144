"""Batches made and sent to the device by a thread while the device computes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

AHEAD = 2
"""Batches that wait on the device; a third may be under way."""


class Prefetch:
    """Batches of the steps from ``first`` up to ``stop``, in order; use as a context manager."""

    def __init__(self, make: Callable[[int], Any], first: int, stop: int):
        """See the class; ``make`` is called in a thread of its own."""
        self.make, self.steps = make, range(first, stop)
        self.ready: queue.Queue[Any] = queue.Queue(AHEAD)
        self.closed = threading.Event()
        self.waited = 0.0
        """Seconds that ``next`` has spent waiting."""
        self.thread = threading.Thread(target=self._work, name="prefetch", daemon=True)

    def _work(self) -> None:
        for step in self.steps:
            try:
                item = (self.make(step), None)
            except BaseException as error:  # it is raised where the batch is wanted
                item = (None, error)
            while not self.closed.is_set():
                try:
                    self.ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if self.closed.is_set() or item[1] is not None:
                return

    def __next__(self) -> Any:
        """The next batch; raises what making it raised."""
        begin = time.monotonic()
        batch, error = self.ready.get()
        self.waited += time.monotonic() - begin
        if error is not None:
            raise error
        return batch

    def __enter__(self) -> Prefetch:
        """Start."""
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the thread, whatever it is doing; batches that were not asked for are dropped."""
        self.closed.set()
        self.thread.join()
