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
code/               copies of the files of user-defined parts (see `sleepjax.custom`)
validation/         probabilities and true events of the last validation (see `validation`)
"""

import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

import sleepjax
from sleepjax import custom, lock
from sleepjax.config import flat, from_json, nearest
from sleepjax.data.identity import repair_code
from sleepjax.io import read_json, write_json
from sleepjax.parallel import processes
from sleepjax.postprocess.decode import check_post
from sleepjax.runs import checkpoints, resume
from sleepjax.runs.environment import environment
from sleepjax.runs.resume import differences
from sleepjax.stdio import warn
from sleepjax.types import InputError

FORMAT = 7
READABLE = (6, FORMAT)
ADDED: dict[str, Any] = {
    "augment.hide": 0.0,
    "augment.more": [],
    "data.covariates": [],
    "data.subjects": "",
    "data.tail": 0,
    "data.teacher": "",
    "eval.latency": 0,
    "evaluators": [],
    "optim.freeze": [],
    "optim.lr_factors": [],
    "optim.name": "adamw",
    "optim.schedule": "cosine",
    "post.more": [],
}
"""Settings that runs of readable formats may lack, with what such a run did."""
LOCK = ".lock"
FACTS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("sleepjax", "repair", "python", "recordings", "labels"), str),
    **dict.fromkeys(("versions", "normalisers", "features", "code"), dict),
    **dict.fromkeys(("settings", "changes", "train_series", "valid_series"), list),
    **{"format": int, "git_commit": (str, type(None)), "simulated": bool},
}
"""What run.json must hold."""


@contextmanager
def opened(
    workdir: Path, config: ConfigDict, run: dict[str, Any], *, extend: bool = False
) -> Iterator[None]:
    """Lock the directory in process 0 and `write` or check what it holds; every process waits."""
    with ExitStack() as stack:

        def open_it() -> None:
            stack.enter_context(locked(workdir))
            write(workdir, config, run, extend=extend)

        processes.from_main(open_it)
        yield


def locked(workdir: Path) -> AbstractContextManager[None]:
    """Hold a run directory, made where it is missing; raises `lock.InUseError` while it is held."""
    remedy = "wait for it or stop it, or use another --workdir"
    return lock.held(workdir / LOCK, state="in use by another run", remedy=remedy)


def write(workdir: Path, config: ConfigDict, run: dict[str, Any], *, extend: bool = False) -> None:
    """Write config.json and run.json, or check them when the run is resumed.

    Settings in `resume.FREE` may change then, and ``total_steps`` with ``extend``; these changes,
    and another version of the code, are printed and recorded in run.json.

    Raises InputError, listing the differences, when the directory belongs to another config or to
    other data, or when its checkpoints are gone.
    """
    settings = json.loads(config.to_json())
    path, facts = workdir / "config.json", json.loads(json.dumps(run))
    if not path.exists():
        if extend:
            raise InputError(f"--extend: {workdir} holds no run that could be extended.")
        if (workdir / checkpoints.FOLDER).exists():
            raise InputError(
                f"{workdir} holds checkpoints but no config.json, so nobody can tell whether they "
                "belong to this config; restore the file, or use another --workdir."
            )
        new = {"format": FORMAT, **environment(), "settings": list(flat(settings)), "changes": []}
        new["code"] = custom.copy(settings, workdir)
        # config.json comes last: a directory that has it is complete.
        write_json(workdir / "run.json", new | facts)
        write_json(path, settings)
        return
    before, old = _read_files(workdir)
    resume.check(workdir, before, settings, extend=extend)
    changed = differences({k: old.get(k) for k in facts}, facts)
    if changed:
        raise InputError(
            f"the data of {workdir} changed since the run began:\n  "
            + "\n  ".join(changed)
            + "\nRestore the data, or use another --workdir."
        )
    code = old["code"] | custom.copy(settings, workdir)
    if resume.record(workdir, before, settings, old) or code != old["code"]:
        write_json(workdir / "run.json", old | {"settings": list(flat(settings)), "code": code})
        write_json(path, settings)


def read(workdir: Path) -> tuple[ConfigDict, dict[str, Any]]:
    """(config, contents of run.json). Raises InputError when the folder is not a run directory."""
    settings, run = _read_files(workdir)
    custom.check_copies(workdir, run["code"])
    config = from_json(custom.kept_in(settings, workdir))
    try:
        check_post(config["post"])
    except InputError as error:
        raise InputError(f"{workdir / 'config.json'}: post: {error}") from None
    return config, run


def _read_files(workdir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Contents of config.json and run.json; InputError unless both are complete."""
    for name in ("config.json", "run.json"):
        if not (workdir / name).is_file():
            raise InputError(
                f"{workdir} is not a run directory: it has no {name}. "
                "Give the --workdir of a finished scripts/train.py."
            )
    run = read_json(workdir / "run.json", "the run directory")
    if run.get("format") not in READABLE:
        raise InputError(
            f"{workdir} has run format {run.get('format')!r} (sleepjax {run.get('sleepjax')}); "
            f"this is sleepjax {sleepjax.__version__}, which reads format {FORMAT}. Use the "
            "version that trained it."
        )
    if run["format"] != FORMAT:
        run = {"code": {}, **run, "format": FORMAT}
    missing = [name for name in FACTS if name not in run]
    odd = [name for name in FACTS if not isinstance(run.get(name), FACTS[name])]
    if missing or odd:
        what = f"has no {', '.join(missing)}" if missing else f"has an odd {', '.join(odd)}"
        raise InputError(f"{workdir / 'run.json'} {what}; the run directory is damaged.")
    settings = read_json(workdir / "config.json", "the run directory")
    added = {name: value for name, value in ADDED.items() if name not in run["settings"]}
    for name, value in added.items():
        group, _, key = name.rpartition(".")
        (settings.setdefault(group, {}) if group else settings)[key] = value
    run["settings"] = [*run["settings"], *added]
    found, expected = list(flat(settings)), run["settings"]
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if unknown:
        raise InputError(
            f"{workdir / 'config.json'} has the setting {unknown[0]!r}, which the run was not "
            f"trained with{nearest(unknown[0], missing or expected)} Restore the file."
        )
    if missing:
        names = [*missing[:10], *["..."] * (len(missing) > 10)]
        raise InputError(
            f"{workdir / 'config.json'} has no {', '.join(names)}, which the run was trained "
            "with; restore the file: a setting is never filled in by today's default."
        )
    return settings, run


def check_features(workdir: Path, run: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise InputError where features are computed in another way than when the run was trained.

    ``run`` is what run.json holds, ``now`` the hash of each feature's definition by the code that
    runs. Another version of polars may write the same definition differently: then it is a warning,
    as are recordings that are repaired by other code.
    """
    if run["repair"] != repair_code():
        warn(
            f"{workdir} was trained on recordings that other code read and repaired "
            f"(sleepjax {run['sleepjax']}, commit {run['git_commit']}); check its predictions."
        )
    changed = [name for name, code in now.items() if run["features"].get(name) != code]
    if not changed:
        return
    polars = importlib.metadata.version("polars")
    text = f"{workdir} was trained with another definition of the features {', '.join(changed)}"
    if run["versions"]["polars"] == polars:
        raise InputError(
            f"{text} (sleepjax {run['sleepjax']}, commit {run['git_commit']}); use the version "
            "that trained it."
        )
    before = run["versions"]["polars"]
    warn(f"{text}, or only with another polars ({before}, now {polars}); check its predictions.")


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
