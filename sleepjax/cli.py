"""What a command says when it cannot go on: one line on stderr and an exit code, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sleepjax import streams
from sleepjax.types import InputError


def run(main: Callable[[list[str]], int]) -> int:
    """Exit code of a script's ``main`` with the arguments of the command line.

    Whoever stops reading what it prints does not stop its work. 2 where standard output cannot be
    written for another reason, such as a full disk.
    """
    with streams.forgiving() as stdout:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        lost = streams.failure(stdout)
        if lost:
            print(f"error: {lost}.", file=sys.stderr)
    return code or (2 if lost else 0)


def answer(body: Callable[[], int], interrupted: str) -> int:
    """Exit code of ``body``: 2 where the input cannot be used, 130 after Ctrl-C.

    ``interrupted`` tells the user what Ctrl-C left behind.
    """
    try:
        return body()
    except (InputError, OSError) as error:  # OSError: a disk that is full or read-only
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return 130
