"""Checkpoints of a run: the latest two states, and beside them the best one.

    checkpoints/latest/40/state/          the arrays, written by Orbax
    checkpoints/latest/40/manifest.json   shapes of the arrays and hashes of the files
    checkpoints/damaged/                  what a resumed run set aside

A checkpoint is written under another name and renamed when it is whole, and renamed again before
it is deleted: a folder whose name is a step is complete, whenever a process is killed. Only the
process that holds the run's lock writes (`Checkpoints`). Everybody else reads with `restore`, which
creates and deletes nothing and may run beside a training.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

from sleepjax.io import file_hash
from sleepjax.parallel import processes
from sleepjax.text import first_line
from sleepjax.training.state import TrainState
from sleepjax.types import InputError

FOLDER = "checkpoints"
KINDS = {"latest": 2, "best": 1}
"""Folder -> how many are kept."""

MANIFEST = "manifest.json"
STATE = "state"
SPARE = 1 << 16  # bytes that a checkpoint needs beside its arrays


class DamagedError(InputError):
    """A checkpoint whose files are not what was saved, or whose arrays the model does not have."""


def _check_name(workdir: Path) -> None:
    """Raise InputError for a name that Orbax takes for a pattern, or that is no UTF-8."""
    name = str(workdir)
    if set(name) & set("[*?") or not name.isprintable():
        raise InputError(
            f"--workdir {name!r}: checkpoints cannot be saved below a folder with [, * or ? or "
            "unprintable characters in its name; give another --workdir."
        )


def steps(workdir: Path, kind: str = "latest") -> list[int]:
    """The steps of a run's complete checkpoints, oldest first."""
    paths = (Path(workdir) / FOLDER / kind).glob("*")
    return sorted(int(path.name) for path in paths if path.name.isdigit())


def newest(workdir: Path, kind: str = "latest") -> int | None:
    """The step of a run's newest checkpoint; None without any."""
    return max(steps(workdir, kind), default=None)


def restore(workdir: Path, like: TrainState, kind: str = "latest") -> TrainState:
    """The newest state of a kind, placed and shaped as ``like``; nothing is written or deleted.

    A training that runs at the same time may delete the checkpoint that is being read: then the
    newer one is read.

    Raises InputError when there is none or it does not fit ``like``, OSError when the disk fails.
    """
    workdir = Path(workdir)
    while True:
        step = newest(workdir, kind)
        if step is None:
            folder = workdir / FOLDER / kind
            raise InputError(f"{folder} holds no checkpoint; train longer than ckpt_every steps.")
        try:
            return _load(_folder(workdir, kind, step), like)
        except (InputError, OSError):
            if newest(workdir, kind) == step:
                raise


def is_whole(workdir: Path) -> bool:
    """Whether a run has a newest checkpoint, and its files are as they were saved."""
    step = newest(workdir)
    if step is None:
        return False
    try:
        _check_files(_folder(workdir, "latest", step))
    except DamagedError:
        return False
    return True


class Checkpoints:
    """The checkpoints of the run whose lock this process holds; use as a context manager."""

    def __init__(self, workdir: Path):
        """Make the folders and remove what a killed process left half written or half deleted."""
        import orbax.checkpoint as ocp  # late: it is large, and released weights need none

        self.workdir = Path(workdir).absolute()
        self.path = self.workdir / FOLDER
        _check_name(self.workdir)
        self.orbax = ocp.Checkpointer(ocp.StandardCheckpointHandler())
        self.arguments = ocp.args.StandardSave
        processes.from_main(self._tidy)

    def _tidy(self) -> None:
        for kind in KINDS:
            (self.path / kind).mkdir(parents=True, exist_ok=True)
            for path in (self.path / kind).iterdir():
                if path.is_dir() and not path.name.isdigit():
                    shutil.rmtree(path)

    def save(self, state: TrainState, kind: str = "latest") -> None:
        """Save the whole state under its step; returns when it is safely on disk.

        Raises OSError when it could not be written; the checkpoints before it stay as they are.
        """
        step = int(state.step)
        if step in steps(self.workdir, kind):
            return
        folder = _folder(self.workdir, kind, step)
        new = folder.with_name(f"{step}.saving")
        arrays = _arrays(state)

        def begin() -> None:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            # Asked before Orbax begins: after an error its threads write on and complain.
            _check_room(new, SPARE + sum(leaf.nbytes for leaf in jax.tree.leaves(state)))

        def finish() -> None:
            paths = [path for path in sorted(new.rglob("*")) if path.is_file()]
            files = {path.relative_to(new).as_posix(): file_hash(path) for path in paths}
            with (new / MANIFEST).open("w", encoding="utf-8") as file:
                json.dump({"arrays": arrays, "files": files}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.rename(new, folder)
            for old in steps(self.workdir, kind)[: -KINDS[kind]]:
                self._delete(kind, old)

        try:
            processes.from_main(begin)
            self.orbax.save(new / STATE, args=self.arguments(state))
            processes.from_main(finish)
        except Exception as error:  # a full disk fails in many ways below Orbax
            before = newest(self.workdir, kind)
            kept = "no earlier one exists" if before is None else f"that of step {before} is intact"
            raise OSError(
                f"the checkpoint of step {step} could not be written to {self.path / kind} "
                f"({first_line(error)}); {kept}. Make room, then run the same command again."
            ) from error

    def _delete(self, kind: str, step: int) -> None:
        """Delete a checkpoint, whose name goes first: what has a step's name is whole."""
        old = self.path / kind / f"{step}.deleted"
        with suppress(OSError):  # the next start tries again
            os.rename(self.path / kind / str(step), old)
            shutil.rmtree(old)

    def resume(self, like: TrainState, say: Callable[[str], None]) -> TrainState | None:
        """The newest undamaged state, or None when nothing was saved yet.

        A damaged checkpoint is set aside in ``checkpoints/damaged``, and the one before is used; a
        best one of a later step is removed, for the run has not been there yet. Raises InputError
        when all are damaged, and OSError or MemoryError when one could not be read for another
        reason; then all checkpoints stay where they are.
        """
        damaged: dict[int, DamagedError] = {}
        for step in reversed(steps(self.workdir)):
            try:
                state = _load(_folder(self.workdir, "latest", step), like)
            except DamagedError as error:
                damaged[step] = error
                continue
            for bad, error in damaged.items():
                say(f"{error} Going back to step {step}; {bad} is kept in checkpoints/damaged.")
            processes.from_main(lambda damaged=damaged, step=step: self._go_back(damaged, step))
            return state
        for error in damaged.values():  # the newest one's
            raise error
        return None

    def _go_back(self, damaged: dict[int, DamagedError], step: int) -> None:
        aside = self.path / "damaged"
        for bad in damaged:
            aside.mkdir(exist_ok=True)
            names = (f"{bad}", *(f"{bad}-{i}" for i in range(1, 1000)))
            free = next(name for name in names if not (aside / name).exists())
            os.rename(self.path / "latest" / str(bad), aside / free)
        for later in steps(self.workdir, "best"):
            if later > step:
                self._delete("best", later)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self.orbax.close()


def _folder(workdir: Path, kind: str, step: int) -> Path:
    return (workdir / FOLDER / kind / str(step)).absolute()  # Orbax takes no relative path


def _load(folder: Path, like: TrainState) -> TrainState:
    """The state in a folder; DamagedError only where files or arrays are not the right ones.

    Orbax begins to read when both are known to be: what fails then is not the checkpoint.
    """
    try:
        _check(folder, like)
    except DamagedError as error:
        raise DamagedError(
            f"checkpoint {folder} cannot be read into this model ({error}). It was saved by "
            "another config or version, or is damaged. The command that trained it goes back to "
            "the checkpoint before; otherwise use the config of the run directory, or another "
            "--workdir."
        ) from error
    import orbax.checkpoint as ocp

    with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
        try:
            restored: Any = reader.restore(folder / STATE, args=ocp.args.StandardRestore(like))
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a failing disk fails in many ways below Orbax
            raise OSError(
                f"checkpoint {folder} is undamaged but could not be read ({first_line(error)}); "
                "nothing was changed. Run the same command again."
            ) from error
    return restored


def _check(folder: Path, like: TrainState) -> None:
    """Raise DamagedError naming a file that changed, or an array that is not the one needed."""
    arrays, wanted = _check_files(folder), _arrays(like)
    for name in sorted(arrays.keys() | wanted.keys()):
        there, here = arrays.get(name, "absent"), wanted.get(name, "absent")
        if there != here:
            raise DamagedError(f"array {name} is {there} there and {here} in the model")


def _check_files(folder: Path) -> dict[str, str]:
    """The arrays that the manifest lists; raises DamagedError naming a file that changed."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files, arrays = dict(manifest["files"]), dict(manifest["arrays"])
    except FileNotFoundError:
        raise DamagedError(f"{MANIFEST} is missing") from None
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(f"{MANIFEST} is damaged: {error!r}") from None
    for name, expected in files.items():
        try:
            found = file_hash(folder / name)
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedError(f"{name} is missing") from None
        if found != expected:
            raise DamagedError(f"{name} has changed")
    return arrays


def _arrays(state: TrainState) -> dict[str, str]:
    """``.params['head']['bias']`` -> ``float32[3]`` for each array of a state."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    text = lambda leaf: f"{leaf.dtype.name}[{','.join(map(str, leaf.shape))}]"
    return {jax.tree_util.keystr(path): text(leaf) for path, leaf in leaves}


def _check_room(folder: Path, size: int) -> None:
    """Raise OSError unless a file of that many bytes can be written to the folder."""
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(folder).free < size:  # macOS
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
