"""Several runs of one model trained side by side: their updates are one program, by `jax.vmap`.

Runs may differ in seed and fold. Each has its own batches (a function of its own seed and the
step), keys, optimiser and guard, and its own run directory, so that what `loop.run` would have
done for one after the other is done for all of them at once, to rounding. Only training happens
here: `loop.run` finds each run at its last step and validates it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from sleepjax.data import qc
from sleepjax.objectives import Batch
from sleepjax.parallel import sharding
from sleepjax.progress import Progress
from sleepjax.runs import directory
from sleepjax.runs.checkpoints import KINDS, Checkpoints
from sleepjax.runs.log import MetricWriter
from sleepjax.runs.resume import differences
from sleepjax.runs.signals import Interrupted, StopSignal
from sleepjax.training import checks, guard, input_pipeline, weights
from sleepjax.training.build import build
from sleepjax.training.state import TrainState
from sleepjax.types import InputError

OWN = ("seed", "data.fold")
"""Settings in which runs trained together may differ."""

Metrics = dict[str, jax.Array]


@dataclass(frozen=True)
class Members:
    """What belongs to each of the runs, in one order."""

    workdirs: Sequence[Path]
    feeds: Sequence[input_pipeline.Feed]
    checkpoints: Sequence[Checkpoints]
    writers: Sequence[MetricWriter]

    def summaries(
        self, pending: Sequence[Metrics], step: int, patience: int
    ) -> list[dict[str, float]]:
        """`guard.summary` of each run; the metrics are [M]. Waits for the device."""
        fetched = jax.device_get(list(pending))
        return [
            guard.summary(
                [{name: values[i] for name, values in metrics.items()} for metrics in fetched],
                step,
                patience=patience,
                windows_at=own.windows_at,
                workdir=workdir,
            )
            for i, (own, workdir) in enumerate(zip(self.feeds, self.workdirs, strict=True))
        ]

    def save(self, states: Sequence[TrainState]) -> None:
        """Each run's state into its own directory."""
        for saved, state in zip(self.checkpoints, states, strict=True):
            saved.save(state)

    def write(self, step: int, rows: Sequence[dict[str, float]]) -> None:
        """Each run's row into its own metrics."""
        for writer, row in zip(self.writers, rows, strict=True):
            writer.write(step, row)


def train(configs: Sequence[Any], workdirs: Sequence[Path]) -> None:
    """Train runs that are alike but for `OWN` up to their last step, saving as `loop.run` does.

    Raises InputError for configs that are not alike or runs that were stopped too far apart,
    OSError where the disk is full, DivergedError when one of them diverges, and Interrupted after
    a signal, when all have been saved.
    """
    check_alike(configs)
    config = configs[0]
    checks.check(config)
    mesh = sharding.data_mesh()
    checks.check_batches(config, mesh.size)
    # Runs lie along the first axis of everything; the samples of each are split over the devices.
    replicated, by_batch = NamedSharding(mesh, P()), NamedSharding(mesh, P(None, "data"))

    built = build(config)
    init = jax.jit(built.init, out_shardings=replicated)
    stacked = jax.jit(
        lambda *each: jax.tree.map(lambda *leaves: jnp.stack(leaves), *each),
        out_shardings=replicated,
    )
    keys = [jax.random.split(jax.random.key(own.seed)) for own in configs]

    # One split of the data per fold, one sequence of batches per run.
    data = {own.data.fold: input_pipeline.open_data(own) for own in configs}
    feeds = [input_pipeline.make(data[own.data.fold].train, own, mesh) for own in configs]

    def batches_at(step: int) -> Batch:
        batches = [own.batch_at(step) for own in feeds]
        return sharding.to_global(jax.tree.map(lambda *a: np.stack(a), *batches), by_batch)

    def begin(key: jax.Array) -> TrainState:
        state = built.start(init(key))
        return weights.started(config, state)[0] if config.get("init") else state

    fresh = not any((workdir / "config.json").exists() for workdir in workdirs)
    origin = weights.origin(config) if fresh else {}
    with ExitStack() as stack:
        enter = stack.enter_context
        for own, workdir in zip(configs, workdirs, strict=True):
            enter(directory.opened(workdir, own, data[own.data.fold].facts() | origin))
        saved = [enter(Checkpoints(workdir)) for workdir in workdirs]
        step, states = resume(workdirs, saved, sharding.placed(built.shapes(), replicated))
        states = states or [begin(init_key) for init_key, _ in keys]
        writers = [enter(MetricWriter(workdir, step)) for workdir in workdirs]
        ahead = enter(input_pipeline.Prefetch(batches_at, step, config.total_steps))
        update = jax.jit(jax.vmap(built.train_step), donate_argnums=0, out_shardings=replicated)
        train_keys = stacked(*(train_key for _, train_key in keys))
        _loop(
            config,
            Members(workdirs, feeds, saved, writers),
            stacked(*states),
            step,
            lambda state: update(state, next(ahead), train_keys),
            built.lr_at,
        )


def _loop(
    config: Any,
    members: Members,
    state: TrainState,
    step: int,
    advance: Callable[[TrainState], tuple[TrainState, Metrics]],
    lr_at: Callable[[int], Any],
) -> None:
    """Continue from ``step`` to the end, all leaves [M,...]; see `train`."""
    total, patience = config.total_steps, config.guard.patience
    numbers = range(len(members.workdirs))
    apart = jax.jit(lambda all_: [jax.tree.map(lambda a, i=i: a[i], all_) for i in numbers])
    pending, since = [], time.monotonic()
    with StopSignal() as stop, Progress(total, "together", "step", initial=step) as progress:
        while True:
            due = lambda every, step=step: step > 0 and (step == total or step % every == 0)
            if pending and due(config.log_every):  # sync point
                rows = members.summaries(pending, step, patience)
                rate = len(pending) / (time.monotonic() - since)
                common = {
                    "train/lr": float(lr_at(step - 1)),
                    "train/steps_per_second": rate,
                    "train/windows_per_second": rate * config.batch_size,
                }
                members.write(step, [row | common for row in rows])
                losses = [row["train/loss"] for row in rows]
                progress.note = f"loss {min(losses):.4f} to {max(losses):.4f}"
                pending, since = [], time.monotonic()
            if due(config.ckpt_every) or stop:  # sync point
                members.summaries(pending, step, patience)  # a diverged run is not saved further
                members.save(apart(state))
            if stop:
                raise Interrupted(f"{stop.name} at step {step} of {total}; all runs are saved")
            if step == total:
                return
            state, metrics = advance(state)
            step += 1
            if pending:
                jax.block_until_ready(pending[-1])  # one step late: the device never waits
            pending.append(metrics)
            progress.advance()


def check_alike(configs: Sequence[Any]) -> None:
    """Raise InputError, listing the differences, unless the configs differ in `OWN` alone."""
    first, *others = (json.loads(config.to_json()) for config in configs)
    for other in others:
        different = [line for line in differences(first, other) if line.split(":")[0] not in OWN]
        if different:
            raise InputError(
                f"runs trained together may differ only in {' and '.join(OWN)}, but these differ "
                f"in {'; '.join(different)}. Train them one after the other."
            )
    if jax.process_count() > 1:
        raise InputError("runs are trained together in one process; start it without others.")


def resume(
    workdirs: Sequence[Path], saved: Sequence[Checkpoints], like: TrainState
) -> tuple[int, list[TrainState]]:
    """The last step from which all runs can continue and their states; no states at step 0.

    Each goes back where another one's checkpoint is damaged.
    """
    while step := common_step({w: s.steps() for w, s in zip(workdirs, saved, strict=True)}):
        found = [one.resume(like, qc.say, step) for one in saved]
        states = [state for state in found if state is not None and int(state.step) == step]
        if len(states) == len(saved):
            return step, states
    return 0, []


def common_step(saved: Mapping[Path, Sequence[int]]) -> int:
    """The last step from which all runs can continue; 0 begins anew.

    A kill between the saves of two runs leaves one of them a checkpoint ahead. A run that never
    dropped a checkpoint may begin anew without harm. Raises InputError where runs are further
    apart.
    """
    steps = [{*own, 0} if len(own) < KINDS["latest"] else set(own) for own in saved.values()]
    common = set.intersection(*steps)
    if not common:
        at = ", ".join(f"{path.name} at {max(own, default=0)}" for path, own in saved.items())
        raise InputError(
            f"these runs were not trained together so far: {at}. Train them one after the other."
        )
    return max(common)
