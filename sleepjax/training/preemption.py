"""Stopping on request: a signal becomes a flag that the loop reads between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

REQUEUE = 75
"""Exit code of a run that was told to stop and saved its state: start it again (EX_TEMPFAIL)."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Interrupted(Exception):  # noqa: N818 - not an error: the run is sound and can go on
    """A signal stopped the run; its state is saved, and the same command resumes it."""


class StopSignal:
    """True once SIGTERM, SIGUSR1 or Ctrl-C has arrived; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        """Not stopped yet."""
        self.name = ""
        self.previous: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        """Whether a signal has arrived."""
        return bool(self.name)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self.name and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name

    def __enter__(self) -> StopSignal:
        """Listen; Python takes signals in its main thread only; elsewhere nothing is heard."""
        if threading.current_thread() is threading.main_thread():
            self.previous = {s: signal.signal(s, self._arrived) for s in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
