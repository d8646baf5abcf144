"""The one training loop, read from top to bottom."""

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from sleepjax.data import windows
from sleepjax.evaluation import event_ap
from sleepjax.evaluators import Evaluator, Validation, standard
from sleepjax.inference import Windowing
from sleepjax.parallel import processes, sharding
from sleepjax.progress import Progress
from sleepjax.runs import directory, trackers
from sleepjax.runs.checkpoints import Checkpoints, newest
from sleepjax.runs.log import MetricWriter, read_metrics
from sleepjax.runs.runtime import AS_USUAL, Execution
from sleepjax.runs.stop import Interrupted, StopSignal
from sleepjax.text import counted
from sleepjax.training import checks, guard, input_pipeline, weights
from sleepjax.training.build import Compiled, build, compiled
from sleepjax.training.meter import Meter
from sleepjax.training.profiling import Profile
from sleepjax.training.state import TrainState, eval_variables, parameter_table
from sleepjax.types import DivergedError


@dataclass(frozen=True)
class Result:
    """What a finished run leaves."""

    metrics: dict[str, float]
    """Of the last validation: ``loss``, ``event_ap``, ``event_ap/onset``, ``event_ap/onset@36``."""
    workdir: Path
    figures: tuple[Path, ...]
    simulated: bool


def run(
    config: ConfigDict,
    workdir: str | Path,
    execution: Execution = AS_USUAL,
    evaluators: Mapping[str, tuple[Evaluator, int]] | None = None,
) -> Result:
    """Train, validate, checkpoint; resume where ``workdir`` holds an unfinished run.

    Where ``config.data.root`` is left at its default and holds nothing, recordings are simulated
    (``config.simulate``), with a warning. A finished run is validated again, not trained.

    Args:
      config: of `sleepjax.load_config`; every setting is checked before anything is read.
      workdir: the run directory: made, or continued if it was begun with the same settings.
      execution: how it is computed, such as ``Execution(resident=True, track=("wandb",))``; it
        may differ when a run is resumed (`sleepjax.runs.runtime.Execution`).
      evaluators: name -> (function of a `sleepjax.evaluators.Validation`, every so many steps):
        what looks at each validation; by default `evaluators.standard`, which saves, scores and
        draws. Every process of a distributed run calls this with the same arguments.

    Returns the `Result`: scores of the last validation, run directory, figures.

    Raises InputError for a config or data that cannot be used, OSError where the disk is full,
    DivergedError when too many updates in a row had to be skipped or the weights predict NaN, and
    Interrupted after SIGTERM, SIGUSR1, SIGHUP or Ctrl-C, when the state has been saved.
    """
    workdir, total = Path(workdir), config.total_steps
    checks.check(config)
    mesh, main = sharding.data_mesh(), processes.is_main()
    checks.check_batches(config, mesh.size)
    trackers.check(execution.track)
    built, data = build(config), input_pipeline.open_data(config)
    data = data.with_one_validated() if execution.dry_run else data
    feed = input_pipeline.make(data.train, config, mesh, resident=execution.resident)
    program = compiled(built, feed, mesh, execution)
    evaluators = standard(config) if evaluators is None else evaluators
    resumed = (workdir / "config.json").exists()  # then the weights it began with may be gone
    origin = {} if resumed else weights.origin(config)

    with (
        directory.opened(workdir, config, data.facts() | origin, extend=execution.extend),
        Checkpoints(workdir) as checkpoints,
        StopSignal() as stop,
    ):
        state = begin(config, workdir, program, checkpoints)
        step, key = int(state.step), program.train_key(config.seed)
        history = read_metrics(workdir, step)
        meter = Meter(config, built.lr_at, feed.windows_at, workdir)
        batch_at = lambda step: program.to_device(feed.batch_at(step))
        with (
            MetricWriter(workdir, step, execution.track) if main else nullcontext() as writer,
            Progress(total, "train", "step", initial=step, quiet=not main) as progress,
            Profile(workdir, execution.profile if main else None) as profile,
            input_pipeline.prefetch(batch_at, step, total) as batches,
        ):

            def write(row: Mapping[str, float]) -> None:
                if writer:
                    writer.write(step, row)
                history.append({"step": step, **row})

            while True:
                last = step == total
                due = lambda every, last=last, step=step: step > 0 and (last or step % every == 0)
                if meter.pending and due(config.log_every):  # sync point
                    write(row := meter.read(step))
                    progress.note = meter.note(row)
                    if row["train/skipped"]:
                        skipped = counted(round(row["train/skipped"]), "update")
                        progress.say(f"step {step}: {skipped} skipped")
                stopping = processes.agreed(bool(stop), due(config.log_every))
                if due(config.ckpt_every) or due(config.eval.every) or stopping:  # sync point
                    meter.check(step)  # a diverged run is not saved any further
                    checkpoints.save(state)
                if stopping:
                    name = stop.name or "a signal to another process"
                    raise Interrupted(f"{name} at step {step} of {total}; the state is saved")

                new = due(config.eval.every) and "valid/loss" not in row_at(history, step)
                if new or last or has_stalled(history, **config.early_stop):
                    evaluation = validate(config, workdir, data, program, state, stop)
                    if new:
                        row = {f"valid/{name}": value for name, value in evaluation.metrics.items()}
                        none = newest(workdir, "best") is None
                        if none or row["valid/event_ap"] > best_value(history, "valid/event_ap"):
                            checkpoints.save(state, "best")
                        write(row)  # after the checkpoint: a kill between them repeats both
                        progress.say(f"step {step}: validation {in_words(evaluation.metrics)}")
                    ending = last or has_stalled(history, **config.early_stop)
                    for evaluator, every in evaluators.values():
                        if writer and (due(every) or ending):
                            seen = step, workdir, config, data, evaluation, history, writer
                            row = evaluator(Validation(*seen, built.spread))
                            if not row.keys() <= row_at(history, step).keys():
                                write(row)
                    if ending:
                        if not last:
                            progress.say(f"step {step} of {total}: {why_stalled(history, config)}")
                        processes.barrier("end")
                        figures = tuple(sorted((workdir / "figures").glob("*.png")))
                        return Result(evaluation.metrics, workdir, figures, data.simulated)
                    meter.restart()

                profile.at(step, meter.pending)
                batch = meter.next_of(batches)
                with jax.transfer_guard("disallow"):
                    state, metrics = program.update(state, feed.store, batch, key)
                step += 1
                meter.add(metrics)
                progress.advance()


def begin(config: Any, workdir: Path, program: Compiled, checkpoints: Checkpoints) -> TrainState:
    """The state that training begins with: the one that was saved, or a new one; says which."""
    state = checkpoints.resume(program.like, say)
    if state is not None:
        say(resumption(workdir, int(state.step), config))
        return state
    state = program.start(config.seed)
    if config.get("init"):
        state, loaded = weights.started(config, state)
        say(loaded)
    say(parameter_table(state.params))
    return state


def validate(
    config: Any, workdir: Path, data: Any, program: Compiled, state: Any, stop: StopSignal
) -> event_ap.Evaluation:
    """Score the state on the validation series; Interrupted where a signal came in between.

    DivergedError, and the file of `guard`, where its predictions are no numbers.
    """
    variables = eval_variables(state)

    def score(batch: windows.Batch):
        if stop and jax.process_count() == 1:  # alone: nobody waits for this process
            raise Interrupted(f"{stop.name} during validation; the state is saved")
        return program.score(variables, program.to_device(batch), state.step)

    windowing, post = Windowing.of(config), dict(config.post)
    try:
        return event_ap.evaluate(data.valid, data.solution, score, windowing=windowing, post=post)
    except DivergedError:
        guard.record(workdir, [])  # no batch is to blame
        raise


def in_words(scores: Mapping[str, float]) -> str:
    """The scores of a validation in one line."""
    return (
        f"loss {scores['loss']:.4f}, event AP {scores['event_ap']:.3f} "
        f"(onset {scores['event_ap/onset']:.3f}, wakeup {scores['event_ap/wakeup']:.3f})"
    )


def row_at(history: Sequence[dict[str, float]], step: int) -> dict[str, float]:
    """All that was written at one step."""
    return {k: v for row in history if row["step"] == step for k, v in row.items()}


def best_value(history: Sequence[dict[str, float]], name: str) -> float:
    """The highest value so far, minus infinity without any."""
    return max((row[name] for row in history if row.get(name) is not None), default=-math.inf)


def has_stalled(history: Sequence[dict[str, float]], *, metric: str, patience: int) -> bool:
    """Whether the last ``patience`` validations all failed to improve the metric; 0 never stops.

    A metric whose name ends in ``loss`` is better when lower.
    """
    rows = [row for row in history if "valid/loss" in row]
    if not patience or not rows:
        return False
    sign = -1 if metric.endswith("loss") else 1
    values = [-math.inf if row.get(metric) is None else sign * row[metric] for row in rows]
    return len(values) - 1 - int(np.argmax(values)) >= patience


def why_stalled(history: Sequence[dict[str, float]], config: Any) -> str:
    """Why a run whose last validations improved nothing stops, in words."""
    metric, patience = config.early_stop.metric, config.early_stop.patience
    rows = [row for row in history if row.get(metric) is not None]
    pick = min if metric.endswith("loss") else max
    best = pick(rows, key=lambda row: row[metric], default=None)
    reached = f"not improved on {best[metric]:.4f} of step {best['step']}" if best else "no value"
    return (
        f"early stopping: {metric} has {reached} in {patience} validations "
        f"(early_stop.patience={patience})"
    )


def resumption(workdir: Path, step: int, config: Any) -> str:
    """Whether a run that is at ``step`` is finished or resumes, in words."""
    total, history = config.total_steps, read_metrics(workdir, step)
    again = "Nothing is left to train; it is validated again."
    if has_stalled(history, **config.early_stop):
        return (
            f"{workdir} is finished at step {step} of {total}, {why_stalled(history, config)}. "
            f"{again} A higher early_stop.patience trains it longer."
        )
    if step == total and "valid/loss" in row_at(history, step):
        return (
            f"{workdir} is finished at step {step} of {total}. {again} "
            "--extend total_steps=N trains it longer."
        )
    return f"resuming {workdir} at step {step} of {total}"


def say(text: str) -> None:
    """A line for the person at the terminal, once in all processes."""
    if processes.is_main():
        print(text, file=sys.stderr, flush=True)
