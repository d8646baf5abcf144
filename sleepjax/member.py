"""Members: trained runs, each ready to predict with, and several of them at once."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np

from sleepjax import release
from sleepjax.data import features, subjects
from sleepjax.data.subjects import Subject
from sleepjax.inference import Predict
from sleepjax.io import text_hash
from sleepjax.parallel import sharding
from sleepjax.training.build import build
from sleepjax.training.state import TrainState
from sleepjax.training.weights import check_fit
from sleepjax.types import CLASSES, WORN, SeriesMeta


@dataclass(frozen=True)
class Member:
    """One trained run, with the settings of its own config."""

    config: Any = field(repr=False)
    """ConfigDict of config.json."""
    run: dict[str, Any] = field(repr=False)
    """Contents of run.json, ``step``, the updates it did, and ``unfinished`` (`read_run`)."""
    variables: dict[str, Any] = field(repr=False)
    """What the model is applied with."""
    predict_mean: Callable[[Any, jax.Array], jax.Array] = field(repr=False)
    """As of `training.step`, compiled; the same for members of one architecture."""
    spread: float
    """Minutes over which its probability of a certain event is spread."""

    def known(self, subject: Subject | None, meta: SeriesMeta) -> dict[str, np.ndarray]:
        """Channels of what is known of a person, [T] each; none where the config names none."""
        columns = subjects.parse(self.config.data.get("covariates", ()))
        return subjects.channels(columns, subject, meta.n_steps, f"series {meta.series_id!r}")

    @cached_property
    def predict_fn(self) -> Predict:
        """Its probabilities of a batch."""
        return predict_together([self])


Programs = dict[str, tuple[TrainState, float, Callable[..., jax.Array]]]
"""What members of one architecture share: shapes, minutes of spread, compiled prediction."""


def make_member(weights: release.Weights, programs: Programs, source: str) -> Member:
    """A member that predicts; it takes from ``programs`` what is there, or adds it."""
    config = weights.config
    features.check_names(config.data.features)
    seen = [config.data[name] for name in ("downsample", "features")]
    seen.append(config.data.get("covariates", ()))
    key = f"{config.model.to_json()} {config.loss.to_json()} {seen}"
    if key not in programs:
        built = build(config)
        programs[key] = built.shapes(), built.spread, jax.jit(built.predict_mean)
    shapes, spread, predict_mean = programs[key]
    check_fit(weights.variables, shapes, source)
    return Member(config, weights.run, weights.variables, predict_mean, spread)


def weights_hash(members: Sequence[Member]) -> str:
    """SHA-256 of the weights of all members."""
    return text_hash("".join(release.digest(member.variables) for member in members))


def model_hash(members: Sequence[Member], post: Mapping[str, Any]) -> str:
    """SHA-256 of what members compute together: settings, weights and post-processing."""
    digest = hashlib.sha256(json.dumps(post, sort_keys=True, default=str).encode())
    for member in members:
        config = member.config
        for group in (config.data, config.model, config.loss, config.eval):
            digest.update(group.to_json(sort_keys=True).encode())
        for leaf in jax.tree.leaves(member.variables):
            digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def outputs(members: Sequence[Member]) -> tuple[str, ...]:
    """Names of the K probabilities of their mean: worn only where every member has it."""
    worn = all(member.config.loss.get("worn", 0) > 0 for member in members)
    return (*CLASSES, WORN) if worn else CLASSES


def predict_together(members: Sequence[Member]) -> Predict:
    """Mean probabilities of a batch by members of one architecture."""
    replicated, by_batch = sharding.shardings(sharding.data_mesh())
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(one.variables for one in members))
    variables = jax.device_put(stacked, replicated)
    predict_mean = members[0].predict_mean
    return lambda batch: predict_mean(
        variables, sharding.to_global({"x": batch["x"]}, by_batch)["x"]
    )
