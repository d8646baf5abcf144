"""Stream: a detector that is given samples as they come; `sleepjax.Stream`.

What it says of a step comes in three stages, each computed by the code of offline prediction:

* *live* probabilities, from a window that ends at most ``latency`` after the step,
* *final* probabilities, as soon as all windows around the step are complete: those of
  `Predictor.probabilities` of the recording, whatever follows,
* *final* events and sleep windows, decoded from these.

`Stream.so_far` is what offline prediction would say if the recording ended now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sleepjax.config import fits
from sleepjax.data import rest, zones
from sleepjax.data.plausible import check_degrees
from sleepjax.data.subjects import Subject
from sleepjax.inference import Windowing, check_finite
from sleepjax.live import arrivals, saved, settled, track
from sleepjax.live.arrivals import Counts
from sleepjax.live.rows import Rows
from sleepjax.live.saved import State
from sleepjax.live.track import Moment, Track
from sleepjax.live.update import Pieces, Update
from sleepjax.member import model_hash, outputs
from sleepjax.predict import Found, Predictor
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE, InputError, SeriesMeta

BLOCK = 5 * STEPS_PER_MINUTE
"""Steps after which a stream computes: how samples are divided into pushes makes no difference."""

FORGET = STEPS_PER_HOUR
"""Steps that are forgotten at a time."""


class Stream:
    """A detector of one recording that has no end.

    Args:
      predictor: of `sleepjax.load`; its features must not look at the whole recording.
      series_id: name of the recording.
      latency: minutes after a step that its live probabilities may see, from 5 to the length of the
        model's window; None for no live probabilities, which is cheap.
      tz: IANA zone of the wall clock, where timestamps carry no UTC offset or are UTC.
      subject: what is known of the person, see `Predictor.find`.

    Raises InputError for a model, latency, name or zone that a stream cannot have.

    Memory does not grow with the recording: signals and probabilities of the last eight days and of
    what features look back are kept, some 4 MB.
    """

    def __init__(
        self,
        predictor: Predictor,
        series_id: str = "stream",
        *,
        latency: float | None = 5,
        tz: str | None = None,
        subject: Subject | None = None,
    ):
        settled.check(predictor.post)
        self.reaches = [track.reach(member) for member in predictor.members]
        self.windowings = [Windowing.of(member.config) for member in predictor.members]
        longest = min(how.duration for how in self.windowings) / STEPS_PER_MINUTE
        lowest = BLOCK / STEPS_PER_MINUTE
        if latency is not None and not (fits(latency, float) and lowest <= latency <= longest):
            raise InputError(
                f"latency={latency!r} minutes must lie between {lowest:g} and {longest:g}, the "
                "length of the model's window; None for no live probabilities."
            )
        if not (isinstance(series_id, str) and series_id):
            raise InputError(f"series_id={series_id!r} must be text: the name of the recording.")
        if tz:  # refused before the first sample
            zones.check(tz)
        self.predictor, self.series_id, self.tz, self.latency = predictor, series_id, tz, latency
        for member in predictor.members:  # refuses a value that it was not trained with
            member.known(subject, SeriesMeta(series_id, 0, 0, 0, ((0, 0),), {}))
        self.subject = subject
        self.columns = outputs(predictor.members)
        self.state: State | None = None

    # ---- in

    def push(self, samples: Any) -> Update:
        """Take the next samples, and say what is new.

        Args:
          samples: frame of any length with timestamp, anglez (degrees) and enmo (g), one row every
            5 seconds, in order of time. Gaps of up to 30 days are masked, as in files.

        Raises InputError for samples that cannot be used, such as older ones than the newest; the
        stream is then as it was before.
        """
        state, where = self.state, f"stream {self.series_id!r}"
        last = None if state is None else state.rows.last
        counts = Counts() if state is None else state.counts
        new, counts = arrivals.read(samples, where=where, tz=self.tz, last=last, counts=counts)
        pieces = Pieces(self.series_id, self.columns)
        if state is None:
            if not len(new.utc):
                return pieces.update()
            rows = Rows(start=int(new.utc[0]) // 1000, last=new[:1])
            empty = np.zeros((0, len(self.columns)), np.float32)
            state, new = State(rows, (Track(),) * len(self.windowings), empty), new[1:]
        newest, signals, offset = state.rows.placed(new)
        _check_angles(state.rows, signals, where)
        state = replace(state, counts=counts, rows=replace(state.rows, last=newest))
        done = 0
        while done < len(offset):
            size = BLOCK - state.rows.stop % BLOCK
            part = slice(done, done + size)
            rows = state.rows.extended(signals[:, part], offset[part])
            state, done = replace(state, rows=rows), part.stop
            if rows.stop % BLOCK == 0:
                state = self._computed(state, pieces)
        self.state = state
        return pieces.update()

    def _computed(self, state: State, pieces: Pieces) -> State:
        """The state after a whole block, of which what is new goes into ``pieces``."""
        now = Moment.of(self.series_id, state.rows, self.subject)
        if self.latency is not None:
            pieces.add(pieces.live, now, *self._live(now, self.latency))
        members = zip(state.tracks, self.predictor.members, self.windowings, strict=True)
        tracks, edges = zip(*(track.advanced(*each, now) for each in members), strict=True)
        first, edge = state.final, min(edges)
        if edge > first:
            tracks, done = zip(*(one.until(edge) for one in tracks), strict=True)
            probs = self._mean(done, now, first)
            pieces.add(pieces.final, now, first, probs)
            state = replace(state, probs=np.concatenate([state.probs, probs]))
        state = replace(state, tracks=tuple(tracks))
        if edge // settled.EVERY > first // settled.EVERY:
            state = self._settled(state, now, pieces)
        return self._forgotten(state)

    def _live(self, now: Moment, latency: float) -> tuple[int, np.ndarray]:
        """(first row, probabilities [n,K]) of the rows that the latency now allows no longer."""
        stop = now.rows.stop
        begin = stop - round(latency * STEPS_PER_MINUTE)
        first, size = max(begin, 0), max(begin + BLOCK, 0) - max(begin, 0)
        if not size:
            return first, np.zeros((0, len(self.columns)), np.float32)
        each = []
        for member, how in zip(self.predictor.members, self.windowings, strict=True):
            begin = max(stop - how.duration, 0)
            each.append(now.window(member, begin, stop)[first - begin :][:size])
        return first, self._mean(each, now, first)

    def _mean(self, each: Sequence[np.ndarray], now: Moment, first: int) -> np.ndarray:
        """Mean over the members, checked."""
        probs = np.mean([one[:, : len(self.columns)] for one in each], axis=0)
        check_finite(probs, replace(now.meta, first_step=first))
        return probs

    def _settled(self, state: State, now: Moment, pieces: Pieces) -> State:
        """Decode the final probabilities that are kept, and give out what is final of it."""
        first, stop = state.final - len(state.probs), state.final
        recording = now.recording(first, stop)
        given, events = settled.events(state.given, recording, state.probs, self.predictor.post)
        given, windows = settled.windows(given, recording, state.probs, self.predictor.spread)
        pieces.events.append(events)
        pieces.windows.append(windows)
        return replace(state, given=given)

    def _forgotten(self, state: State) -> State:
        """The state without rows that nothing looks at any more."""
        kept = max(state.final - settled.KEPT, 0) // settled.MINUTE * settled.MINUTE
        drop = max(kept - (state.final - len(state.probs)), 0)
        needed = [state.final - len(state.probs) + drop]
        for one, how, (before, _) in zip(state.tracks, self.windowings, self.reaches, strict=True):
            next_one = max(how.start(one.number), 0)
            needed.append(min(next_one, state.rows.stop - how.duration) - before)
        if min(needed) - state.rows.first < FORGET and drop < FORGET:
            return state
        rows = state.rows.since(max(min(needed), 0))
        return replace(state, rows=rows, probs=state.probs[drop:])

    # ---- out

    def so_far(self) -> Found:
        """What offline prediction would find if the recording ended now, in the last eight days.

        Everything in it is provisional but what `push` has returned as final.
        Raises InputError before the first complete row.
        """
        state = self.state
        if state is None or not state.rows.stop:
            raise InputError(f"stream {self.series_id!r}: nothing was pushed yet.")
        now = Moment.of(self.series_id, state.rows, self.subject)
        members = zip(state.tracks, self.predictor.members, self.windowings, strict=True)
        each = [track.so_far(*one, now) for one in members]
        probs = np.concatenate([state.probs, self._mean(each, now, state.final)])
        first, stop = state.final - len(state.probs), state.rows.stop
        recording = now.recording(first, stop)
        before = state.given.onset_seen and first > 0
        return self.predictor.decoded(recording, probs, onset_before=before)

    @property
    def counts(self) -> Counts:
        """What has come until now, and what of it could not be used."""
        return Counts() if self.state is None else self.state.counts

    @property
    def minutes(self) -> dict[str, float]:
        """The longest time in minutes from a step to each stage of what is said of it.

        ``final`` is longer by up to 6 hours of measured time while the watch lies still (whether
        it was taken off is known only then); ``event`` and ``window`` count from the final
        probabilities of the event, and of the wakeup that ends the window.
        """
        final = max(
            (how.latency or how.duration - how.trim) + max(after, 1) + BLOCK
            for how, (_, after) in zip(self.windowings, self.reaches, strict=True)
        )
        event = STEPS_PER_DAY + settled.SURROUNDINGS + settled.EVERY
        steps = {
            "final": final + 1,
            "final_at_rest": final + 1 + rest.NOT_WORN,
            "event": event,
            "window": settled.AFTER_WINDOW + settled.EVERY,
        }
        found = {name: count / STEPS_PER_MINUTE for name, count in steps.items()}
        return found if self.latency is None else {"live": self.latency + 1 / 12} | found

    def to_bytes(self) -> bytes:
        """Settings and state, to continue elsewhere with `restore`; the model is not in it."""
        facts: dict[str, Any] = {
            "series_id": self.series_id,
            "settings": {"latency": self.latency, "tz": self.tz, "subject": self.subject},
            "state": None,
        }
        arrays = {}
        if self.state is not None:
            facts["state"], arrays = saved.state_out(self.state)
        model = model_hash(self.predictor.members, self.predictor.post)
        return saved.to_bytes(facts, arrays, model)

    @classmethod
    def restore(cls, data: bytes, predictor: Predictor) -> Stream:
        """The stream that `to_bytes` was called of, with the model that it had.

        Raises InputError for bytes that are none, damaged, of another format or another model.
        """
        facts, arrays = saved.from_bytes(data, model_hash(predictor.members, predictor.post))
        try:
            stream = cls(predictor, facts["series_id"], **facts["settings"])
            if facts["state"] is not None:
                stream.state = saved.state_in(facts["state"], arrays)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(f"the saved stream lacks something ({error}).") from None
        return stream


def _check_angles(rows: Rows, signals: np.ndarray, where: str) -> None:
    """Raise InputError for angles in radians, after a day of them."""
    if rows.measured and max(-rows.low[0], rows.high[0]) < 1.58:
        anglez = np.concatenate([rows.signals[0], signals[0]])
        check_degrees(anglez[np.isfinite(anglez)], where)
