"""Trained runs, loaded to find events in new recordings: the one prediction path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
from matplotlib.figure import Figure

import sleepjax
from sleepjax import postprocess
from sleepjax.data import features, windows
from sleepjax.data.raw import recordings_from_frame
from sleepjax.data.recording import Recording
from sleepjax.figures.curves import nights_figure
from sleepjax.inference import predict_series
from sleepjax.parallel import sharding
from sleepjax.runs import checkpoints, directory, ensemble
from sleepjax.training.build import build
from sleepjax.training.state import eval_variables
from sleepjax.types import CLASSES, InputError


@dataclass(frozen=True)
class Found:
    """What was found in one recording."""

    recording: Recording
    probabilities: np.ndarray
    """float32 [T,3]: asleep, onset, wakeup at every step."""
    events: pl.DataFrame
    """The columns of `postprocess.decode_series` and timestamp (local clock with its UTC offset)."""

    @property
    def windows(self) -> pl.DataFrame:
        """When the person slept: the columns of `postprocess.windows.SCHEMA`."""
        valid = self.recording.frame["valid"].to_numpy()
        return postprocess.find_windows(self.probabilities, self.recording.meta, valid=valid)


@dataclass(frozen=True)
class Member:
    """One trained run, with the settings of its own config."""

    config: Any
    """ConfigDict of config.json."""
    run: dict[str, Any]
    """Contents of run.json."""
    step: int
    predict_fn: Callable[[windows.Batch], jax.Array]

    def probabilities(self, one: windows.Series) -> np.ndarray:
        """Float32 [T,3] of a recording with the features of the config."""
        window = dict(self.config.eval, duration=self.config.data.duration)
        del window["every"]
        downsample = self.config.data.downsample
        ((_, probs),) = predict_series([one], self.predict_fn, downsample=downsample, **window)
        return probs


@dataclass(frozen=True)
class Predictor:
    """A trained model, or several whose probabilities are averaged; `load` makes one."""

    members: tuple[Member, ...]
    post: dict[str, Any]
    """Arguments of `postprocess.decode_series`."""

    @property
    def run(self) -> dict[str, Any]:
        """run.json of the first member; ``simulated`` where any member was trained on such data."""
        simulated = any(member.run["simulated"] for member in self.members)
        return self.members[0].run | {"simulated": simulated}

    def predict(self, series: pl.DataFrame, *, tz: str | None = None) -> pl.DataFrame:
        """Events of a frame with series_id, step, timestamp, anglez and enmo.

        ``tz`` is the IANA zone of timestamps that carry no UTC offset.

        Returns series_id, step, event, score, beside_unmeasured (see `postprocess.decode_series`) and
        timestamp (local clock with its UTC offset).
        Raises InputError for recordings that cannot be used.
        """
        return pl.concat(
            [found.events for found in self.find(recordings_from_frame(series, tz=tz))]
        )

    def windows(self, series: pl.DataFrame, *, tz: str | None = None) -> pl.DataFrame:
        """Sleep windows of a frame as in `predict`: when the person slept, main sleep and naps.

        Returns series_id, onset_step, wakeup_step, onset and wakeup (local times with UTC offset),
        main, score, worn_fraction and the runners-up; see `postprocess.find_windows`.
        """
        return pl.concat(
            [found.windows for found in self.find(recordings_from_frame(series, tz=tz))]
        )

    def find(self, recordings: Iterable[Recording]) -> Iterator[Found]:
        """Probabilities and events of each recording, one at a time."""
        for recording in recordings:
            valid = recording.frame["valid"].to_numpy()
            computed = lru_cache(partial(features.compute, recording))  # alike in most members
            total = np.zeros((recording.meta.n_steps, len(CLASSES)), np.float32)
            for member in self.members:
                x = computed(tuple(member.config.data.features))  # [T,F]
                total += member.probabilities(windows.Series(recording.meta, tuple(x.T), valid))
            probs = total / len(self.members)
            events = postprocess.decode_series(probs, recording.meta, valid=valid, **self.post)
            yield Found(recording, probs, postprocess.with_timestamps(events, recording.meta))


def load(
    workdir: str | Path, checkpoint: str = "latest", post: Mapping[str, Any] | None = None
) -> Predictor:
    """Load the run in ``workdir``, or the ensemble that its ensemble.json lists.

    Args:
      workdir: a run directory of scripts/train.py, or an ensemble of scripts/crossval.py.
      checkpoint: ``latest``, whose score the run reports, or ``best`` by validation event AP.
      post: arguments of `postprocess.decode_series` in place of the run's or ensemble's own.

    Raises InputError when the folder is neither, or a run holds no checkpoint yet.
    """
    workdir, compiled, own = Path(workdir), {}, {}
    if not ensemble.is_ensemble(workdir):
        member = _load_member(workdir, checkpoint, compiled)
        own, members = dict(member.config.post), (member,)
    else:
        paths, own = ensemble.read(workdir)
        loaded = {}
        for name, path in paths.items():
            try:
                loaded[name] = _load_member(path, checkpoint, compiled)
            except InputError as error:
                raise InputError(f"{workdir / ensemble.FILE}: member {name!r}: {error}") from None
        members = tuple(loaded.values())
    return Predictor(members, own if post is None else dict(post))


def _load_member(workdir: Path, checkpoint: str, compiled: dict[str, Callable]) -> Member:
    """One run; members of one architecture share the compiled function."""
    config: Any
    config, run = directory.read(workdir)
    features.check_names(config.data.features)
    if run.get("normalisers") != features.NORMALISERS:
        raise InputError(
            f"{workdir} was trained on features normalised by {run.get('normalisers')}; this is "
            f"sleepjax {sleepjax.__version__}, which computes {features.NORMALISERS}. Use the "
            "version that trained it."
        )
    built = build(config)
    replicated, by_batch = sharding.shardings(sharding.data_mesh())
    like = sharding.placed(built.shapes(), replicated)
    state = checkpoints.restore(workdir, like, checkpoint)
    variables = eval_variables(state)
    key = f"{config.model.to_json()} {config.loss.to_json()} {config.data.downsample}"
    apply = compiled.setdefault(key, jax.jit(built.predict))

    def predict_fn(batch: windows.Batch) -> jax.Array:
        return apply(variables, sharding.to_global({"x": batch["x"]}, by_batch)["x"])

    return Member(config, run, int(state.step), predict_fn)


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
