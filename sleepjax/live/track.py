"""Track: a member's windows of a stream, predicted as they are complete, and stitched.

The windows are those of offline prediction (`inference.Windowing`), in the same order, so sums are
the same too. A window is predicted when nothing that comes later can change its features.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax
import numpy as np

from sleepjax.data import derived, features, windows
from sleepjax.data.recording import Recording
from sleepjax.data.repair import filled
from sleepjax.data.subjects import Subject
from sleepjax.inference import Windowing
from sleepjax.live.rows import Rows
from sleepjax.postprocess.stitch import centre_weights
from sleepjax.predict import Member
from sleepjax.types import InputError, SeriesMeta


@dataclass(frozen=True)
class Track:
    """Sums over the windows so far, of rows that later windows still answer for."""

    number: int = 0
    """Of the next window."""
    first: int = 0
    """Row of the first sum."""
    total: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    """float64 [N,K]: sum of weight times probability."""
    weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """float64 [N]."""

    def plus(self, where: slice, weight: np.ndarray, probs: np.ndarray) -> Track:
        """With the probabilities [n,K] of one more window at rows ``where``, weighted [n]."""
        skip = max(self.first - where.start, 0)
        at = slice(where.start + skip - self.first, where.stop - self.first)
        more = max(at.stop - len(self.weight), 0)
        total = np.zeros((len(self.weight) + more, probs.shape[1]))
        total[: len(self.total)] = self.total.reshape(-1, probs.shape[1])
        summed = np.append(self.weight, np.zeros(more))
        total[at] += weight[skip:, None] * probs[skip:]
        summed[at] += weight[skip:]
        return replace(self, total=total, weight=summed)

    def until(self, row: int) -> tuple[Track, np.ndarray]:
        """(the track from ``row`` on, probabilities float32 [n,K] of its rows before)."""
        n = row - self.first
        done = (self.total[:n] / self.weight[:n, None]).astype(np.float32)
        return replace(self, first=row, total=self.total[n:], weight=self.weight[n:]), done


def reach(member: Member) -> tuple[int, int]:
    """Steps before and after its own that the features of a member look at.

    Raises InputError for a feature of the whole recording.
    """
    for name in member.config.data.features:
        if name not in features.REACH:
            raise InputError(
                f"a stream cannot compute the feature {name!r}: it may look at the whole "
                f"recording. Use a model with other data.features, of: {', '.join(features.REACH)}."
            )
    both = zip(*(features.REACH[name] for name in member.config.data.features), strict=True)
    before, after = map(max, both)
    return before, after


@dataclass(frozen=True)
class Moment:
    """A stream at one moment: its rows and which of them are valid by now."""

    series_id: str
    rows: Rows
    valid: np.ndarray
    """bool [N], of all kept rows."""
    settled: int
    """Validity of rows before this one does not change any more."""
    subject: Subject | None = None
    """What is known of the person."""

    @classmethod
    def of(cls, series_id: str, rows: Rows, subject: Subject | None = None) -> Moment:
        """The moment at which these rows are complete."""
        return cls(series_id, rows, *rows.known(), subject)

    @property
    def meta(self) -> SeriesMeta:
        """Of all kept rows."""
        return self.rows.meta(self.series_id, self.rows.first, self.rows.stop)

    def cut(self, first: int, stop: int) -> np.ndarray:
        """Validity of rows ``first`` to ``stop`` - 1."""
        return self.valid[first - self.rows.first : stop - self.rows.first]

    def recording(self, first: int, stop: int) -> Recording:
        """Rows ``first`` to ``stop`` - 1 as they are known now."""
        meta = self.rows.meta(self.series_id, first, stop)
        signals = self.rows.signals[:, first - self.rows.first : stop - self.rows.first]
        return filled(meta, signals, self.cut(first, stop))

    def window(self, member: Member, first: int, stop: int) -> np.ndarray:
        """Probabilities [n,K] of a member at rows ``first`` to ``stop`` - 1, seen as one window."""
        rows, names = self.rows, member.config.data.features
        before, after = reach(member)
        begin, end = max(first - before, rows.first), min(stop + after, rows.stop)
        seen = derived.with_features(self.recording(begin, end), names)
        meta = replace(seen.meta, n_steps=stop - first)
        x = {name: values[first - begin : stop - begin] for name, values in seen.features.items()}
        one = Recording(meta, self.cut(first, stop), features=x)
        one = one.with_features(member.known(self.subject, meta))
        data = member.config.data
        batch = windows.gather_batch(
            [(one, 0)] * jax.device_count(), data.duration, data.downsample
        )
        return np.asarray(member.predict_fn(batch))[0, : stop - first]


def advanced(track: Track, member: Member, how: Windowing, now: Moment) -> tuple[Track, int]:
    """(the track with every window that is final by now, row before which its sums are final)."""
    after = max(reach(member)[1], 1)  # one more row says that the window is not the last one
    while (start := how.start(track.number)) + how.duration + after <= now.settled:
        track = _added(track, member, how, now, start)
    edge = how.answers(start)[0].start
    if not how.latency:  # the window that ends the recording, wherever that is
        edge = min(edge, max(now.rows.stop - how.duration + how.trim, 0))
    return track, max(edge, track.first)


def so_far(track: Track, member: Member, how: Windowing, now: Moment) -> np.ndarray:
    """Probabilities [n,K] from the track's first row on, if the recording ended now."""
    stop = now.rows.stop
    while (start := how.start(track.number)) + how.duration < stop:
        track = _added(track, member, how, now, start)
    # The window that ends with the recording is not trimmed there.
    last = max(stop - how.duration, 0)
    if how.latency:
        where = slice(how.answers(start)[0].start, stop)
        weight = np.ones(stop - where.start)
    else:
        where = slice(last + how.trim if last else 0, stop)
        weight = centre_weights(how.duration)[where.start - last : stop - last]
    probs = now.window(member, last, stop)[where.start - last :]
    return track.plus(where, weight, probs).until(stop)[1]


def _added(track: Track, member: Member, how: Windowing, now: Moment, start: int) -> Track:
    where, weight = how.answers(start)
    first, stop = max(start, 0), start + how.duration
    if where.start < where.stop:
        probs = now.window(member, first, stop)[where.start - first : where.stop - first]
        track = track.plus(where, weight, probs)
    return replace(track, number=track.number + 1)
