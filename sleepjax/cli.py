"""Commands: their parser of arguments, and one line and an exit code when they cannot continue."""

import argparse
import os
import re
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from sleepjax import stdio
from sleepjax.types import DivergedError, InputError

DEBUG = "SLEEPJAX_DEBUG"
"""Environment variable: when set, an unexpected error keeps its traceback."""


def spoken(text: str) -> str:
    """A text for the user: who typed ``sleepjax NAME`` may have no clone, and no ``scripts/``."""
    if not sys.argv[0].startswith("sleepjax "):
        return text
    return re.sub(r"(?:python )?scripts/(\w+)\.py", r"sleepjax \1", text)


class _Parser(argparse.ArgumentParser):
    def format_help(self) -> str:
        return spoken(super().format_help())


def parser(doc: str | None, *, allow_abbrev: bool = True) -> argparse.ArgumentParser:
    """A parser whose ``--help`` shows the docstring of a command's module as it is written."""
    return _Parser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=allow_abbrev,
    )


def add_weights(
    parser: argparse.ArgumentParser, option: str = "--workdir", checkpoint: bool = False
) -> None:
    """Let the weights be named that a command predicts with, and which checkpoint of a run."""
    words = "folder of train, crossval or release, or small (default: the released weights)"
    parser.add_argument(option, help=words)
    if checkpoint:
        words = "latest, whose score the run reports (default), or best by validation AP"
        choices = ("latest", "best")
        parser.add_argument("--checkpoint", choices=choices, default=choices[0], help=words)


def run(main: Callable[[list[str]], int]) -> int:
    """Exit code of a script's ``main`` with the arguments of the command line.

    The script is not stopped by a reader that closes its output. 2 where standard output cannot be
    written for another reason, such as a full disk.
    """
    with stdio.forgiving() as stdout:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        lost = stdio.failure(stdout)
        if lost:
            print(f"error: {lost}.", file=sys.stderr)
    return code or (2 if lost else 0)


class _Told(BaseException):
    """A signal told the command to end; raised where it is, so that nothing unfinished stays."""


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raise `_Told` for SIGTERM and SIGHUP, unless they are handled or ignored already."""

    def tell(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough
        raise _Told(number)

    here = threading.current_thread() is threading.main_thread()
    free = lambda number: here and signal.getsignal(number) is signal.SIG_DFL
    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if free(number)]
    try:
        for number in heard:
            signal.signal(number, tell)
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def answer(body: Callable[[], int], interrupted: str) -> int:
    """Exit code of ``body``: 2 for input that cannot be used, 3 for a training that diverged.

    130 after Ctrl-C, 1 for a bug.

    128 + its number after a signal. ``interrupted`` tells the user what Ctrl-C left behind. A bug
    is one line too: it names the command, the error and a file with the traceback.
    """
    try:
        with _ended_by_signals():
            return body()
    except _Told as told:
        number = signal.Signals(told.args[0])
        print(f"stopped by {number.name}; {interrupted}", file=sys.stderr)
        return 128 + number
    except (InputError, OSError) as error:  # OSError: a disk that is full or read-only
        print(f"error: {spoken(str(error))}", file=sys.stderr)
        return 2
    except DivergedError as error:
        print(f"error: {spoken(str(error))}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return 130
    except Exception as error:
        if _out_of_memory(error):
            print(
                f"error: out of memory ({' '.join(str(error).split())[:300]}). A training needs "
                "less with a lower batch_size and eval.batch_size, or a higher accumulate; other "
                "commands with fewer or shorter recordings at once.",
                file=sys.stderr,
            )
            return 2
        if os.environ.get(DEBUG):
            raise
        print(_unexpected(error), file=sys.stderr)
        return 1


def left_out(faults: Sequence[str]) -> int:
    """Exit code where the rest was done: 3 after a line on each part that could not be, else 0."""
    for fault in faults:
        print(f"error: left out: {fault}", file=sys.stderr)
    return 3 if faults else 0


def _out_of_memory(error: Exception) -> bool:
    """Whether memory was short, of the machine or of a device: JAX says that in a text only."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def _unexpected(error: Exception) -> str:
    """One line about an unexpected error, and where its traceback was written."""
    command, *arguments = sys.argv
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    where = f"set {DEBUG}=1 for the traceback"
    with suppress(OSError):
        text = "".join(traceback.format_exception(error))
        with tempfile.NamedTemporaryFile(
            "w", prefix="sleepjax-", suffix=".txt", delete=False, encoding="utf-8",
            errors="backslashreplace",
        ) as file:  # fmt: skip
            file.write(f"{' '.join(sys.argv)}\n\n{text}")
        where = f"the traceback is in {file.name}"
    files = [word for word in arguments if Path(word).exists()]
    given = f" with {', '.join(files)}" if files else ""
    return (
        f"error: {Path(command).name}{given} failed unexpectedly ({reason}). This is a bug in "
        f"sleepjax: {where}; please report it with this line."
    )
