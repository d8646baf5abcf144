"""Several processes, one run: starting them together, and what only the first of them does.

Every process runs the same loop over the same steps. Process 0 writes files other than
checkpoints; whatever decides how the loop goes on is agreed on by all, since a process that leaves
a collective out makes the others wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from sleepjax.types import InputError

TEXT = 4096
"""Bytes of a message between processes."""


def is_main() -> bool:
    """Whether this process writes the files and speaks to the user."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Wait until all processes are here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def anyone(flag: bool) -> bool:
    """Whether the flag is up in any process; all of them must ask."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.asarray(flag))))


def agreed(flag: bool, ask: bool) -> bool:
    """The flag of a lone process; among several whether anyone's is up, known only when asked.

    Asking waits for the device, so a loop asks where it waits anyway.
    """
    if jax.process_count() == 1:
        return flag
    return ask and anyone(flag)


def from_main(work: Callable[[], str]) -> str:
    """What ``work`` returns in process 0, in every process.

    Where it raises InputError or OSError there, every process raises InputError with its text.
    """
    if jax.process_count() == 1:
        return work()
    mark, text = "+", ""
    if is_main():
        try:
            text = work()
        except (InputError, OSError) as error:
            mark, text = "-", str(error)
    buffer = np.zeros(TEXT, np.uint8)
    encoded = (mark + text).encode()[:TEXT]
    buffer[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    told = np.asarray(multihost_utils.broadcast_one_to_all(buffer))
    mark, text = (found := bytes(told).rstrip(b"\0").decode(errors="replace"))[0], found[1:]
    if mark == "-":
        raise InputError(text)
    return text
