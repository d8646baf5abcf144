"""Windows of recordings as batches: random ones to train, overlapping ones to predict.

A training batch is a function of (seed, step) alone: resuming needs no iterator state, and the
number of processes does not change the data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from sleepjax.data.compact import true_runs
from sleepjax.data.labels import FAR, compacted, make_labels, with_awakenings, with_wear
from sleepjax.data.recording import Recording
from sleepjax.data.store import Store
from sleepjax.data.stretches import rows_of
from sleepjax.types import InputError

Batch = dict[str, np.ndarray]

MASKS = {"mask", "worn_mask"}
"""Arrays of a batch that say which frames count."""


@dataclass(frozen=True)
class Sampler:
    """Where training windows come from: labelled nights and stretches of known steps."""

    lengths: np.ndarray
    """int64 [S]: steps of each series."""
    events: np.ndarray
    """int64 [N,3]: series, onset row, wakeup row of each labelled night."""
    runs: np.ndarray
    """int64 [R,3]: series, first row, length of each stretch of known steps."""
    duration: int
    background: float
    tail: int = 0
    """Steps at a window's end that hold its anchor; 0: anywhere."""

    def indices(self, seed: int, step: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """(series [B], start [B]) of the global batch of one step; every window has its anchor.

        With probability ``background`` the anchor is a known step anywhere, otherwise the onset
        or the wakeup of a labelled night, all equally likely. With a ``tail`` starts may be
        negative (`gather_batch`).
        """
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, step]))
        night = self.events[rng.integers(len(self.events), size=batch)]  # [B,3]
        series, anchor = night[:, 0], night[np.arange(batch), 1 + rng.integers(2, size=batch)]

        ends = np.cumsum(self.runs[:, 2])
        drawn = rng.integers(ends[-1], size=batch)
        run = np.searchsorted(ends, drawn, side="right")
        first = self.runs[run, 1] + drawn - (ends[run] - self.runs[run, 2])
        is_background = rng.random(batch) < self.background
        series = np.where(is_background, self.runs[run, 0], series)
        anchor = np.where(is_background, first, anchor)

        if self.tail:
            end = np.minimum(anchor + self.tail, self.lengths[series])
            return series, rng.integers(anchor + 1, end, endpoint=True) - self.duration
        lowest = np.maximum(anchor - self.duration + 1, 0)
        highest = np.maximum(np.minimum(anchor, self.lengths[series] - self.duration), 0)
        return series, rng.integers(lowest, highest, endpoint=True)


def load_labelled(
    store: Store, series_id: str, features: Sequence[str], events: pl.DataFrame
) -> Recording:
    """One recording of a store with its labels, to train on or to validate.

    ``events`` are the store's. What is known does not depend on the features that are chosen.
    """
    recording = store.recording(series_id, features)
    meta = recording.meta
    labels = make_labels(events.filter(series_id=series_id), meta.n_steps, meta.first_step)
    known = {kind: rows_of(table, meta) for kind, table in store.stretches.items()}
    copied = np.asarray(recording.copied)
    labels = with_wear(labels, copied, known.get("nonwear"), target="nonwear" in known)
    labels = with_awakenings(labels, known.get("awake"))
    return replace(recording, labels=compacted(labels))


def make_sampler(
    series: Sequence[Recording], duration: int, background: float, tail: int = 0
) -> Sampler:
    """Collect the anchors of all series. Raises InputError when no night is labelled."""
    events, runs = [], []
    for i, one in enumerate(series):
        assert one.labels is not None
        events += [(i, onset, wakeup) for onset, wakeup in one.labels.nights]
        usable = np.asarray(one.labels.known) & np.asarray(one.valid)
        runs += [(i, a, b - a) for a, b in true_runs(usable)]
    if not events or not runs:
        raise InputError(
            f"none of the {len(series)} training series has a fully labelled night with valid "
            "samples; training needs at least one onset with its wakeup in the events file."
        )
    lengths = np.array([one.meta.n_steps for one in series], np.int64)
    nights, stretches_known = np.array(events, np.int64), np.array(runs, np.int64)
    return Sampler(lengths, nights, stretches_known, duration, background, tail)


def gather(one: Recording, start: int, duration: int, downsample: int) -> Batch:
    """One window: x [T,F], asleep [T'], distance [T',2], mask [T'] (see `gather_batch`)."""
    return {k: v[0] for k, v in gather_batch([(one, start)], duration, downsample).items()}


def gather_batch(
    where: Sequence[tuple[Recording, int]], duration: int, downsample: int, tail: int = 0
) -> Batch:
    """Windows of (series, start): x [B,T,F], asleep [B,T'], distance [B,T',2], mask [B,T'].

    ``mask`` is 1 where every step of the frame is valid, known and inside the recording; without
    labels only valid and inside. ``distance`` is taken at the frame's centre, `FAR` behind the
    recording's end. Where non-wear is known of any series, also worn [B,T'], the share of the
    frame's steps with the watch on, and worn_mask [B,T'], 1 where each of them is valid and known.
    Of series with a teacher, soft [B,T',K], its mean probabilities. float32 throughout.

    A window with a negative start ends before it is full: it holds rows 0 to start + duration, and
    is filled up at its end as that of a short recording is. With a ``tail`` both masks are 0
    before the last that many steps of a window.
    """
    batch, n_frames = len(where), -(-duration // downsample)
    x = np.zeros((batch, duration, len(where[0][0].features)), np.float32)
    first = where[0][0].labels
    usable, asleep = np.zeros((2, batch, duration), bool)
    worn = np.full((batch, duration), -1, np.int8) if first and first.worn is not None else None
    soft = None
    if first and first.soft is not None:
        soft = np.zeros((batch, duration, first.soft.shape[1]), np.float32)
    # Not the mean over the frame: halfway between two events it would invent a distance of 0.
    distance = np.full((batch, n_frames, 2), FAR, np.float32)
    for k, (one, start) in enumerate(where):
        here = slice(max(start, 0), min(start + duration, one.meta.n_steps))
        n, every = here.stop - here.start, slice(here.start, here.stop, downsample)
        for f, array in enumerate(one.features.values()):
            x[k, :n, f] = array[here]
        usable[k, :n] = one.valid[here]
        if tail:
            usable[k, : max(n - tail, 0)] = False
        if one.labels is not None:
            if worn is not None:
                assert one.labels.worn is not None, "worn is known of all series of a store or none"
                worn[k, :n] = np.where(usable[k, :n], one.labels.worn[here], -1)
            if soft is not None:
                assert one.labels.soft is not None, "all series have a teacher or none"
                soft[k, :n] = one.labels.soft[here]
            usable[k, :n] &= one.labels.known[here]
            asleep[k, :n] = one.labels.asleep[here]
            distance[k, : -(-n // downsample)] = one.labels.distance[every]
    mask: Any = frames(usable, downsample, axis=1).all(axis=2).astype(np.float32)
    if first is None:
        return {"x": x, "mask": mask}
    distance += (downsample - 1) / 2
    mean = lambda what: frames(what, downsample, axis=1).mean(axis=2, dtype=np.float32)
    found: Any = {"x": x, "asleep": mean(asleep), "distance": distance, "mask": mask}
    if soft is not None:
        found["soft"] = mean(soft)
    if worn is not None:
        known = frames(worn >= 0, downsample, axis=1).all(axis=2)
        found |= {"worn": mean(worn == 1), "worn_mask": known.astype(np.float32)}
    return found


def frames(x: np.ndarray, downsample: int, axis: int = 0) -> np.ndarray:
    """[T,...] -> [T',downsample,...]; the last frame is filled up with its own last step."""
    short = -x.shape[axis] % downsample
    if short:
        x = np.concatenate([x, np.repeat(x.take([-1], axis), short, axis)], axis)
    return x.reshape(*x.shape[:axis], -1, downsample, *x.shape[axis + 1 :])


def train_batch(
    series: Sequence[Recording],
    sampler: Sampler,
    *,
    seed: int,
    step: int,
    batch: int,
    downsample: int,
    process: int = 0,
    processes: int = 1,
) -> Batch:
    """This process's slice of the global batch of one step."""
    which, start = sampler.indices(seed, step, batch)
    own = share(batch, process, processes)
    where = [(series[i], int(s)) for i, s in zip(which[own], start[own], strict=True)]
    return gather_batch(where, sampler.duration, downsample, sampler.tail)


def share(batch: int, process: int, processes: int) -> slice:
    """The samples of a global batch that are this process's."""
    return slice(process * batch // processes, (process + 1) * batch // processes)


def eval_starts(n_steps: int, duration: int, stride: int, latency: int = 0) -> np.ndarray:
    """Starts of overlapping windows that cover a recording; the last one ends where it ends.

    With a latency a window ends at every ``stride`` steps, the first ones before they are full.
    """
    if latency:
        return np.append(np.arange(stride, n_steps, stride), n_steps) - duration
    if n_steps <= duration:
        return np.zeros(1, np.int64)
    return np.append(np.arange(0, n_steps - duration, stride), n_steps - duration)


def eval_batches(
    series: Sequence[Recording],
    *,
    duration: int,
    stride: int,
    downsample: int,
    batch: int,
    latency: int = 0,
    tail: int = 0,
    process: int = 0,
    processes: int = 1,
) -> Iterator[tuple[list[tuple[int, int]], Batch]]:
    """((series, start) of each window, batch), series after series; batches run across series.

    The last batch is filled up with copies whose mask is 0, so that every batch has one shape. The
    list is of the global batch, the batch is this process's share of it.
    """
    jobs = [
        (i, int(start))
        for i, one in enumerate(series)
        for start in eval_starts(one.meta.n_steps, duration, stride, latency)
    ]
    own = share(batch, process, processes)
    size = own.stop - own.start
    for k in range(0, len(jobs), batch):
        part = jobs[k : k + batch]
        mine = part[own]
        # Filled up with copies; a process without a window takes another's.
        filled = (mine + (mine or part)[:1] * size)[:size]
        found = gather_batch([(series[i], s) for i, s in filled], duration, downsample, tail)
        for name in MASKS & found.keys():
            found[name][len(mine) :] = 0
        yield part, found
