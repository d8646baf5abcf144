"""The one training loop, read from top to bottom."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from sleepjax import models, objectives, optim, sharding
from sleepjax.data import source, windows
from sleepjax.evaluators import event_ap, figures
from sleepjax.progress import Progress
from sleepjax.training import rundir, settings, validation
from sleepjax.training.checkpoints import Checkpoints
from sleepjax.training.preemption import Interrupted, StopSignal
from sleepjax.training.state import TrainState, eval_variables, init_state, parameter_table
from sleepjax.training.step import eval_step, train_step
from sleepjax.training.writers import MetricWriter, read_metrics


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite; the text names the steps."""


@dataclass(frozen=True)
class Result:
    """What a finished run leaves."""

    metrics: dict[str, float]
    """Of the last validation: loss, event_ap, event_ap/onset, event_ap/onset@36 and their likes."""
    workdir: Path
    figures: tuple[Path, ...]
    simulated: bool


def run(config: ConfigDict, workdir: str | Path) -> Result:
    """Train, validate, checkpoint, draw; resume where ``workdir`` holds an unfinished run.

    Raises InputError for a config or data that cannot be used, NonFiniteLossError naming the steps,
    and Interrupted after SIGTERM, SIGUSR1 or Ctrl-C, when the state has been saved.
    """
    workdir = Path(workdir)
    settings.check(config)
    total = config.total_steps

    # ---- mesh, model, optimiser
    mesh = sharding.data_mesh()
    replicated, by_batch = sharding.shardings(mesh)
    sharding.check_batch(config.batch_size, mesh.size * config.accumulate, "batch_size")
    sharding.check_batch(config.eval.batch_size, mesh.size, "eval.batch_size")
    downsample = config.data.downsample
    model = models.build(**config.model, downsample=downsample)
    objective = objectives.make(**config.loss, downsample=downsample)
    tx, lr_at = optim.make(total_steps=total, **config.optim)
    keys = tuple(jax.random.split(jax.random.key(config.seed)))
    init_key, train_key = jax.device_put(keys, replicated)

    # ---- data
    data = source.open_training_data(config.data, config.simulate)
    batch_at = partial(
        windows.train_batch,
        data.train,
        windows.make_sampler(data.train, config.data.duration, config.data.background),
        seed=config.seed,
        batch=config.batch_size,
        downsample=downsample,
        process=jax.process_index(),
        processes=jax.process_count(),
    )
    rundir.write(workdir, config, data.facts())

    # ---- the compiled functions
    init = partial(init_state, model=model, tx=tx, ema=config.ema)
    learn = partial(
        train_step,
        model=model,
        tx=tx,
        objective=objective,
        accumulate=config.accumulate,
        ema=config.ema,
    )
    update = jax.jit(learn, donate_argnums=0, out_shardings=replicated)
    score = jax.jit(partial(eval_step, model=model, objective=objective), out_shardings=replicated)

    with Checkpoints(workdir) as checkpoints, StopSignal() as stop:

        def validate(state: TrainState) -> event_ap.Evaluation:
            variables = eval_variables(state)

            def eval_fn(batch: windows.Batch):
                if stop:
                    raise Interrupted(f"{stop.name} during validation; the state is saved")
                return score(variables, sharding.to_global(batch, by_batch), state.step)

            window = dict(config.eval, duration=config.data.duration, downsample=downsample)
            window.pop("every")
            return event_ap.evaluate(
                data.valid, data.solution, eval_fn, window=window, post=dict(config.post)
            )

        # ---- state, new or resumed
        x = jax.ShapeDtypeStruct((1, config.data.duration, len(config.data.features)), jnp.float32)
        step = checkpoints.latest_step()
        if step is None:
            state = jax.jit(init, out_shardings=replicated)(init_key, jnp.zeros(x.shape, x.dtype))
            step = 0
            say(parameter_table(state.params))
        else:
            state = checkpoints.restore(
                sharding.placed(jax.eval_shape(init, init_key, x), replicated)
            )
            say(f"resuming {workdir} at step {step} of {total}")

        # ---- train
        history = read_metrics(workdir, step)
        evaluation, pending, since = None, [], time.monotonic()
        with (
            MetricWriter(workdir, step) as writer,
            Progress(total, "train", "step", initial=step) as progress,
        ):
            while True:
                last = step == total
                due = lambda every, last=last, step=step: step > 0 and (last or step % every == 0)
                if pending and due(config.log_every):  # sync point
                    row = training_metrics(pending, step) | {"train/lr": float(lr_at(step - 1))}
                    rate = len(pending) / (time.monotonic() - since)
                    row |= {"train/steps_per_second": rate}
                    row |= {"train/windows_per_second": rate * config.batch_size}
                    writer.write(step, row)
                    progress.note = (
                        f"loss {row['train/loss']:.4f}, gradient {row['train/grad_norm']:.2g}, "
                        f"lr {row['train/lr']:.2g}, {row['train/windows_per_second']:.3g} windows/s"
                    )
                    history.append({"step": step, **row})
                    pending, since = [], time.monotonic()
                if due(config.ckpt_every) or due(config.eval.every) or stop:  # sync point
                    training_metrics(pending, step)  # a poisoned state is never saved
                    checkpoints.save(state)
                if stop:
                    raise Interrupted(f"{stop.name} at step {step} of {total}; the state is saved")
                if due(config.eval.every) and "valid/loss" not in row_at(history, step):
                    evaluation = validate(state)
                    row = {f"valid/{k}": v for k, v in evaluation.metrics.items()}
                    if row["valid/event_ap"] > best_value(history, "valid/event_ap"):
                        checkpoints.save_best(state)
                    # The line comes after the checkpoint: a kill between them repeats both.
                    writer.write(step, row)
                    history.append({"step": step, **row})
                    progress.say(
                        f"step {step}: validation loss {row['valid/loss']:.4f}, event AP "
                        f"{row['valid/event_ap']:.3f} (onset {row['valid/event_ap/onset']:.3f}, "
                        f"wakeup {row['valid/event_ap/wakeup']:.3f})"
                    )
                    since = time.monotonic()
                if last or has_stalled(history, **config.early_stop):
                    break

                batch = sharding.to_global(batch_at(step=step), by_batch)
                with jax.transfer_guard("disallow"):
                    state, metrics = update(state, batch, train_key)
                step += 1
                if pending:
                    jax.block_until_ready(pending[-1])  # one step late: the device never waits
                pending.append(metrics)
                progress.advance()

            # ---- figures of the end
            evaluation = evaluation or validate(state)
            validation.save(workdir, data.valid, data.solution, evaluation.probabilities)
            title = f"{workdir.name}, step {step}{', simulated data' if data.simulated else ''}"
            paths = [
                writer.figure(step, name, figure)
                for name, figure in figures.of_run(data, evaluation, history, title)
            ]
    return Result(evaluation.metrics, workdir, tuple(paths), data.simulated)


def training_metrics(pending: Sequence[dict[str, jax.Array]], step: int) -> dict[str, float]:
    """Means over the steps before ``step``; waits for the device.

    Raises NonFiniteLossError when one of the losses is not a number.
    """
    fetched = jax.device_get(list(pending))
    for i, metrics in enumerate(fetched):
        if not math.isfinite(metrics["loss"]) or not math.isfinite(metrics["grad_norm"]):
            first = step - len(fetched)
            raise NonFiniteLossError(
                f"loss {metrics['loss']}, gradient norm {metrics['grad_norm']} at step {first + i} "
                f"(found between steps {first} and {step}). The last checkpoint is sound. Lower "
                "optim.lr or optim.clip, or look for impossible values in the features."
            )
    return {f"train/{k}": float(np.mean([m[k] for m in fetched])) for k in (fetched or [{}])[0]}


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
    values = [-math.inf if row[metric] is None else sign * row[metric] for row in rows]
    return len(values) - 1 - int(np.argmax(values)) >= patience


def say(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, file=sys.stderr, flush=True)
