"""Signals that stop a run: each becomes a flag that the loop reads between two steps.

Before a loop begins, and between two runs of one command, there is nothing to save: a signal ends
the command at once (see `resumable`).
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

REQUEUE = 75
"""Exit code of a run that was told to stop and saved its state: start it again (EX_TEMPFAIL)."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)


class Interrupted(BaseException):  # noqa: N818 - not an error: the run is sound and can be resumed
    """A signal stopped the run; its state is saved, and the same command resumes it.

    Like KeyboardInterrupt no Exception, for it is raised anywhere while a run is set up.
    """


class StopSignal:
    """True once SIGTERM, SIGUSR1, SIGHUP or Ctrl-C has arrived; a second Ctrl-C stops at once.

    Inside another one it takes over what that one has heard, and hands on what it has heard itself
    when its run ended well all the same.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        """Not stopped yet; ``at_once`` raises Interrupted where the signal arrives."""
        self.at_once = at_once
        self.name = ""
        self.previous: dict[signal.Signals, Any] = {}
        self.outer: StopSignal | None = None

    def __bool__(self) -> bool:
        return bool(self.name)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        first, name = not self.name, signal.Signals(number).name
        if not first and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.name = name
        if first and self.at_once:
            raise Interrupted(f"{name} while nothing had to be saved")

    def defer(self) -> None:
        """Let the loop act on what is heard from now on: several processes stop at one step.

        Call it after they have joined: JAX takes SIGTERM for itself then, and here it is taken
        back.
        """
        self.at_once = False
        self._listen()

    def _listen(self) -> dict[signal.Signals, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}  # Python takes signals in its main thread only; elsewhere nothing is heard
        heard = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
        return {number: signal.signal(number, self._arrived) for number in heard}  # nohup stays

    def __enter__(self) -> StopSignal:
        self.previous = self._listen()
        before = getattr(self.previous.get(signal.SIGTERM), "__self__", None)
        if isinstance(before, StopSignal):
            self.outer, self.name = before, before.name
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        """Restore the handlers that the signals had before."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if self.name and self.outer is not None and not self.outer and kind is None:
            signal.raise_signal(signal.Signals[self.name])


def resumable(body: Callable[[StopSignal], int]) -> int:
    """Exit code of a command that trains: `REQUEUE` where a signal stopped it, at any moment."""
    try:
        with StopSignal(at_once=True) as stop:
            return body(stop)
    except Interrupted as interrupted:
        print(f"stopped by {interrupted}; the same command resumes", file=sys.stderr)
        return REQUEUE
