"""The one training loop, read from top to bottom."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from sleepjax import objectives
from sleepjax.data import windows
from sleepjax.evaluation import event_ap
from sleepjax.figures import curves, report
from sleepjax.inference import Windowing
from sleepjax.parallel import processes, sharding
from sleepjax.progress import Progress
from sleepjax.runs import directory, validation
from sleepjax.runs.checkpoints import Checkpoints
from sleepjax.runs.log import MetricWriter, Mute, read_metrics
from sleepjax.runs.runtime import AS_USUAL, Execution
from sleepjax.runs.signals import Interrupted, StopSignal
from sleepjax.training import checks, guard, input, weights
from sleepjax.training.build import build
from sleepjax.training.prefetch import Prefetch
from sleepjax.training.profiling import Profile
from sleepjax.training.state import TrainState, eval_variables, parameter_table


@dataclass(frozen=True)
class Result:
    """What a finished run leaves."""

    metrics: dict[str, float]
    """Of the last validation: loss, event_ap, event_ap/onset, event_ap/onset@36 and their likes."""
    workdir: Path
    figures: tuple[Path, ...]
    simulated: bool


def run(config: ConfigDict, workdir: str | Path, execution: Execution = AS_USUAL) -> Result:
    """Train, validate, checkpoint, draw; resume where ``workdir`` holds an unfinished run.

    Every process of a distributed run calls this with the same arguments.

    Raises InputError for a config or data that cannot be used, OSError where the disk is full,
    DivergedError when too many updates in a row had to be skipped, and Interrupted after SIGTERM,
    SIGUSR1, SIGHUP or Ctrl-C, when the state has been saved.
    """
    workdir = Path(workdir)
    checks.check(config)

    # ---- mesh, model, optimiser
    mesh = sharding.data_mesh()
    total, main = config.total_steps, processes.is_main()
    replicated, by_batch = sharding.shardings(mesh)
    checks.check_batches(config, mesh.size)
    built = build(config)
    keys = lambda: tuple(jax.random.split(jax.random.key(config.seed)))
    init_key, train_key = jax.jit(keys, out_shardings=replicated)()

    # ---- data
    data = input.open_data(config)
    cut = dict(duration=config.data.duration, downsample=config.data.downsample)
    batches = input.make(
        data.train,
        seed=config.seed,
        batch=config.batch_size,
        background=config.data.background,
        **cut,
        on_device=execution.resident,
        replicated=replicated,
        by_batch=by_batch,
    )

    # ---- the compiled functions
    def learn(state: TrainState, store, batch: objectives.Batch, key: jax.Array):
        return built.learn(state, batches.expand(store, batch), key)

    shapes = built.shapes()
    where: Any = TrainState._make([replicated] * len(shapes))
    if execution.shard_optimizer:
        where = where._replace(opt_state=sharding.split(shapes.opt_state, mesh))
    update = jax.jit(learn, donate_argnums=0, out_shardings=(where, replicated))
    score = jax.jit(built.score, out_shardings=replicated)
    resumed = (workdir / "config.json").exists()  # then the weights it began with may be gone
    origin = {} if resumed else weights.origin(config)
    summary = partial(
        guard.summary,
        patience=config.guard.patience,
        windows_at=batches.windows_at,
        workdir=workdir,
    )

    with (
        directory.opened(workdir, config, data.facts() | origin),
        Checkpoints(workdir) as checkpoints,
        StopSignal() as stop,
    ):

        def validate(state: TrainState) -> event_ap.Evaluation:
            variables = eval_variables(state)

            def eval_fn(batch: windows.Batch):
                if stop and jax.process_count() == 1:  # alone: nobody waits for this process
                    raise Interrupted(f"{stop.name} during validation; the state is saved")
                return score(variables, sharding.to_global(batch, by_batch), state.step)

            return event_ap.evaluate(
                data.valid,
                data.solution,
                eval_fn,
                windowing=Windowing.of(config),
                post=dict(config.post),
            )

        title = lambda step: f"{workdir.name}, step {step}{', simulated data' * data.simulated}"

        def show(evaluation: event_ap.Evaluation, step: int) -> list[Path]:
            """Draw the curves and write the report, in the first process."""
            paths = writer.figures(step, curves.curves(evaluation, history, title(step)))
            writer.report(lambda: report.write(workdir, data, evaluation, config, title(step)))
            return paths

        # ---- state, new or resumed
        state = checkpoints.resume(sharding.placed(shapes, where), say)
        if state is None:
            state = built.start(jax.jit(built.init, out_shardings=where)(init_key))
            if config.get("init"):
                state, loaded = weights.started(config, state)
                say(loaded)
            say(parameter_table(state.params))
        else:
            say(f"resuming {workdir} at step {int(state.step)} of {total}")
        step = int(state.step)

        # ---- train
        history = read_metrics(workdir, step)
        to_device = lambda step: sharding.to_global(batches.batch_at(step), by_batch)
        evaluation, paths = None, []
        pending, since, waited = [], time.monotonic(), 0.0
        with (
            MetricWriter(workdir, step) if main else Mute() as writer,
            Progress(total, "train", "step", initial=step, quiet=not main) as progress,
            Profile(workdir, execution.profile if main else None) as profile,
            Prefetch(to_device, step, total) as ahead,
        ):
            while True:
                last = step == total
                due = lambda every, last=last, step=step: step > 0 and (last or step % every == 0)
                if pending and due(config.log_every):  # sync point
                    row = summary(pending, step) | {"train/lr": float(built.lr_at(step - 1))}
                    seconds = time.monotonic() - since
                    row |= {"train/steps_per_second": (rate := len(pending) / seconds)}
                    row |= {"train/windows_per_second": rate * config.batch_size}
                    row |= {"train/input_wait": (ahead.waited - waited) / seconds}
                    writer.write(step, row)
                    progress.note = (
                        f"loss {row['train/loss']:.4f}, gradient {row['train/grad_norm']:.2g}, "
                        f"lr {row['train/lr']:.2g}, {row['train/windows_per_second']:.3g} windows/s"
                    )
                    history.append({"step": step, **row})
                    if row["train/skipped"]:
                        progress.say(f"step {step}: {row['train/skipped']:.0f} updates skipped")
                    pending, since, waited = [], time.monotonic(), ahead.waited
                stopping = processes.agreed(bool(stop), due(config.log_every))
                if due(config.ckpt_every) or due(config.eval.every) or stopping:  # sync point
                    summary(pending, step)  # a diverged run is not saved any further
                    checkpoints.save(state)
                if stopping:
                    name = stop.name or "a signal to another process"
                    raise Interrupted(f"{name} at step {step} of {total}; the state is saved")
                if due(config.eval.every) and "valid/loss" not in row_at(history, step):
                    evaluation = validate(state)
                    row = {f"valid/{k}": v for k, v in evaluation.metrics.items()}
                    none = checkpoints.newest("best") is None
                    if none or row["valid/event_ap"] > best_value(history, "valid/event_ap"):
                        checkpoints.save_best(state)
                    # The line comes after the checkpoint: a kill between them repeats both.
                    writer.write(step, row)
                    history.append({"step": step, **row})
                    progress.say(
                        f"step {step}: validation loss {row['valid/loss']:.4f}, event AP "
                        f"{row['valid/event_ap']:.3f} (onset {row['valid/event_ap/onset']:.3f}, "
                        f"wakeup {row['valid/event_ap/wakeup']:.3f})"
                    )
                    paths = show(evaluation, step)
                    since = time.monotonic()
                if last or has_stalled(history, **config.early_stop):
                    break

                profile.at(step, pending)
                batch = next(ahead)
                with jax.transfer_guard("disallow"):
                    state, metrics = update(state, batches.store, batch, train_key)
                step += 1
                if pending:
                    jax.block_until_ready(pending[-1])  # one step late: the device never waits
                pending.append(metrics)
                progress.advance()

            # ---- figures of the end
            if evaluation is None:
                evaluation = validate(state)
                paths = show(evaluation, step)
            if main:
                validation.save(workdir, data.valid, data.solution, evaluation.probabilities)
            paths += writer.figures(step, curves.nights(data, evaluation, title(step)))
            processes.barrier("end")
    return Result(evaluation.metrics, workdir, tuple(paths), data.simulated)


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


def say(text: str) -> None:
    """A line for the person at the terminal, once in all processes."""
    if processes.is_main():
        print(text, file=sys.stderr, flush=True)
