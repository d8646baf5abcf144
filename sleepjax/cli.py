"""What a command says when it cannot go on: one line on stderr and an exit code, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sleepjax.types import InputError


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
