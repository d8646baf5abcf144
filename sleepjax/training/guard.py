"""Guard against updates that would ruin a run: skipped on the device, counted, limited in number.

An update is sound when loss and gradient are finite and the loss is at most ``spike`` times the
running average of the sound ones before it, once there are `START` of them. A batch in which the
loss counts nothing, such as one without an event where the loss is per event, has no loss that
could be compared: it neither sets the average nor is judged by it. Otherwise parameters, optimiser,
averages and batch statistics stay as they are and only the step advances. The decision is part of
the jitted step and is read where the loop waits for the device anyway.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sleepjax.io import write_json
from sleepjax.training.state import Guard, TrainState
from sleepjax.types import DivergedError

FILE = "skipped.json"
MEMORY = 0.98
"""The running average of the loss looks back over some 1 / (1 - MEMORY) updates."""
START = 10
"""Losses in the average before one is judged by it: the first alone may be anything."""


def guarded(
    old: TrainState, new: TrainState, loss: Array, count: Array, grad_norm: Array, spike: float
) -> tuple[TrainState, dict[str, Array]]:
    """(the new state, or the old one with the new step, metrics of the update).

    ``count`` is what the sum of the loss was divided by.
    """
    typical, seen, skips = old.guard
    counts = count > 0
    high = counts & (seen >= START) & (loss > spike * typical)
    sound = jnp.isfinite(loss) & jnp.isfinite(grad_norm) & ~high
    # The mean of the first ones, then an average that forgets.
    share = jnp.where(counts, jnp.maximum(1 / (seen + 1.0), 1 - MEMORY), 0.0)
    typical_now = typical + share * (loss - typical)
    accepted = new._replace(guard=Guard(typical_now, seen + counts, jnp.zeros_like(skips)))
    skipped = old._replace(step=new.step, guard=Guard(typical, seen, skips + 1))
    # A select, not a branch: it fuses into the update, and works under vmap.
    state = jax.tree.map(partial(jnp.where, sound), accepted, skipped)
    metrics = {"loss": loss, "grad_norm": grad_norm, "skipped": ~sound, "skips": state.guard.skips}
    return state, metrics


def summary(
    pending: Sequence[dict[str, Array]],
    step: int,
    *,
    patience: int,
    windows_at: Callable[[int], list[list[Any]]],
    workdir: Path,
) -> dict[str, float]:
    """Means over the sound ones of the steps before ``step``, and how many were skipped.

    Waits for the device. After ``patience`` skips in a row writes what was in those batches to
    ``skipped.json`` and raises DivergedError.
    """
    fetched = jax.device_get(list(pending))
    if not fetched:
        return {}
    worst = max(range(len(fetched)), key=lambda i: int(fetched[i]["skips"]))
    if fetched[worst]["skips"] >= patience:
        last = step - len(fetched) + worst
        _give_up(fetched[worst], last, windows_at, workdir)
    sound = [m for m in fetched if not m["skipped"]]
    mean = lambda name: float(np.mean([m[name] for m in sound])) if sound else math.nan
    row = {f"train/{name}": mean(name) for name in ("loss", "grad_norm")}
    return row | {"train/skipped": float(len(fetched) - len(sound))}


def _give_up(metrics: dict[str, Any], last: int, windows_at: Callable, workdir: Path) -> None:
    first = last - int(metrics["skips"]) + 1
    batches = [{"step": s, "windows": windows_at(s)} for s in range(first, last + 1)]
    path = record(workdir, batches)
    raise DivergedError(
        f"the updates of steps {first} to {last} were all skipped: loss {metrics['loss']:.4g}, "
        f"gradient norm {metrics['grad_norm']:.4g} at the last of them. Series and starts of their "
        f"windows are in {path}. The last checkpoint is sound. Lower optim.lr or optim.clip, or "
        "look for impossible values in these windows."
    )


def record(workdir: Path, batches: Sequence[dict[str, Any]]) -> Path:
    """Write the file that says that a run diverged, once in all processes."""
    path = workdir / FILE
    if jax.process_index() == 0:
        about = "windows: [series_id, first row] of the batch of each skipped step"
        write_json(path, {"about": about, "batches": list(batches)})
    return path
