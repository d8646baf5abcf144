"""Weights of finished runs and files: read, checked against a model, and put into a new state."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from sleepjax import custom, release
from sleepjax.data import features
from sleepjax.parallel import sharding
from sleepjax.runs import checkpoints, directory, validation
from sleepjax.text import counted
from sleepjax.training import checks
from sleepjax.training.build import build
from sleepjax.training.state import TrainState, eval_variables
from sleepjax.types import InputError


def read_run(workdir: Path, checkpoint: str = "latest") -> release.Weights:
    """What a run has learned: its moving average, where it keeps one.

    ``unfinished`` of its facts says at which step an unfinished training is; else it is empty.

    Raises InputError when the folder is no run directory, holds no checkpoint yet, or was trained
    on features that are computed in another way now.
    """
    config, run = directory.read(workdir)
    try:
        checks.check(config)
    except InputError as error:
        raise InputError(f"{workdir / 'config.json'} was changed: {error}") from None
    directory.check_features(workdir, run, features.definitions(config.data.features))
    replicated, _ = sharding.shardings(sharding.data_mesh())
    like = sharding.placed(build(config).shapes(), replicated)
    state = checkpoints.restore(workdir, like, checkpoint)
    variables = jax.device_get(eval_variables(state))
    step, total, unfinished = int(state.step), config.total_steps, ""
    if step < total and not validation.is_complete(workdir, total):
        unfinished = (
            f"{workdir} is unfinished: {checkpoint} is the state at step {step} of {total}."
        )
    return release.Weights(config, run | {"step": step, "unfinished": unfinished}, variables)


def read(source: str, seed: int = 0) -> tuple[release.Weights, str]:
    """The weights that ``config.init`` names, and whose they are, for a person.

    ``source`` is ``release``, ``small``, a run directory, or a release's folder or file. Of a
    release with several members seed 0 takes the first, seed 1 the second, and so on in circles:
    with as many seeds as members each of them is trained on.
    """
    path = release.named(source)
    if not release.is_release(path):
        return read_run(path), source
    members, _ = release.read(path)
    number = seed % len(members)
    of_several = f", member {number + 1} of {len(members)}" if len(members) > 1 else ""
    return members[number], source + of_several


def check_fit(variables: dict[str, Any], shapes: TrainState, source: str) -> None:
    """Raise InputError, listing what differs, unless the arrays are those of the model."""
    different = release.misfits(variables, shapes.variables)
    if different:
        more = [f"and {len(different) - 10} more"] if len(different) > 10 else []
        raise InputError(
            f"the weights of {source} do not fit the model of this config:\n  "
            + "\n  ".join([*different[:10], *more])
            + "\nUse the model, features and outputs of the config that they were trained with."
        )


def started(config: Any, state: TrainState) -> tuple[TrainState, str]:
    """The fresh state with the weights of ``config.init``, and what was loaded, for a person.

    Arrays of the same name and shape are loaded. The rest of the model stays as it is, and the
    text lists it: what the weights do not have, what has another shape, and what only they have.

    Raises InputError for weights of other features or frames, and where nothing fits.
    """
    source = config.init
    weights, whose = read(source, config.seed)
    for name in ("features", "downsample"):
        theirs, ours = (
            custom.renamed(one.data[name], custom.short) for one in (weights.config, config)
        )
        if theirs != ours:
            raise InputError(
                f"init={source!r} was trained with data.{name}={theirs!r}, this config has "
                f"{ours!r}; set data.{name} to the former."
            )
    found: dict[str, Any] = flatten_dict(weights.variables, sep="/")
    wanted: dict[str, Any] = flatten_dict(state.variables, sep="/")
    same = lambda name: name in found and np.shape(found[name]) == wanted[name].shape
    fits = [name for name in wanted if same(name)]
    if not any(name.startswith("params/") for name in fits):
        check_fit(weights.variables, state, f"init={source!r}")
    put = lambda old, new: jax.device_put(jnp.asarray(new, old.dtype), old.sharding)
    loaded = unflatten_dict(
        {name: put(old, found[name]) if name in fits else old for name, old in wanted.items()},
        sep="/",
    )
    return state.begun_with(loaded), _loaded(whose, weights.run["step"], fits, found, wanted)


def _loaded(
    whose: str, updates: int, fits: list[str], found: dict[str, Any], wanted: dict[str, Any]
) -> str:
    """What was loaded and what was not, for a person."""
    count = sum(wanted[name].size for name in fits if name.startswith("params/"))
    learned = f"{counted(count, 'parameter')} after {counted(updates, 'update')}"
    lines = [f"starting from {whose}: {learned}"]
    for what, names in (
        ("not in the weights, left at random", [n for n in wanted if n not in found]),
        ("of another shape, left at random", [n for n in wanted if n in found and n not in fits]),
        ("only in the weights, skipped", [n for n in found if n not in wanted]),
    ):
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"  {what}: {', '.join(names[:6])}{more}")
    return "\n".join(lines)


def origin(config: Any) -> dict[str, Any]:
    """What run.json records of ``config.init``; empty without it."""
    if not config.get("init"):
        return {}
    weights, _ = read(config.init, config.seed)
    digest = release.digest(jax.device_get(weights.variables))
    known = ("git_commit", "sleepjax", "simulated", "step")
    return {"init": {k: weights.run.get(k) for k in known} | {"sha256": digest}}
