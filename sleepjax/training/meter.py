"""Measurements between two lines of the log: metrics that wait on the device, speed, waiting."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from sleepjax.training import guard


class Meter:
    """Collects the metrics of updates without waiting for the one that is being computed."""

    def __init__(
        self,
        config: Any,
        lr_at: Callable[[int], Any],
        windows_at: Callable[[int], list[list[Any]]],
        workdir: Path,
    ):
        """Empty; ``windows_at`` and ``workdir`` are for the report of a diverged run."""
        self.batch_size, self.lr_at = config.batch_size, lr_at
        patience = config.guard.patience
        self.report = dict(patience=patience, windows_at=windows_at, workdir=workdir)
        self.pending: list[dict[str, jax.Array]] = []
        self.waited = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget the time that went by, such as that of a validation."""
        self.since = time.monotonic()

    def add(self, metrics: dict[str, jax.Array]) -> None:
        """Keep the metrics of an update; wait for the one before, so that the device never does."""
        if self.pending:
            jax.block_until_ready(self.pending[-1])
        self.pending.append(metrics)

    def check(self, step: int) -> dict[str, float]:
        """`guard.summary` of what is pending; raises DivergedError. Waits for the device."""
        return guard.summary(self.pending, step, **self.report)

    def next_of(self, batches: Iterator[Any]) -> Any:
        """The next batch; how late it is counts as waiting for the input."""
        begin = time.monotonic()
        batch = next(batches)
        self.waited += time.monotonic() - begin
        return batch

    def read(self, step: int) -> dict[str, float]:
        """A row of the log, and begin anew."""
        row = self.check(step) | {"train/lr": float(self.lr_at(step - 1))}
        seconds = time.monotonic() - self.since
        rate = len(self.pending) / seconds
        row |= {
            "train/steps_per_second": rate,
            "train/windows_per_second": rate * self.batch_size,
            "train/input_wait": self.waited / seconds,
        }
        self.pending, self.waited = [], 0.0
        self.restart()
        return row

    @staticmethod
    def note(row: dict[str, float]) -> str:
        """The row in words for the progress line."""
        return (
            f"loss {row['train/loss']:.4f}, gradient {row['train/grad_norm']:.2g}, "
            f"lr {row['train/lr']:.2g}, {row['train/windows_per_second']:.3g} windows/s"
        )
