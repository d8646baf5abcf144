"""From events to per-step arrays: who is asleep, how far the nearest event is, and what is known.

A night the annotators left empty says nothing: its steps are unknown and carry mask 0. Soft targets
are functions of the signed distance, computed inside the jitted step (`objectives.losses`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sleepjax.types import STEPS_PER_HOUR

FAR = 10**6
"""Distance in steps where a series has no event of a class: every soft target is 0 there."""

SURE_AWAKE = 8 * STEPS_PER_HOUR
"""Next to a night without labels, wakefulness is certain only this close to a labelled event
(in the competition's data 99 % of the waking times between two nights are longer than 11.5 h)."""


@dataclass(frozen=True)
class Labels:
    """What the annotations say of one recording of T steps."""

    asleep: np.ndarray
    """bool [T]: onset <= step < wakeup."""
    distance: np.ndarray
    """int32 [T,2]: step minus nearest onset, step minus nearest wakeup; ``FAR`` without any."""
    known: np.ndarray
    """bool [T]: False in nights and tails that the annotators left empty."""
    nights: np.ndarray
    """int64 [N,2]: onset and wakeup row of every fully labelled night, in order."""
    worn: np.ndarray | None = None
    """int8 [T]: 1 where the watch was worn, 0 where not, -1 where unknown; None: all unknown."""


def make_labels(events: pl.DataFrame, n_steps: int, first_step: int = 0) -> Labels:
    """Per-step labels of one series.

    Args:
      events: rows of one series with ``night``, ``event`` and ``step`` (null where unlabelled).
      n_steps: length T of the recording.
      first_step: the number that the event file gives to row 0.
    """
    wide = (
        events.group_by("night")
        .agg(
            pl.col("step").filter(pl.col("event") == "onset").first().alias("onset"),
            pl.col("step").filter(pl.col("event") == "wakeup").first().alias("wakeup"),
        )
        .sort("night")
    )
    labelled = wide.drop_nulls()
    nights = labelled.select("onset", "wakeup").to_numpy().astype(np.int64) - first_step  # [N,2]
    numbers = labelled["night"].to_numpy()

    asleep = np.zeros(n_steps, bool)
    for onset, wakeup in nights:
        asleep[onset:wakeup] = True
    distance = np.stack([signed_distance(nights[:, k], n_steps) for k in (0, 1)], axis=-1)
    return Labels(asleep, distance, _known(nights, numbers, wide, n_steps), nights)


def with_wear(
    labels: Labels, copied: np.ndarray, unworn: np.ndarray | None, *, target: bool
) -> Labels:
    """The labels with what is known of the watch; no sleep is annotated without it.

    A stretch without the watch is known to hold no sleep and no event, labelled night or not.

    Args:
      labels: what the annotations say.
      copied: bool [T], steps filled with a copy of another day; inside a labelled night the copy
        may as well be the other one, so there the night is believed.
      unworn: int64 [N,2], first row and row after the last of each stretch without the watch;
        None where nobody knows.
      target: whether ``worn`` is wanted; without it the field stays None.
    """
    off = np.zeros(len(labels.asleep), bool)
    for start, end in () if unworn is None else unworn:
        off[start:end] = True
    asleep = labels.asleep & ~off
    off |= copied & ~labels.asleep
    worn = None
    if target:
        worn = np.where(off, 0, -1 if unworn is None else 1).astype(np.int8)
    return replace(labels, asleep=asleep, known=labels.known | off, worn=worn)


def signed_distance(events: np.ndarray, n_steps: int) -> np.ndarray:
    """int32 [T]: step minus the nearest of the sorted event rows (the earlier one at equality)."""
    if len(events) == 0:
        return np.full(n_steps, FAR, np.int32)
    # A step belongs to the event on its side of the midpoint between two neighbours.
    middles = (events[:-1] + events[1:]) // 2 + 1
    nearest = np.searchsorted(middles, np.arange(n_steps), side="right")
    return (np.arange(n_steps) - events[nearest]).astype(np.int32)


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
