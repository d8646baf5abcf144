"""Trackers: mirrors of a run's log in Weights & Biases or MLflow; metrics.jsonl stays the truth.

What is mirrored: the config, the metrics, the figures, and at the end the report, run.json and the
newest checkpoint as artefacts. A tracker that fails never stops a training: its first error is
printed, nothing more is sent to it, and the end of the run says how many writes it missed. Where
each tracker writes to is set as usual by its own environment variables (``WANDB_MODE=offline``,
``MLFLOW_TRACKING_URI``).
"""

import importlib
import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sleepjax.config import check_known, flat
from sleepjax.io import write_json
from sleepjax.runs import checkpoints
from sleepjax.stdio import warn
from sleepjax.text import counted
from sleepjax.types import InputError

FILE = "trackers.json"
"""Of a run directory: name of each tracker -> its id of the run, which a resumed run continues."""


class _WandB:
    """Weights & Biases; project ``sleepjax`` unless WANDB_PROJECT says otherwise."""

    def __init__(self, workdir: Path, config: Mapping[str, Any], run_id: str | None):
        import wandb

        self.wandb, self.id = wandb, run_id or uuid.uuid4().hex[:12]
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "sleepjax"),
            name=workdir.name,
            id=self.id,
            resume="allow",
            dir=str(workdir),
            config=dict(config),
        )

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def figure(self, step: int, path: Path) -> None:
        self.run.log({f"figures/{path.stem}": self.wandb.Image(str(path))}, step=step)

    def artefact(self, path: Path, kind: str) -> None:
        made = self.wandb.Artifact(f"{self.id}-{path.stem}", type=kind)
        (made.add_dir if path.is_dir() else made.add_file)(str(path))
        self.run.log_artifact(made)

    def close(self, finished: bool) -> None:
        self.run.finish(exit_code=0 if finished else 1)


class _MLflow:
    """MLflow; experiment ``sleepjax`` unless MLFLOW_EXPERIMENT_NAME says otherwise."""

    def __init__(self, workdir: Path, config: Mapping[str, Any], run_id: str | None):
        from mlflow import MlflowClient

        self.client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "sleepjax")
        if run_id is None:
            found = self.client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else self.client.create_experiment(name)
            run_id = self.client.create_run(experiment, run_name=workdir.name).info.run_id
            for key, value in flat(config).items():
                self.client.log_param(run_id, key, str(value)[:500])
            self.client.log_dict(run_id, dict(config), "config.json")
        self.id = run_id

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.client.log_metric(self.id, name.replace("@", "_at_"), value, step=step)  # no @

    def figure(self, step: int, path: Path) -> None:
        del step
        self.client.log_artifact(self.id, str(path), "figures")

    def artefact(self, path: Path, kind: str) -> None:
        log = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
        log(self.id, str(path), kind)

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.id, "FINISHED" if finished else "KILLED")


Backend = _WandB | _MLflow
BACKENDS: dict[str, type[Backend]] = {"wandb": _WandB, "mlflow": _MLflow}


def check(names: Sequence[str]) -> None:
    """Raise InputError for a tracker that is unknown or not installed."""
    for name in names:
        check_known(f"--track {name!r}", name, BACKENDS)
        try:
            importlib.import_module(name)
        except ImportError:
            raise InputError(
                f'--track {name}: {name} is not installed; pip install "sleepjax[{name}]".'
            ) from None


class Trackers:
    """All trackers of a run; none of their faults goes further."""

    def __init__(self, workdir: Path, names: Sequence[str] = ()):
        """Begin a run in each, or continue that of an earlier start."""
        self.workdir, self.missed = workdir, dict.fromkeys(names, 0)
        self.backends: dict[str, Backend] = {}
        if not names:
            return
        config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
        path, ids = workdir / FILE, {}
        if path.is_file():
            try:
                ids = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                warn(f"{path} is damaged, so a new run begins in {' and '.join(names)}.")
        for name in names:
            self._try(name, lambda name=name: self._begin(name, config, ids.get(name)))
        write_json(path, ids | {name: one.id for name, one in self.backends.items()})

    def _begin(self, name: str, config: Mapping[str, Any], run_id: str | None) -> None:
        self.backends[name] = BACKENDS[name](self.workdir, config, run_id)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """One point per value."""
        self._each(lambda one: one.metrics(step, values))

    def figure(self, step: int, path: Path) -> None:
        """A picture that was drawn."""
        self._each(lambda one: one.figure(step, path))

    def close(self, finished: bool) -> None:
        """The artefacts and the end; says what was missed."""
        step = checkpoints.newest(self.workdir) if self.missed else None
        newest = f"{checkpoints.FOLDER}/latest/{step}"
        files = {"report.html": "report", "run.json": "run", newest: "checkpoint"}
        for file, kind in files.items():
            if (path := self.workdir / file).exists():
                self._each(lambda one, path=path, kind=kind: one.artefact(path, kind))
        self._each(lambda one: one.close(finished))
        for name, count in self.missed.items():
            if count:
                missed = counted(count, "write")
                warn(f"{name} missed {missed} of {self.workdir}; metrics.jsonl has all.")

    def _each(self, do: Callable[[Backend], Any]) -> None:
        for name in self.missed:
            if self.missed[name] or name not in self.backends:
                self.missed[name] += 1
            else:
                self._try(name, lambda name=name: do(self.backends[name]))

    def _try(self, name: str, do: Callable[[], Any]) -> None:
        try:
            do()
        except Exception as error:  # a client may raise anything: a network, a server, a full disk
            self.missed[name] += 1
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            warn(f"{name} failed ({reason}); the training continues without it.")
