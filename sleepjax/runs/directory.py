"""The run directory: all that prediction needs, and what a reader of the result wants to know.

config.json         the resolved config
run.json            features, normalisers, series of each split, simulated or not, git, versions
metrics.jsonl       one object per write (see `writers`)
tensorboard/        the same, with figures
checkpoints/        the latest two and the best; damaged ones that a resumed run set aside
skipped.json        which windows were in the batches that ended a run (see `guard`)
.lock               held by the process that trains (see `sleepjax.lock`)
figures/            pictures of the end of the run
report.html         what came of it, in one page (see `sleepjax.figures.report`)
model.py            a copy of the file of a user-defined model (see `sleepjax.models.registry`)
validation/         probabilities and true events of the last validation (see `validation`)
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

import sleepjax
from sleepjax import lock
from sleepjax.config import from_json
from sleepjax.io import write_json
from sleepjax.models import registry
from sleepjax.parallel import processes
from sleepjax.types import InputError

FORMAT = 6
MODEL = "model.py"
LOCK = ".lock"
GROUPS = ("data", "model", "loss", "optim", "guard", "eval", "post")
PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "polars")


@contextmanager
def opened(workdir: Path, config: ConfigDict, run: dict[str, Any]) -> Iterator[None]:
    """Lock the directory in process 0 and `write` or check what it holds; every process waits."""
    with ExitStack() as stack:

        def open_it() -> str:
            stack.enter_context(locked(workdir))
            write(workdir, config, run)
            return ""

        processes.from_main(open_it)
        yield


def locked(workdir: Path) -> AbstractContextManager[None]:
    """Hold a run directory, made where it is missing; raises `lock.InUseError` while it is held."""
    remedy = "wait for it or stop it, or use another --workdir"
    return lock.held(workdir / LOCK, state="in use by another run", remedy=remedy)


def write(workdir: Path, config: ConfigDict, run: dict[str, Any]) -> None:
    """Write config.json and run.json, or check them when the run is resumed.

    Raises InputError, listing the differences, when the directory belongs to another config or to
    other data.
    """
    settings = json.loads(config.to_json())
    path = workdir / "config.json"
    if not path.exists() and (workdir / "checkpoints").exists():
        raise InputError(
            f"{workdir} holds checkpoints but no config.json, so nobody can tell whether they "
            "belong to this config; restore the file, or use another --workdir."
        )
    name = settings["model"]["name"]
    own = registry.is_custom(name)
    source = registry.file_of(name).read_bytes() if own else b""
    if path.exists():
        different = differences(_read_json(path), settings)
        if own and source != (workdir / MODEL).read_bytes():
            different.append(f"{registry.file_of(name)} is not the file it was ({MODEL})")
        if different:
            raise InputError(
                f"{path} was written by another config, so this run cannot be resumed:\n  "
                + "\n  ".join(different)
                + "\nUse the same settings, or another --workdir."
            )
        old, new = _read_json(workdir / "run.json"), json.loads(json.dumps(run))
        different = differences({k: old.get(k) for k in new}, new)
        if different:
            raise InputError(
                f"the data of {workdir} changed since the run began:\n  "
                + "\n  ".join(different)
                + "\nRestore the data, or use another --workdir."
            )
        return
    facts = {
        "format": FORMAT,
        "sleepjax": sleepjax.__version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    if own:
        (workdir / MODEL).write_bytes(source)
    # config.json comes last: a directory that has it is complete.
    write_json(workdir / "run.json", facts | run)
    write_json(path, settings)


def read(workdir: Path) -> tuple[ConfigDict, dict[str, Any]]:
    """(config, contents of run.json). Raises InputError when the folder is not a run directory."""
    for name in ("config.json", "run.json"):
        if not (workdir / name).is_file():
            raise InputError(
                f"{workdir} is not a run directory: it has no {name}. "
                "Give the --workdir of a finished scripts/train.py."
            )
    run = _read_json(workdir / "run.json")
    if run.get("format") != FORMAT:
        raise InputError(
            f"{workdir} has run format {run.get('format')!r} (sleepjax {run.get('sleepjax')}); "
            f"this is sleepjax {sleepjax.__version__}, which reads format {FORMAT}. Use the "
            "version that trained it."
        )
    config = from_json(_read_json(workdir / "config.json"))
    missing = [name for name in GROUPS if not isinstance(config.get(name), ConfigDict)]
    if missing:
        raise InputError(
            f"{workdir / 'config.json'} has no {', '.join(missing)}; the run directory is damaged."
        )
    if registry.is_custom(config["model"]["name"]):  # the run's own copy, wherever the file is now
        config["model"]["name"] = f"{workdir / MODEL}:{config['model']['name'].rpartition(':')[2]}"
    return config, run


def check_labels(workdirs: Sequence[Path], labels: str | None = None) -> None:
    """Raise InputError unless all runs know the same labels, those of the first or ``labels``."""
    for workdir in workdirs:
        own = read(workdir)[1]["labels"]
        labels = own if labels is None else labels
        if own != labels:
            raise InputError(
                f"{workdir} was trained and scored on other labels than the rest, so their scores "
                "do not belong together; remove the runs of the old labels, or use another "
                "--workdir."
            )


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """One line for each leaf that differs: ``optim.lr: 0.0005 -> 0.001``."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(set(old) | set(new))
        dot = f"{path}." if path else ""
        return [
            line
            for key in keys
            for line in differences(old.get(key, "absent"), new.get(key, "absent"), dot + key)
        ]
    if old == new:
        return []
    short = lambda value: text if len(text := repr(value)) <= 60 else text[:57] + "..."
    return [f"{path}: {short(old)} -> {short(new)}"]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); the run directory is damaged."
        ) from None


def _git_commit() -> str | None:
    """The commit of the code that runs, with ``+changes`` where it differs; None outside git."""
    here = Path(__file__).parent
    run = lambda *args: subprocess.run(
        ("git", "-C", str(here), *args), capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
    try:
        return run("rev-parse", "HEAD") + ("+changes" if run("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
