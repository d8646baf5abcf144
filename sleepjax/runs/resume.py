"""Conditions of resuming: settings that must not change, and what is recorded of the data.

Where the data lie, how often a run reports and how it is scored may change; the code and the
versions of packages may, too. All of it is printed, and kept in run.json under ``changes``.
"""

from pathlib import Path
from typing import Any

from sleepjax import custom
from sleepjax.io import file_hash
from sleepjax.runs import checkpoints, log
from sleepjax.runs.environment import ENVIRONMENT, environment
from sleepjax.stdio import warn
from sleepjax.types import InputError

FREE = (
    *("early_stop.", "log_every", "ckpt_every", "data.root", "data.store"),
    *("eval.", "post.", "evaluators"),
)
"""Settings, and beginnings of their names, that may change when a run is resumed.

None changes the training. Where the data lie is one: `data.facts` says whether they are the same.
"""


def check(workdir: Path, before: dict[str, Any], settings: dict[str, Any], *, extend: bool) -> None:
    """Raise InputError unless a run with the settings ``before`` may resume with ``settings``.

    ``before`` is what its config.json holds. With ``extend`` ``total_steps`` may be more.
    """
    changed = training_differences(workdir, before, settings)
    if extend:
        changed = [line for line in changed if not line.startswith("total_steps:")]
        old, new = before["total_steps"], settings["total_steps"]
        if new < old:
            raise InputError(
                f"--extend total_steps={new} is less than the {old} steps of {workdir}; a run can "
                "only be extended."
            )
    if changed:
        raise InputError(
            f"{workdir / 'config.json'} was written by another config, so this run cannot be "
            "resumed:\n  "
            + "\n  ".join(changed)
            + "\nUse the same settings, or another --workdir. To train longer, use "
            "--extend total_steps=N."
        )
    _check_checkpoints(workdir, before["ckpt_every"])


def _check_checkpoints(workdir: Path, ckpt_every: int) -> None:
    """Raise InputError where metrics tell of checkpoints that are not there."""
    if checkpoints.newest(workdir) is not None:
        return
    rows = log.read_metrics(workdir)
    saved = [row["step"] for row in rows if "valid/loss" in row or row["step"] > ckpt_every]
    if saved or (rows and not (workdir / checkpoints.FOLDER).exists()):
        raise InputError(
            f"{workdir / log.FILE} records {max(row['step'] for row in rows)} steps, but "
            f"{workdir / checkpoints.FOLDER / 'latest'} holds no checkpoint; restore it, or use "
            "another --workdir."
        )


def record(
    workdir: Path, before: dict[str, Any], settings: dict[str, Any], run: dict[str, Any]
) -> bool:
    """Say what differs from the last start and add it to ``changes`` of ``run``; False if nothing.

    Arguments as in `check`; ``run`` is what run.json holds.
    """
    now = environment()
    last = {name: run[name] for name in ENVIRONMENT}
    for change in run["changes"]:
        last |= change.get("environment", {})
    lines = [*differences(before, settings), *differences(last, now)]
    if not lines:
        return False
    step = checkpoints.newest(workdir) or 0
    change = {"step": step, "differences": lines}
    if now != last:
        change["environment"] = now
    run["changes"].append(change)
    head = f"{workdir} is resumed at step {step} with changes, recorded in run.json:"
    warn("\n  ".join([head, *lines]))
    old, new = before["total_steps"], settings["total_steps"]
    if new != old:
        schedule = f"the schedule of {new} steps in all, not on that of {old}"
        warn(f"the learning rate continues on {schedule}.")
    return True


def training_differences(workdir: Path, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """`differences` of two configs but for those in `FREE` and where user-defined files lie.

    A file with a part that the training needs must hold what the run's copy holds.
    """
    where_they_lie = lambda config: custom.renamed(config, custom.short)
    lines = differences(where_they_lie(old), where_they_lie(new))
    lines = [line for line in lines if not line.startswith(FREE)]
    needed = {k: v for k, v in new.items() if not f"{k}.".startswith(FREE)}
    for path in dict.fromkeys(map(custom.file_of, custom.names(needed))):
        copy = workdir / custom.FOLDER / path.name
        if not copy.is_file() or file_hash(path) != file_hash(copy):
            lines.append(f"{path} is not the file it was ({custom.FOLDER}/{path.name})")
    return lines


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
