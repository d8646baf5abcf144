"""The lock on a folder: one process writes into it, the others wait or are refused.

The lock belongs to an open file, not to the file's existence: the operating system drops it when
the process ends, however it ends, so what a killed process leaves is no obstacle.
"""

import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sleepjax.types import InputError

WAIT = 3600.0
"""Seconds to wait for another process that makes the very thing this one needs."""

_POLL = 0.2
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class InUseError(InputError):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, *, state: str, remedy: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file ``path`` for this process; its folder is made where it is missing.

    Args:
      path: the lock file; it stays when the lock is dropped.
      state: what the folder is while it is locked, for the text: "in use by another run".
      remedy: what to do when the lock cannot be had.
      wait: seconds to wait for it, after a line on stderr; 0 refuses at once.

    Raises InUseError when another process holds the lock for longer, and InputError where the file
    cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"folder {str(path.parent)!r} cannot be made or written to: {error}."
        ) from None
    with file:
        _acquire(file, path, state, remedy, wait)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _acquire(file, path: Path, state: str, remedy: str, wait: float) -> None:
    import fcntl  # absent on Windows, where stores and runs can be read but not written

    deadline, waiting = time.monotonic() + wait, False
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = f"{path.parent} is {state} ({file.read().strip() or 'just started'})"
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            raise InputError(
                f"{path} cannot be locked: the file system has no locks ({error.strerror}). "
                "Use a folder on another one, or mount it with locks."
            ) from None
        if time.monotonic() >= deadline:
            after = f", still after {wait:.0f} s" if wait else ""
            raise InUseError(f"{holder}{after}; {remedy}.")
        if not waiting:
            waiting = True
            print(f"{holder}; waiting for it, at most {wait / 60:g} min.", file=sys.stderr)
        time.sleep(_POLL)
