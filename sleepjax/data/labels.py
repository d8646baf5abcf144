"""Labels of each step: asleep or not, distance to the nearest event, and what is known.

A night the annotators left empty says nothing: its steps are unknown and carry mask 0. Soft targets
are functions of the signed distance, computed inside the jitted step (`objectives.losses`).
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sleepjax.data.compact import Array, Sliced, in_runs, runs_of
from sleepjax.data.events import pair
from sleepjax.types import STEPS_PER_HOUR

FAR = 10**6
"""Distance in steps where a series has no event of a class: every soft target is 0 there."""

SURE_AWAKE = 8 * STEPS_PER_HOUR
"""Next to a night without labels, wakefulness is certain only this close to a labelled event
(in the competition's data 99 % of the waking times between two nights are longer than 11.5 h)."""


@dataclass(frozen=True)
class Labels:
    """What the annotations say of one recording of T steps; `compacted` keeps it small."""

    asleep: Array
    """bool [T]: onset <= step < wakeup, less what is known to be awake, or without the watch."""
    distance: Array
    """int32 [T,2]: step minus nearest onset, step minus nearest wakeup; ``FAR`` without any."""
    known: Array
    """bool [T]: False in nights and tails that the annotators left empty."""
    nights: np.ndarray
    """int64 [N,2]: onset and wakeup row of every fully labelled night, in order."""
    worn: Array | None = None
    """int8 [T]: 1 where the watch was worn, 0 where not, -1 where unknown; None: all unknown."""
    soft: np.ndarray | None = None
    """float [T,K]: a teacher's probabilities, which are learned in place of the labels."""


def make_labels(events: pl.DataFrame, n_steps: int, first_step: int = 0) -> Labels:
    """Per-step labels of one series from its events, whose ``step`` is null where unlabelled.

    ``first_step`` is the number that the event file gives to row 0.
    """
    wide = pair(events).sort("night")
    labelled = wide.drop_nulls()
    nights = labelled.select("onset", "wakeup").to_numpy().astype(np.int64) - first_step  # [N,2]
    known = _known(nights, labelled["night"].to_numpy(), wide, n_steps)
    return Labels(in_runs(nights, n_steps), Distances(nights, n_steps), known, nights)


def with_wear(
    labels: Labels, copied: np.ndarray, unworn: np.ndarray | None, *, target: bool
) -> Labels:
    """The labels with what is known of the watch; no sleep is annotated without it.

    A stretch without the watch is known to hold no sleep and no event, labelled night or not.

    Args:
      copied: bool [T], steps that equal another day. Of two equal stretches one was measured, and
        the signal does not say which, so a labelled night and ``unworn`` are believed instead.
      unworn: int64 [N,2], first row and row after the last of each stretch without the watch;
        None where nobody knows.
      target: whether ``worn`` is wanted; without it the field stays None.
    """
    off = in_runs(() if unworn is None else unworn, len(labels.asleep))
    slept = np.asarray(labels.asleep)
    asleep = slept & ~off
    if unworn is None:
        off |= copied & ~slept
    worn = None
    if target:
        worn = np.where(off, 0, -1 if unworn is None else 1).astype(np.int8)
    return replace(labels, asleep=asleep, known=np.asarray(labels.known) | off, worn=worn)


def with_awakenings(labels: Labels, awake: np.ndarray | None) -> Labels:
    """The labels with the minutes awake within a night, which annotators of windows leave out.

    ``awake`` is int64 [N,2], first row and row after the last of each; None where nobody knows.
    """
    off = in_runs(() if awake is None else awake, len(labels.asleep))
    return replace(labels, asleep=np.asarray(labels.asleep) & ~off)


@dataclass(frozen=True)
class Distances(Sliced):
    """`signed_distance` to the onsets and to the wakeups, int32 [T,2], made where it is sliced."""

    nights: np.ndarray
    """int64 [N,2]."""
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: slice) -> np.ndarray:
        steps = np.arange(*rows.indices(self.length))
        return np.stack([signed_distance(self.nights[:, k], steps) for k in (0, 1)], axis=-1)


def compacted(labels: Labels) -> Labels:
    """The same labels in a few bytes for each night, in place of ten for each step."""
    return replace(
        labels,
        asleep=runs_of(np.asarray(labels.asleep)),
        distance=Distances(labels.nights, len(labels.asleep)),
        known=runs_of(np.asarray(labels.known)),
        worn=None if labels.worn is None else runs_of(np.asarray(labels.worn)),
    )


def signed_distance(events: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """int32 [T]: step minus the nearest of the sorted event rows (the earlier one at equality)."""
    if len(events) == 0:
        return np.full(len(steps), FAR, np.int32)
    # A step belongs to the event on its side of the midpoint between two neighbours.
    middles = (events[:-1] + events[1:]) // 2 + 1
    nearest = np.searchsorted(middles, steps, side="right")
    return (steps - events[nearest]).astype(np.int32)


def _known(nights: np.ndarray, numbers: np.ndarray, wide: pl.DataFrame, n_steps: int) -> np.ndarray:
    """Sleep, the day between two labelled nights, and up to SURE_AWAKE beside other nights."""
    known = np.zeros(n_steps, bool)
    listed = wide["night"].to_numpy()
    # A gap in the numbering is an unlabelled night as much as an empty row is.
    for i, (onset, wakeup) in enumerate(nights):
        follows = i > 0 and numbers[i] == numbers[i - 1] + 1
        begin = nights[i - 1, 1] if follows else max(onset - SURE_AWAKE, 0)
        known[begin:wakeup] = True
        if i + 1 == len(nights) or numbers[i + 1] != numbers[i] + 1:
            known[wakeup : wakeup + SURE_AWAKE] = True
    if len(nights) and numbers[0] == listed[0] and nights[0, 0] < 24 * STEPS_PER_HOUR:
        known[: nights[0, 0]] = True  # the first night of the recording is labelled
    return known
