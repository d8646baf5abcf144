"""Comparison of runs: settings that differ, their scores, and how sure the difference is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from sleepjax import custom
from sleepjax.config import flat
from sleepjax.figures.palette import DARK, SERIES, bare, picture
from sleepjax.io import file_hash
from sleepjax.metrics import Bootstrap, evaluate, resample
from sleepjax.metrics.bootstrap import difference
from sleepjax.runs import directory, ensemble, validation
from sleepjax.runs.log import read_metrics
from sleepjax.text import markdown
from sleepjax.types import EVENTS

DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Run:
    """What is compared of a finished run, or of a cross-validation."""

    name: str
    settings: dict[str, Any]
    """``optim.lr`` -> value."""
    simulated: bool
    solution: pl.DataFrame
    events: pl.DataFrame
    history: list[dict[str, float]]
    """The lines of metrics.jsonl; a cross-validation has none."""


def read_run(workdir: str | Path, name: str) -> Run:
    """Read a run directory, or the folder of a cross-validation with what its members had not seen.

    Raises InputError when it is neither, or is not finished.
    """
    workdir = Path(workdir)
    config: Any
    if ensemble.is_ensemble(workdir):
        members, post = ensemble.read(workdir)
        config, facts = directory.read(next(iter(members.values())))
        own = ("data.fold", "seed")  # of each member
    else:
        config, facts = directory.read(workdir)
        post, own = config.post, ()
    curves, solution = validation.load(workdir)
    events = pl.concat([one.events(post) for one in curves])
    history = read_metrics(workdir)
    # What a file holds decides whether parts are the same, not where each run keeps its copy.
    digest = lambda part: file_hash(custom.file_of(part))[:8]
    named = custom.renamed(config.to_dict(), lambda part: f"{custom.short(part)} ({digest(part)})")
    settings = {key: value for key, value in flat(named).items() if key not in own}
    return Run(name, settings, facts["simulated"], solution, events, history)


def same_loss(first: Run, second: Run) -> bool:
    """Whether the losses of two runs are values of one function."""
    of = lambda run: {
        key: value
        for key, value in run.settings.items()
        if key.startswith("loss.") or key in ("data.teacher", "data.tail")
    }
    return of(first) == of(second)


def differences(runs: Sequence[Run]) -> list[list[str]]:
    """[setting, value of each run] of the settings that are not the same in all."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    shown = lambda run, key: str(run.settings[key]) if key in run.settings else "absent"
    rows = [[key, *(shown(run, key) for run in runs)] for key in keys]
    return [row for row in rows if len(set(row[1:])) > 1]


def scores(runs: Sequence[Run], draws: int = 1000) -> list[list[str]]:
    """[name, AP with interval, AP of each event, loss, difference to the first run, p] of each.

    No loss of a run whose loss function is not that of the first.
    """
    rows = []
    results = [evaluate(run.solution, run.events) for run in runs]
    boots = [resample(result, draws) for result in results]
    for run, result, boot in zip(runs, results, boots, strict=True):
        low, high = boot.interval()
        losses = [row["valid/loss"] for row in run.history if row.get("valid/loss") is not None]
        row = [run.name, f"{result.ap:.3f} ({low:.3f} to {high:.3f})"]
        row += [f"{result.per_event[e]:.3f}" if e in result.per_event else "-" for e in EVENTS]
        loss = f"{losses[-1]:.4f}" if losses else "-"
        loss = loss if same_loss(runs[0], run) else "other loss"
        row += [loss, *_against(runs[0], run, boots[0], boot)]
        rows.append(row)
    return rows


def _against(first: Run, run: Run, boot: Bootstrap, own: Bootstrap) -> tuple[str, str]:
    """(difference with its interval, p) on the same draws; dashes where it has no meaning."""
    if run is first:
        return "-", "-"
    if not same_labels(first, run):
        return "other series", "-"
    pair = difference(boot, own)
    low, high = pair.interval()
    return f"{pair.difference:+.3f} ({low:+.3f} to {high:+.3f})", f"{pair.p:.3f}"


def same_labels(first: Run, second: Run) -> bool:
    """Whether two runs were validated on the same events."""
    key = ["series_id", "event", "step"]
    one, other = (run.solution.select(key).sort(key, nulls_last=True) for run in (first, second))
    return one.equals(other)


def learning_curves(runs: Sequence[Run]) -> Figure:
    """Validation loss and event AP of all runs over their steps."""
    figure = picture(10, 4)
    axes = figure.subplots(1, 2)
    for axis, key, title in (
        (axes[0], "valid/loss", "validation loss"),
        (axes[1], "valid/event_ap", "validation event AP"),
    ):
        for i, run in enumerate(runs):
            points = [(row["step"], row[key]) for row in run.history if row.get(key) is not None]
            if points:
                axis.plot(
                    *zip(*points, strict=True), label=run.name, color=SERIES[i % len(SERIES)],
                    ls=DASHES[i % len(DASHES)], marker="o", ms=3,
                )  # fmt: skip
        if key == "valid/loss" and not all(same_loss(runs[0], run) for run in runs):
            title += " (of different functions: compare no heights)"
        axis.set_title(title, fontsize=10, color=DARK)
        axis.set_xlabel("step")
        bare(axis)
    axes[1].set_ylim(0, 1)
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def report(runs: Sequence[Run], picture_path: str) -> str:
    """The comparison as markdown, ready for a paper's draft or a pull request."""
    head = ["run", "event AP (95 %)", *EVENTS, "loss", f"against {runs[0].name} (95 %)", "p"]
    parts = ["# " + " against ".join(run.name for run in runs)]
    simulated = [run.name for run in runs if run.simulated]
    if simulated:
        parts.append(
            f"**Simulated data** in {', '.join(simulated)}: these scores say nothing about people."
        )
    changed = differences(runs)
    parts += ["## Settings that differ"]
    names = [run.name for run in runs]
    parts.append(markdown(["setting", *names], changed) if changed else "None.")
    parts += ["## Scores", markdown(head, scores(runs))]
    parts.append(
        "Intervals and p from 1000 draws of whole series; differences are paired: each draw "
        "scores both runs on the same series."
    )
    parts += ["## Learning curves", f"![Loss and event AP over steps]({picture_path})"]
    return "\n\n".join(parts) + "\n"
