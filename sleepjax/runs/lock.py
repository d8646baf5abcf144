"""One run per directory: a lock that the operating system drops when its process ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sleepjax.types import InputError

FILE = ".lock"


class InUseError(InputError):
    """Another process holds the run directory."""


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Hold a run directory, made where it is missing, for this process.

    The lock belongs to the open file, not to the file's existence: what a killed process leaves is
    no obstacle. Raises InUseError while another process holds it.
    """
    import fcntl  # absent on Windows

    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = (workdir / FILE).open("a+")
    except OSError as error:
        raise InputError(f"--workdir {str(workdir)!r} cannot be a folder: {error}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InUseError(
                f"{workdir} is in use by another run ({file.read().strip() or 'just started'}); "
                "wait for it or stop it, or use another --workdir."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
