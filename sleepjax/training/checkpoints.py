"""Checkpoints with Orbax: the latest two, and beside them the best one.

A save is atomic: Orbax writes beside the final name and renames, so a process that is killed in
the middle of a save leaves the checkpoint before it, and the remains are removed at the next start.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

from sleepjax.training.state import TrainState
from sleepjax.types import InputError

KINDS = {"latest": 2, "best": 1}
"""Folder -> how many are kept."""


class Checkpoints:
    """The folder ``checkpoints`` of a run directory; use as a context manager."""

    def __init__(self, workdir: Path):
        """Open or create it."""
        self.path = (Path(workdir) / "checkpoints").absolute()
        self.managers = {
            kind: ocp.CheckpointManager(
                self.path / kind,
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=count,
                    cleanup_tmp_directories=True,
                    enable_async_checkpointing=False,
                ),
            )
            for kind, count in KINDS.items()
        }

    def save(self, state: TrainState) -> None:
        """Save the whole state under its step; returns when it is safely on disk."""
        self._save("latest", state)

    def save_best(self, state: TrainState) -> None:
        """Save the state as the best one so far."""
        self._save("best", state)

    def _save(self, kind: str, state: TrainState) -> None:
        step = int(state.step)
        if step not in self.managers[kind].all_steps():
            self.managers[kind].save(step, args=ocp.args.StandardSave(state), force=True)

    def latest_step(self, kind: str = "latest") -> int | None:
        """The step of the newest checkpoint of a kind; None when there is none."""
        return self.managers[kind].latest_step()

    def restore(self, like: TrainState, kind: str = "latest") -> TrainState:
        """The newest state of a kind, with the shapes, dtypes and shardings of ``like``.

        Raises InputError when there is none, or when it does not fit ``like``.
        """
        step = self.latest_step(kind)
        if step is None:
            raise InputError(
                f"{self.path / kind} holds no checkpoint; train longer than ckpt_every steps first."
            )
        try:
            restored: Any = self.managers[kind].restore(step, args=ocp.args.StandardRestore(like))
            return restored
        except Exception as error:  # damaged files fail in many ways below Orbax
            _quieten_late_reads()
            first = (str(error).strip() or repr(error)).splitlines()[0][:200]
            raise InputError(
                f"checkpoint {self.path / kind / str(step)} cannot be read into this model "
                f"({first}). It was saved by another config or version, or is damaged; use the "
                "config of the run directory, or another --workdir."
            ) from error

    def __enter__(self) -> Checkpoints:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close both."""
        for manager in self.managers.values():
            manager.close()


def _quieten_late_reads() -> None:
    """After a failed restore other reads still report to a closed loop; say nothing of it."""
    hook = sys.unraisablehook

    def without_closed_loop(info: Any) -> None:
        if "Event loop is closed" not in str(info.exc_value):
            hook(info)

    sys.unraisablehook = without_closed_loop
