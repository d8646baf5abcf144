"""The trials of a sweep: a list on disk, a run directory each, and the table of their results.

sweep.json      {"trials": [settings, ...]}; the run of number i is in the folder of that name
000/, 001/      run directories
sweep.csv, .md  the table
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_collections import ConfigDict

from sleepjax.config import tuples
from sleepjax.experiments.search_space import Point, Space, as_text, configured, contains
from sleepjax.io import replacing, write_json, write_text
from sleepjax.runs import checkpoints, validation
from sleepjax.runs.log import read_metrics
from sleepjax.text import markdown
from sleepjax.training import guard
from sleepjax.training.build import build
from sleepjax.types import InputError

FILE = "sweep.json"


@dataclass(frozen=True)
class Trial:
    """One setting and its run directory."""

    point: Point
    config: ConfigDict
    workdir: Path

    def __str__(self) -> str:
        return f"{self.workdir.name}: {as_text(self.point)}"

    def is_finished(self) -> bool:
        """Whether its run came to its end; InputError where the folder has another config's."""
        return validation.is_finished(self.workdir, self.config)

    def is_over(self) -> bool:
        """Whether it is finished, with its checkpoint, or diverged: it would do so again."""
        whole = self.is_finished() and checkpoints.is_whole(self.workdir)
        return whole or (self.workdir / guard.FILE).exists()

    def event_ap(self) -> float:
        """Validation event AP of the last checkpoint; NaN while there is none."""
        if not self.is_finished():
            return math.nan
        values = [row.get("valid/event_ap") for row in read_metrics(self.workdir)]
        return next((value for value in reversed(values) if value is not None), math.nan)

    def seconds(self) -> float:
        """Time spent training, compilation included, validation not."""
        rows = [row for row in read_metrics(self.workdir) if row.get("train/steps_per_second")]
        steps = [0, *(row["step"] for row in rows)]
        return sum(
            (row["step"] - before) / row["train/steps_per_second"]
            for before, row in zip(steps, rows, strict=False)
        )

    def state(self) -> str:
        """``finished``, ``diverged``, ``started`` or ``waiting``."""
        if self.is_finished():
            return "finished"
        if (self.workdir / guard.FILE).exists():
            return "diverged"
        return "started" if (self.workdir / "config.json").exists() else "waiting"


class Trials:
    """All trials of a sweep, in the order in which they were added."""

    def __init__(self, workdir: Path, config: ConfigDict):
        """Read the list of a sweep that was begun in ``workdir``, or begin one."""
        self.workdir, self.base = workdir, config
        self.points: list[Point] = []
        path = workdir / FILE
        if path.exists():
            try:
                trials = json.loads(path.read_text(encoding="utf-8"))["trials"]
                self.points = [dict(tuples(point)) for point in trials]
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise InputError(
                    f"{path} cannot be read ({error!r}); restore it, or use another --workdir."
                ) from None

    def add(self, point: Point) -> Trial:
        """The trial of these settings, entered in the list where it is new."""
        if point not in self.points:
            self.points.append(point)
            self.workdir.mkdir(parents=True, exist_ok=True)
            write_json(self.workdir / FILE, {"trials": self.points})
        folder = self.workdir / f"{self.points.index(point):03d}"
        return Trial(point, configured(self.base, point), folder)

    def within(self, space: Space) -> list[Trial]:
        """The trials so far that belong to a space."""
        return [self.add(point) for point in self.points if contains(space, point)]


def write_table(trials: Sequence[Trial], path: Path) -> str:
    """Write the results as csv, and beside it as markdown; returns the latter, best trial first."""
    keys = list(trials[0].point)
    columns = [*keys, "event_ap", "seconds", "parameters", "state", "run"]
    rows = [
        [
            *(trial.point[key] for key in keys),
            trial.event_ap(),
            round(trial.seconds(), 1),
            build(trial.config).count_parameters(),
            trial.state(),
            trial.workdir.name,
        ]
        for trial in trials
    ]
    rows.sort(key=lambda row: -row[len(keys)] if row[len(keys)] == row[len(keys)] else 1.0)
    with replacing(path) as new, new.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    cell = lambda value: f"{value:.4g}" if isinstance(value, float) else value
    text = markdown(columns, [[cell(value) for value in row] for row in rows])
    write_text(path.with_suffix(".md"), text + "\n")
    return text
