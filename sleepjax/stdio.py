"""Standard output and error: written as long as somebody reads them, in any encoding."""

import errno
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

_NOBODY_READS = (errno.EPIPE, errno.EBADF)
_STDERR = threading.Lock()
_LATE = 0.25
"""Seconds in which other threads of a call that has panicked may panic, too, and say so."""
T = TypeVar("T")


def warn(text: str) -> None:
    """Print a warning for the person at the terminal, apart from results on standard output."""
    print(f"WARNING: {text}", file=sys.stderr, flush=True)


class Stream(io.FileIO):
    """A file descriptor that may be closed at its other end: what follows goes nowhere.

    The work of a command does not depend on who listens: ``predict.py ... | head -1`` still writes
    its files. ``error`` is what the first failed write raised.
    """

    def __init__(self, descriptor: int):
        super().__init__(descriptor, "w", closefd=False)
        self.error: OSError | None = None

    def write(self, data) -> int:  # type: ignore[override]
        """Write all, or nothing once a write has failed."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and self.error is None:
            try:
                rest = rest[os.write(self.fileno(), rest) :]
            except OSError as error:
                self.error = error
        return size


@contextmanager
def forgiving() -> Iterator[Stream]:
    """Make ``sys.stdout`` and ``sys.stderr`` forgiving; yields the former.

    A character that the terminal's encoding lacks is escaped. A descriptor that was closed before
    the program began is opened on the null device, so that no data file takes its number.
    """
    before = sys.stdout, sys.stderr
    for descriptor in (1, 2):
        _reserve(descriptor)
    stdout, stderr = Stream(1), Stream(2)
    for name, stream in (("stdout", stdout), ("stderr", stderr)):
        old = getattr(sys, name)
        if old is not getattr(sys, f"__{name}__"):  # a notebook or a test listens
            continue
        if old is not None:
            old.flush()
        text = io.TextIOWrapper(
            io.BufferedWriter(stream),
            encoding=getattr(old, "encoding", None) or "utf-8",
            errors="backslashreplace",
            line_buffering=name == "stderr" or stream.isatty(),
        )
        setattr(sys, name, text)
    try:
        yield stdout
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def failure(stream: Stream) -> str:
    """What went wrong with output that is lost; empty where its reader closed it."""
    if stream.error is None or stream.error.errno in _NOBODY_READS:
        return ""
    return f"standard output cannot be written ({stream.error.strerror})"


def _reserve(descriptor: int) -> None:
    """Open a descriptor that is closed on the null device."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)


class PanicError(RuntimeError):
    """Rust code of a library has panicked; its own exception is none that ``except`` catches."""


def quietly(call: Callable[[], T]) -> T:
    """The result of a call into Rust code; PanicError, and nothing on stderr, where it panics."""
    with _STDERR, _without_panics():
        try:
            return call()
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of pyo3, and no Exception
                raise
            time.sleep(_LATE)
            raise PanicError(str(error)) from None


@contextmanager
def _without_panics() -> Iterator[None]:
    """Keep from stderr what Rust says of a panic, 50 lines for each; all else is passed on."""
    try:
        real = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            if os.fstat(heard.fileno()).st_size:
                time.sleep(_LATE)
            os.dup2(real, 2)
            os.close(real)
            heard.seek(0)
            said = heard.read()
            if said and b"panicked at" not in said:
                with suppress(OSError):
                    os.write(2, said)
