"""Checkpoints with Orbax: the latest two, and beside them the best one.

A save is atomic: Orbax writes beside the final name and renames, so a process that is killed in
the middle of a save leaves the checkpoint before it, and the remains are removed at the next start.
Orbax does not notice bytes that change later, so each checkpoint carries the hashes of its files.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

from sleepjax.parallel import processes
from sleepjax.training.state import TrainState
from sleepjax.types import InputError

KINDS = {"latest": 2, "best": 1}
"""Folder -> how many are kept."""

HASHES = "sha256.json"


class Checkpoints:
    """The folder ``checkpoints`` of a run directory; use as a context manager."""

    def __init__(self, workdir: Path):
        """Open or create it."""
        self.path = (Path(workdir) / "checkpoints").absolute()
        _quieten_late_work()
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
        """Save the whole state under its step; returns when it is safely on disk.

        Raises OSError when it could not be written; the checkpoints before it stay as they are.
        """
        self._save("latest", state)

    def save_best(self, state: TrainState) -> None:
        """Save the state as the best one so far."""
        self._save("best", state)

    def _save(self, kind: str, state: TrainState) -> None:
        step = int(state.step)
        if step in self.managers[kind].all_steps():
            return
        try:
            self.managers[kind].save(step, args=ocp.args.StandardSave(state), force=True)
        except Exception as error:  # a full disk fails in many ways below Orbax
            before = self.latest_step(kind)
            kept = "no earlier one exists" if before is None else f"that of step {before} is intact"
            raise OSError(
                f"the checkpoint of step {step} could not be written to {self.path / kind} "
                f"({_first_line(error)}); {kept}. Make room, then run the same command again."
            ) from error
        if processes.is_main():
            folder = self.path / kind / str(step)
            replacement = folder / (HASHES + ".new")
            replacement.write_text(json.dumps(_hashes(folder)) + "\n")
            os.replace(replacement, folder / HASHES)

    def latest_step(self, kind: str = "latest") -> int | None:
        """The step of the newest checkpoint of a kind; None when there is none."""
        return self.managers[kind].latest_step()

    def steps(self) -> list[int]:
        """The steps of the latest checkpoints, oldest first."""
        return sorted(self.managers["latest"].all_steps())

    def restore(
        self, like: TrainState, kind: str = "latest", step: int | None = None
    ) -> TrainState:
        """The newest state of a kind, or that of a step, placed and shaped as ``like``.

        Raises InputError when there is none, or when it does not fit ``like``.
        """
        step = self.latest_step(kind) if step is None else step
        if step is None:
            raise InputError(
                f"{self.path / kind} holds no checkpoint; train longer than ckpt_every steps first."
            )
        return self._restore(like, kind, step)

    def resume(
        self, like: TrainState, say: Callable[[str], None], up_to: float = math.inf
    ) -> TrainState | None:
        """The newest state up to a step that can be read, or None when nothing was saved yet.

        A damaged checkpoint is set aside in ``checkpoints/damaged``, and the one before is used; a
        best one of a later step is removed, for the run has not been there yet. Raises InputError
        when there are checkpoints and none can be read.
        """
        steps = sorted((step for step in self.steps() if step <= up_to), reverse=True)
        failures: list[InputError] = []
        for step in steps:
            try:
                state = self._restore(like, "latest", step)
            except InputError as error:
                failures.append(error)
                continue
            for bad, error in zip(steps, failures, strict=False):
                say(f"{error} Going back to step {step}; {bad} is kept in checkpoints/damaged.")
                self._set_aside(bad)
            best = self.latest_step("best")
            if best is not None and best > step:
                self.managers["best"].delete(best)
            return state
        if failures:
            raise failures[0]
        return None

    def _restore(self, like: TrainState, kind: str, step: int) -> TrainState:
        folder = self.path / kind / str(step)
        try:
            _check_hashes(folder)
            restored: Any = self.managers[kind].restore(step, args=ocp.args.StandardRestore(like))
            return restored
        except Exception as error:  # damaged files fail in many ways below Orbax
            raise InputError(
                f"checkpoint {folder} cannot be read into this model ({_first_line(error)}). It "
                "was saved by another config or version, or is damaged; use the config of the "
                "run directory, or another --workdir."
            ) from error

    def _set_aside(self, step: int) -> None:
        if processes.is_main():
            aside = self.path / "damaged"
            aside.mkdir(exist_ok=True)
            names = (f"{step}", *(f"{step}-{i}" for i in range(1, 1000)))
            free = next(name for name in names if not (aside / name).exists())
            os.replace(self.path / "latest" / str(step), aside / free)
        processes.barrier("set aside")
        self.managers["latest"].reload()

    def __enter__(self) -> Checkpoints:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close both."""
        for manager in self.managers.values():
            manager.close()


def _hashes(folder: Path) -> dict[str, str]:
    """Path below the folder -> SHA-256 of each of its files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(HASHES):
            with path.open("rb") as file:
                name = path.relative_to(folder).as_posix()
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _check_hashes(folder: Path) -> None:
    """Raise ValueError naming a file that changed; a kill may have left a checkpoint unhashed."""
    if not (folder / HASHES).exists():
        return
    expected = json.loads((folder / HASHES).read_text())
    found = _hashes(folder)
    for name in expected:
        if found.get(name) != expected[name]:
            raise ValueError(f"{name} {'has changed' if name in found else 'is missing'}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0][:200]


def _quieten_late_work() -> None:
    """A failed save or restore is reported once, by us; its other reads and writes end in silence.

    They go on in threads after Orbax has raised, and report to an event loop that is closed.
    """
    warnings.filterwarnings("ignore", "coroutine 'async_serialize_from_host", RuntimeWarning)
    for name in ("absl", "asyncio"):
        logging.getLogger(name).addFilter(_not_of_late_work)
    if sys.unraisablehook is not _without_closed_loop:
        sys.unraisablehook = _without_closed_loop


def _not_of_late_work(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return "_SignalingThread" not in message and "orbax/checkpoint" not in message


def _without_closed_loop(info: Any, hook: Callable[[Any], Any] = sys.unraisablehook) -> None:
    if "Event loop is closed" not in str(info.exc_value):
        hook(info)
