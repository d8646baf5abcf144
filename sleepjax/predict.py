"""A trained run, loaded to find events in new recordings: the one prediction path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from sleepjax import models, objectives, optim, postprocess, sharding
from sleepjax.data import features, windows
from sleepjax.data.raw import recordings_from_frame
from sleepjax.data.repair import Recording
from sleepjax.evaluators.figures import nights_figure
from sleepjax.training import rundir
from sleepjax.training.checkpoints import Checkpoints
from sleepjax.training.inference import predict_series
from sleepjax.training.state import eval_variables, init_state
from sleepjax.training.step import predict_step
from sleepjax.types import CLASSES


@dataclass(frozen=True)
class Found:
    """What was found in one recording."""

    recording: Recording
    probabilities: np.ndarray
    """float32 [T,3]: asleep, onset, wakeup at every step."""
    events: pl.DataFrame
    """series_id, step, event, score, timestamp (local clock with its UTC offset)."""


@dataclass(frozen=True)
class Predictor:
    """A trained model; `load` makes one."""

    config: ConfigDict
    run: dict[str, Any]
    """Contents of run.json; ``run["simulated"]`` tells what the model was trained on."""
    step: int
    predict_fn: Callable[[windows.Batch], jax.Array]

    def predict(self, series: pl.DataFrame, *, tz: str | None = None) -> pl.DataFrame:
        """Events of a frame with series_id, step, timestamp, anglez and enmo.

        ``tz`` is the IANA zone of timestamps that carry no UTC offset.

        Returns series_id, step, event, score and timestamp (local clock with its UTC offset).
        Raises InputError for recordings that cannot be used.
        """
        return pl.concat(
            [found.events for found in self.find(recordings_from_frame(series, tz=tz))]
        )

    def find(self, recordings: Iterable[Recording]) -> Iterator[Found]:
        """Probabilities and events of each recording, one at a time."""
        for recording in recordings:
            x = features.compute(recording, self.config.data.features)  # [T,F]
            valid = recording.frame["valid"].to_numpy()
            one = windows.Series(recording.meta, tuple(x.T), valid)
            window = dict(self.config.eval, duration=self.config.data.duration)
            del window["every"]
            ((_, probs),) = predict_series(
                [one], self.predict_fn, downsample=self.config.data.downsample, **window
            )
            events = postprocess.decode_series(probs, one.meta, valid=valid, **self.config.post)
            yield Found(recording, probs, postprocess.with_timestamps(events, one.meta))


def load(
    workdir: str | Path, checkpoint: str = "latest", post: Mapping[str, Any] | None = None
) -> Predictor:
    """Load the run in ``workdir``.

    Args:
      workdir: a run directory of scripts/train.py.
      checkpoint: ``latest``, whose score the run reports, or ``best`` by validation event AP.
      post: arguments of `postprocess.decode_series` in place of the run's own.

    Raises InputError when the folder is not a run, or holds no checkpoint yet.
    """
    workdir = Path(workdir)
    config, run = rundir.read(workdir)
    if post is not None:
        config.post = dict(post)
    downsample = config.data.downsample
    model = models.build(**config.model, downsample=downsample)
    objective = objectives.make(**config.loss, downsample=downsample)
    replicated, by_batch = sharding.shardings(sharding.data_mesh())
    tx, _ = optim.make(total_steps=config.total_steps, **config.optim)
    x = jax.ShapeDtypeStruct((1, config.data.duration, len(config.data.features)), jnp.float32)
    init = partial(init_state, model=model, tx=tx, ema=config.ema)
    like = sharding.placed(jax.eval_shape(init, jax.random.key(0), x), replicated)
    with Checkpoints(workdir) as checkpoints:
        state = checkpoints.restore(like, checkpoint)
    variables = eval_variables(state)
    apply = jax.jit(partial(predict_step, model=model, objective=objective))

    def predict_fn(batch: windows.Batch) -> jax.Array:
        return apply(variables, sharding.to_global({"x": batch["x"]}, by_batch)["x"])

    return Predictor(config, run, int(state.step), predict_fn)


def figure(found: Found, note: str = "") -> Figure:
    """The nights of one recording with what was found in them."""
    frame = found.recording.frame
    return nights_figure(
        found.recording.meta,
        frame["anglez"].to_numpy(),
        frame["enmo"].to_numpy(),
        frame["valid"].to_numpy(),
        found.events,
        title=", ".join(filter(None, (found.recording.meta.series_id[:40], note))),
        asleep=found.probabilities[:, CLASSES.index("asleep")],
        copied=features.compute(found.recording, ("repeat",))[:, 0] >= 0.5,
    )
