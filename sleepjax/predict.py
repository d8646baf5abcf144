"""Released weights or trained runs, loaded to find events in new recordings: one path for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sleepjax import postprocess, release
from sleepjax.data import subjects
from sleepjax.data.derived import with_features
from sleepjax.data.raw import recordings_from_frame
from sleepjax.data.recording import Recording
from sleepjax.data.subjects import Subject
from sleepjax.inference import Predict, Windowing, check_finite, predict_series
from sleepjax.member import Member, Programs, make_member, predict_together
from sleepjax.parallel import sharding
from sleepjax.runs import ensemble
from sleepjax.runs.validation import Curves
from sleepjax.training.weights import read_run
from sleepjax.types import CLASSES, WORN, InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

People = Mapping[str, Subject]
"""Series id -> what is known of the person, column -> value."""
SIMULATED = "trained on SIMULATED data"


@dataclass(frozen=True)
class Found:
    """What was found in one recording."""

    recording: Recording
    probabilities: np.ndarray
    """float32 [T,K]: asleep, onset, wakeup at every step, and worn where the model has it."""
    events: pl.DataFrame
    """As of `postprocess.decode_series`, and timestamp (local clock with its UTC offset)."""
    spread: float
    """Minutes that an event's probability is spread over, see `postprocess.find_windows`."""

    @property
    def windows(self) -> pl.DataFrame:
        """When the person slept: the columns of `postprocess.sleep_windows.SCHEMA`."""
        return Curves(self.recording, self.probabilities).windows(self.spread)

    @property
    def curves(self) -> pl.DataFrame:
        """The probabilities with their place: series_id, step, asleep, onset, wakeup (, worn)."""
        meta, names = self.recording.meta, (*CLASSES, WORN)[: self.probabilities.shape[1]]
        table = pl.DataFrame(self.probabilities, schema=list(names))
        step = pl.int_range(meta.n_steps, dtype=pl.Int64) + meta.first_step
        return table.select(pl.lit(meta.series_id).alias("series_id"), step.alias("step"), *names)


@dataclass(frozen=True)
class Predictor:
    """A trained model, or several whose probabilities are averaged; `load` makes one."""

    members: tuple[Member, ...]
    post: dict[str, Any]
    """Arguments of `postprocess.decode_series`."""

    @cached_property
    def alike(self) -> list[list[Member]]:
        """The members in groups of one architecture and the same windows."""
        groups: dict[Any, list[Member]] = {}
        for member in self.members:
            key = Windowing.of(member.config), member.predict_mean
            groups.setdefault(key, []).append(member)
        return list(groups.values())

    @cached_property
    def _means(self) -> list[Predict]:
        """For each group the mean probabilities of a batch."""
        return [predict_together(members) for members in self.alike]

    @property
    def spread(self) -> float:
        """Minutes over which the mean of the members' probabilities spreads a certain event."""
        return float(np.mean([member.spread for member in self.members]))

    @property
    def run(self) -> dict[str, Any]:
        """run.json of the first member; ``simulated`` where any member was trained on such data."""
        simulated = any(member.run["simulated"] for member in self.members)
        return self.members[0].run | {"simulated": simulated}

    @property
    def unfinished(self) -> list[str]:
        """A line for each member whose training has not come to its end."""
        return [line for member in self.members if (line := member.run.get("unfinished"))]

    @property
    def note(self) -> str:
        """What pictures say of the training; empty where there is nothing to know of it."""
        unfinished = ["training unfinished"] * bool(self.unfinished)
        return ", ".join([f"model {SIMULATED}"] * self.run["simulated"] + unfinished)

    @property
    def warnings(self) -> list[str]:
        """A line for each thing to know before what is found is believed."""
        simulated = f"the model was {SIMULATED}; do not draw conclusions about people."
        return [simulated] * self.run["simulated"] + self.unfinished

    def predict(
        self, series: pl.DataFrame, *, tz: str | None = None, subjects: People | None = None
    ) -> pl.DataFrame:
        """Events of a frame with series_id, step, timestamp, anglez and enmo.

        ``tz`` is the IANA zone of the wall clock, where timestamps carry no UTC offset or are UTC.
        ``subjects`` is what is known of people, series id -> column -> value, for models that were
        trained with it (``data.covariates``); nothing need be known.

        Returns series_id, step, event, score, beside_unmeasured (`postprocess.decode_series`)
        and timestamp (local clock with its UTC offset).
        Raises InputError for recordings that cannot be used.
        """
        return self._of_each(series, tz, subjects, lambda found: found.events)

    def windows(
        self, series: pl.DataFrame, *, tz: str | None = None, subjects: People | None = None
    ) -> pl.DataFrame:
        """Sleep windows of a frame as in `predict`: when the person slept, main sleep and naps.

        Returns series_id, onset_step, wakeup_step, onset and wakeup (local times with UTC offset),
        main, score, worn_fraction and the runners-up; see `postprocess.find_windows`.
        """
        return self._of_each(series, tz, subjects, lambda found: found.windows)

    def probabilities(
        self, series: pl.DataFrame, *, tz: str | None = None, subjects: People | None = None
    ) -> pl.DataFrame:
        """What the model says of every step of a frame as in `predict`, float32.

        Returns series_id, step, asleep, onset, wakeup, and worn where every member has it.
        """
        return self._of_each(series, tz, subjects, lambda found: found.curves)

    def _of_each(
        self,
        series: pl.DataFrame,
        tz: str | None,
        subjects: People | None,
        part: Callable[[Found], pl.DataFrame],
    ) -> pl.DataFrame:
        of = lambda one: (subjects or {}).get(one.meta.series_id)
        recordings = recordings_from_frame(series, tz=tz)
        return pl.concat([part(self.find(one, of(one))) for one in recordings])

    def people(self, path: str | Path) -> People:
        """What a table says of people, for `predict`, as far as any member was trained with it.

        Raises InputError where no member takes any of it, and for a table that cannot be used.
        """
        every = [c for m in self.members for c in m.config.data.get("covariates", ())]
        if not every:
            raise InputError(
                f"{path} would not be used: the model was trained without data.covariates."
            )
        found: dict[str, dict[str, Any]] = {}
        for covariate in dict.fromkeys(every):
            for series_id, row in subjects.read(path, subjects.parse([covariate])).items():
                found.setdefault(series_id, {}).update(row)
        return found

    def find(self, recording: Recording, subject: Subject | None = None) -> Found:
        """Probabilities and events of one recording.

        ``subject`` is what is known of the person, column -> value, see `predict`. Raises
        InputError where the model gives no numbers, and for a value that it was not trained with.
        """
        (found,) = self.find_each([recording], [subject])
        if isinstance(found, InputError):
            raise found
        return found

    def find_each(
        self,
        recordings: Sequence[Recording | InputError],
        people: Sequence[Subject | None] = (),
        *,
        fitted: bool = False,
    ) -> Iterator[Found | InputError]:
        """As `find`, of each recording in order, or what it would raise; errors are passed on.

        Batches hold windows of several recordings: many short ones take less time together.
        ``people`` are the subjects of the recordings; none where nothing is known. ``fitted``
        batches are no larger than the recordings need (`Windowing.fitted`), which is for many
        calls of few short ones.
        """
        # Most groups see the same features.
        prepared = [lru_cache(partial(with_features, one)) for one in recordings]  # pyright: ignore
        people = people or [None] * len(recordings)
        known = [self._known(*pair) for pair in zip(recordings, people, strict=True)]
        each = []
        for i, (members, together) in enumerate(zip(self.alike, self._means, strict=True)):
            names = tuple(members[0].config.data.features)
            seen = [
                of(names).with_features(more[i])
                for of, more in zip(prepared, known, strict=True)
                if not isinstance(more, InputError)
            ]
            how = Windowing.of(members[0].config)
            each.append(predict_series(seen, together, how.fitted(seen) if fitted else how))
        answers = zip(*each, strict=True)
        for recording, more in zip(recordings, known, strict=True):
            try:
                if isinstance(recording, InputError):
                    raise recording
                if isinstance(more, InputError):
                    raise more
                yield self._found(recording, next(answers))
            except InputError as error:
                yield error

    def _known(
        self, recording: Recording | InputError, subject: Subject | None
    ) -> list[dict[str, np.ndarray]] | InputError:
        """Channels of what is known of a person for each group, or what is wrong with it."""
        if isinstance(recording, InputError):
            return recording
        try:
            return [members[0].known(subject, recording.meta) for members in self.alike]
        except InputError as error:
            return error

    def _found(self, recording: Recording, answers: Sequence[np.ndarray]) -> Found:
        """What is found in a recording, by the mean probabilities [T,K] of each group."""
        probs = answers[0]
        if len(answers) > 1:
            common = min(one.shape[1] for one in answers)  # worn only where all members have it
            each = zip(map(len, self.alike), answers, strict=True)
            sums = (np.float32(n) * one[:, :common] for n, one in each)
            probs = reduce(np.add, sums) / np.float32(len(self.members))
        check_finite(probs, recording.meta)
        return self.decoded(recording, probs)

    def decoded(self, recording: Recording, probs: np.ndarray, **more: bool) -> Found:
        """What is found by probabilities [T,K]; ``more`` is for `postprocess.decode_series`."""
        events = Curves(recording, probs).events(self.post | more)
        events = postprocess.with_timestamps(events, recording.meta)
        return Found(recording, probs, events, self.spread)


def load(
    workdir: str | Path | None = None,
    checkpoint: str = "latest",
    post: Mapping[str, Any] | None = None,
) -> Predictor:
    """Load the released weights, a run, or the ensemble that an ensemble.json lists.

    Args:
      workdir: a run directory of scripts/train.py, an ensemble of scripts/crossval.py or a release
        of scripts/release.py, or its model.safetensors; without one the release that the package
        holds, with ``small`` a small network that learned from it (docs/release.md).
      checkpoint: of a run, ``latest``, whose score the run reports, or ``best`` by validation event
        AP.
      post: arguments of `postprocess.decode_series` in place of the run's, ensemble's or release's.

    Raises InputError when the folder is none of these, or a run holds no checkpoint yet.
    """
    sharding.device_count()  # before anything else asks JAX: a missing platform is one line
    programs: Programs = {}
    workdir = release.named(workdir)
    if release.is_release(workdir):
        weights, own = release.read(workdir)
        members = tuple(make_member(one, programs, str(workdir)) for one in weights)
    elif not ensemble.is_ensemble(workdir):
        member = make_member(read_run(workdir, checkpoint), programs, str(workdir))
        own, members = dict(member.config.post), (member,)
    else:
        paths, own = ensemble.read(workdir)
        loaded = {}
        for name, path in paths.items():
            try:
                loaded[name] = make_member(read_run(path, checkpoint), programs, str(path))
            except InputError as error:
                raise InputError(f"{workdir / ensemble.FILE}: member {name!r}: {error}") from None
        members = tuple(loaded.values())
    return Predictor(members, own if post is None else dict(post))


def figure(found: Found, note: str) -> Figure:
    """The nights of one recording with what was found in them."""
    from sleepjax.figures.curves import nights_figure  # matplotlib takes half a second to import
    from sleepjax.figures.shown import View

    view = View(found.recording, found=found.events, probabilities=found.probabilities)
    return nights_figure(view, ", ".join(filter(None, (view.meta.series_id[:40], note))))
