"""Members: trained runs, each ready to predict with, and several of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sleepjax import release
from sleepjax.data import features, subjects, windows
from sleepjax.data.subjects import Subject
from sleepjax.parallel import sharding
from sleepjax.training.build import build
from sleepjax.training.weights import check_fit
from sleepjax.types import SeriesMeta


@dataclass(frozen=True)
class Member:
    """One trained run, with the settings of its own config."""

    config: Any
    """ConfigDict of config.json."""
    run: dict[str, Any]
    """Contents of run.json, ``step``, the updates it did, and ``unfinished`` (`read_run`)."""
    variables: dict[str, Any]
    """What the model is applied with."""
    predict_fn: Callable[[windows.Batch], jax.Array]
    spread: float
    """Minutes over which its probability of a certain event is spread."""

    def known(self, subject: Subject | None, meta: SeriesMeta) -> dict[str, np.ndarray]:
        """Channels of what is known of a person, [T] each; none where the config names none."""
        columns = subjects.parse(self.config.data.get("covariates", ()))
        return subjects.channels(columns, subject, meta.n_steps, f"series {meta.series_id!r}")


def make_member(weights: release.Weights, compiled: dict[str, Callable], source: str) -> Member:
    """A member that predicts; members of one architecture share the compiled function."""
    config = weights.config
    features.check_names(config.data.features)
    built = build(config)
    check_fit(weights.variables, built.shapes(), source)
    replicated, by_batch = sharding.shardings(sharding.data_mesh())
    variables = jax.device_put(weights.variables, replicated)
    key = f"{config.model.to_json()} {config.loss.to_json()} {config.data.downsample}"
    key += str(config.data.get("covariates", ()))
    apply = compiled.setdefault(key, jax.jit(built.predict_step))

    def predict_fn(batch: windows.Batch) -> jax.Array:
        return apply(variables, sharding.to_global({"x": batch["x"]}, by_batch)["x"])

    return Member(config, weights.run, weights.variables, predict_fn, built.spread)


def predict_together(members: Sequence[Member], batch: windows.Batch) -> jax.Array:
    """Mean probabilities [B,T,K] of members that see the same windows."""
    each = [member.predict_fn(batch) for member in members]
    return _mean(each) if len(each) > 1 else each[0]


@jax.jit
def _mean(each: Sequence[jax.Array]) -> jax.Array:
    return reduce(jnp.add, each) / len(each)
