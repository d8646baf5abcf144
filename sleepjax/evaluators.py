"""Evaluators: what is scored, saved and drawn of a validation, each a function of `Validation`.

An evaluator returns a row of numbers for the log, empty where it only saves or draws.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sleepjax import custom, metrics
from sleepjax.data.source import TrainingData
from sleepjax.evaluation.event_ap import Evaluation
from sleepjax.figures import curves
from sleepjax.figures import report as page
from sleepjax.runs import validation as files
from sleepjax.runs.log import MetricWriter, reported
from sleepjax.types import InputError


@dataclass(frozen=True)
class Validation:
    """One validation of a run, in the first process."""

    step: int
    workdir: Path
    config: Any
    data: TrainingData
    evaluation: Evaluation
    history: Sequence[Mapping[str, float]]
    """The log so far, the scores of this validation included."""
    writer: MetricWriter
    spread: float
    """Minutes over which an event's probability is spread; see `postprocess.find_windows`."""

    @property
    def title(self) -> str:
        """Run and step, and whether the data are simulated."""
        return f"{self.workdir.name}, step {self.step}{', simulated data' * self.data.simulated}"

    @property
    def curves(self) -> list[files.Curves]:
        """The probabilities of each validation series."""
        found = self.evaluation.probabilities
        return [files.Curves(one, found[one.meta.series_id]) for one in self.data.valid]


Evaluator = Callable[[Validation], Mapping[str, float]]


def agreement(run: Validation) -> Mapping[str, float]:
    """Errors of main sleep against the labelled nights: median absolute, in minutes, and missed."""
    found = pl.concat(one.windows(run.spread) for one in run.curves)
    result = metrics.agreement(run.data.solution, found)
    row = {
        f"valid/agreement/{name}": difference.median_absolute
        for name, difference in result.differences.items()
    }
    return row | {"valid/agreement/missed": result.missed / result.n_truth}


def report(run: Validation) -> Mapping[str, float]:
    """Draw the curves and write ``report.html``."""
    run.writer.figures(run.step, curves.curves(run.evaluation, run.history, run.title))
    with reported("the report"):
        page.write(run.workdir, run.data, run.evaluation, run.config, run.title)
    return {}


def nights(run: Validation) -> Mapping[str, float]:
    """Draw the nights of each validation series."""
    run.writer.figures(run.step, curves.nights(run.data, run.evaluation, run.title))
    return {}


def saved(run: Validation) -> Mapping[str, float]:
    """Save probabilities and true events, so that decoding can be tuned without the model."""
    files.save(run.workdir, run.curves, run.data.solution, run.config.total_steps)
    return {}


def standard(config: Any) -> dict[str, tuple[Evaluator, int]]:
    """Name -> (evaluator, every so many steps); all of them run at the end of a run, too.

    Those that ``config.evaluators`` names, ``my_parts.py:name``, run at every validation.
    """
    return {
        "agreement": (agreement, config.eval.every),
        "report": (report, config.eval.every),
        "saved": (saved, config.total_steps),
        "nights": (nights, config.total_steps),
        **{name: (user_defined(name), config.eval.every) for name in config.evaluators},
    }


TAKEN = ("train/", "valid/loss", "valid/event_ap", "valid/agreement")
"""Beginnings of the names that the run itself writes."""


def user_defined(name: str) -> Evaluator:
    """The evaluator of ``my_parts.py:name``; its faults are printed, and the training continues."""
    function = custom.load(name, "evaluators")
    try:
        inspect.signature(function).bind("a validation")
    except TypeError as error:
        raise InputError(
            f"evaluators: {name!r} must be a function of one sleepjax.evaluators.Validation "
            f"({error})."
        ) from None

    def evaluator(run: Validation) -> Mapping[str, float]:
        with reported(f"evaluator {custom.short(name)}"):
            row = {str(key): float(value) for key, value in dict(function(run)).items()}
            for key in row:
                if key == "step" or key.startswith(TAKEN):
                    raise InputError(f"it returns {key!r}, which the run itself writes")
            return row
        return {}

    return evaluator
