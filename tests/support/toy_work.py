"""Work for the engines that needs no model: what an input's name says happens to its process."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sleepjax.processing.inputs import Input
from sleepjax.processing.results import DONE, Outcome

ACTS: dict[str, Callable[[], object]] = {
    "hangs": lambda: time.sleep(600),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "aborts": os.abort,
    "leaves": lambda: os._exit(7),
    "slow": lambda: time.sleep(0.5),
}


@dataclass(frozen=True)
class Toy:
    """Notes each input that it begins in a folder."""

    notes: Path

    def __call__(self, one: Input) -> Outcome:
        """The outcome, or the end of this process."""
        with (self.notes / one.name).open("a") as file:
            file.write(f"{os.getpid()}\n")
        ACTS.get(one.name.split("-")[0], lambda: None)()
        return Outcome(one.name, DONE, reason=str("jax" in sys.modules))


def inputs(*names: str) -> list[Input]:
    """Inputs of these names; nobody opens them."""
    return [Input(Path(name), name) for name in names]
