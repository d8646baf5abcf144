"""Dry run: every part of a config once on its real data, in a folder that is removed afterwards.

One batch, one update, the validation of one series with its decoding, the report, a checkpoint, and
a prediction by the run that was saved. What would stop a training after hours stops it here.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sleepjax.data import subjects
from sleepjax.predict import load
from sleepjax.runs import checkpoints, validation
from sleepjax.runs.log import read_metrics
from sleepjax.runs.runtime import Execution
from sleepjax.text import counted
from sleepjax.training import checks, input_pipeline, loop
from sleepjax.training.build import build
from sleepjax.types import InputError

ALIKE = 1e-4
"""Difference of probabilities that the order of additions may make."""


def run(config: Any, execution: Execution) -> list[str]:
    """Run every part once; what was seen, a line for each.

    Raises what a training raises, and InputError where the run that was saved predicts differently
    from the one that was trained.
    """
    if jax.process_count() > 1:
        raise InputError("--dry_run works in one process; start it without others.")
    checks.check(config)
    once = config.copy_and_resolve_references().unlock()
    once.update(total_steps=1, log_every=1, ckpt_every=1)
    once.optim.warmup, once.eval.every, once.early_stop.patience = 0, 1, 0
    how = replace(execution, extend=False, profile=None, track=(), dry_run=True)
    with tempfile.TemporaryDirectory(prefix="sleepjax-dry-run-") as folder:
        workdir = Path(folder) / "run"
        begin = time.monotonic()
        result = loop.run(once.lock(), workdir, how)
        seconds = time.monotonic() - begin
        data = input_pipeline.open_data(config)
        rows = {k: v for row in read_metrics(workdir) for k, v in row.items()}
        found = check_saved(workdir, data)
        size = lambda path: sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
        newest = workdir / checkpoints.FOLDER / "latest"
        shape = (config.batch_size, config.data.duration, len(subjects.names(config.data)))
        return [
            f"dry run: every part ran once in {seconds:.0f} s, compilation included",
            f"  data        {len(data.train)} series to train on, 1 of {len(data.valid)} validated"
            + ", SIMULATED" * data.simulated,
            f"  batch       x {list(shape)}",
            f"  model       {config.model.name}, {build(config).count_parameters():,} parameters",
            f"  update      loss {rows['train/loss']:.4f}, gradient {rows['train/grad_norm']:.3g}",
            f"  validation  {loop.in_words(result.metrics)}, {counted(found, 'candidate')}",
            f"  report      {(workdir / 'report.html').stat().st_size / 1e6:.1f} MB, "
            f"{counted(len(result.figures), 'figure')}",
            f"  checkpoint  {size(newest) / 1e6:.1f} MB",
            "  loaded run  predicts what the validation saw",
        ]


def check_saved(workdir: Path, data: Any) -> int:
    """Candidates that the saved run finds in the series that was validated, if it is as it was."""
    seen = validation.load(workdir)[0][0]
    predictor, name = load(workdir), seen.recording.meta.series_id
    columns = subjects.parse(predictor.members[0].config.data.covariates)
    table = subjects.read(predictor.members[0].config.data.subjects, columns) if columns else {}
    found = predictor.find(data.store.recording(name), table.get(name))
    worst = float(np.abs(found.probabilities - seen.probabilities).max())
    if worst > ALIKE:
        raise InputError(
            f"the run that was saved predicts differently from the one that was trained (by "
            f"{worst:.2g}); a user-defined part must give the same for the same input."
        )
    return len(found.events)
