"""Sleep and wakefulness at every step of a recording, and their sums within one window.

A step counts as asleep where it lies in a sleep window, P(asleep) is at least 0.5, and the arm is
in sustained inactivity: more than five minutes between two changes of posture of over 5 degrees
(van Hees 2015, doi:10.1371/journal.pone.0142533; GGIR's sleep within the SPT window is the same but
for P(asleep)). P(asleep) alone would not do with models that learned sleep windows, which may hold
half an hour of wakefulness; docs/nights.md says how far either agrees with polysomnography. Every
step that was measured with the watch on and is not asleep is awake; all others are unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sleepjax.baselines.angle import sustained_inactivity
from sleepjax.data.recording import Recording
from sleepjax.types import CLASSES, STEPS_PER_MINUTE, InputError

ASLEEP, AWAKE, UNKNOWN = 1, 0, -1
SURE = 0.5
"""Probability from which a step counts as asleep, or as worn."""


@dataclass(frozen=True)
class Wear:
    """What is known of the watch being worn at each of T steps."""

    measured: np.ndarray
    """bool [T]."""
    model: np.ndarray | None
    """bool [T]: by the model's worn output; None where it has none."""
    raw: np.ndarray | None
    """bool [T]: by the rule on the raw signal; None where there was none."""

    @property
    def worn(self) -> np.ndarray:
        """bool [T]: measured, and nothing says that the watch was not on the wrist."""
        known = [part for part in (self.model, self.raw) if part is not None]
        return np.logical_and.reduce([self.measured, *known])


@dataclass(frozen=True)
class Scored:
    """A recording of T steps, what was found in it, and sleep and wear at every step."""

    recording: Recording
    probabilities: np.ndarray
    """float [T,K] of asleep, onset, wakeup (, worn)."""
    windows: pl.DataFrame
    """Of `postprocess.find_windows`, in order of time."""
    spans: list[tuple[int, int]]
    """(row of the onset, row of the wakeup) of each window."""
    wear: Wear
    state: np.ndarray
    """int8 [T]: `ASLEEP`, `AWAKE` or `UNKNOWN`."""


def scored(
    recording: Recording,
    probabilities: np.ndarray,
    windows: pl.DataFrame,
    nonwear: np.ndarray | None = None,
) -> Scored:
    """Score a recording step by step, for the tables and reports.

    ``nonwear`` is bool [T] by the rule on the raw signal, None where there was none; the other
    arguments are those of `Scored`. Raises InputError where ``nonwear`` or ``probabilities`` are of
    another length than the recording.
    """
    meta = recording.meta
    for name, array in (("probabilities", probabilities), ("nonwear", nonwear)):
        if array is not None and len(array) != meta.n_steps:
            raise InputError(
                f"series {meta.series_id!r}: {name} has {len(array)} rows, the recording "
                f"{meta.n_steps}; give one for each step."
            )
    steps = windows.select(pl.col("onset_step", "wakeup_step") - meta.first_step)
    spans = list(steps.iter_rows())
    has_worn = probabilities.shape[1] > len(CLASSES)
    wear = Wear(
        measured=np.asarray(recording.valid),
        model=probabilities[:, len(CLASSES)] >= SURE if has_worn else None,
        raw=None if nonwear is None else ~np.asarray(nonwear, bool),
    )
    state = states(recording, probabilities, spans, wear.worn)
    return Scored(recording, probabilities, windows, spans, wear, state)


def states(
    recording: Recording,
    probabilities: np.ndarray,
    windows: Sequence[tuple[int, int]],
    worn: np.ndarray,
) -> np.ndarray:
    """`ASLEEP`, `AWAKE` or `UNKNOWN` at every step, int8 [T].

    ``windows`` are (row of the onset, row of the wakeup), ``worn`` is bool [T].
    """
    anglez = np.where(worn, np.asarray(recording.signals["anglez"]), np.nan)
    still, inside = np.zeros(len(worn), bool), np.zeros(len(worn), bool)
    for first, end in sustained_inactivity(anglez):
        still[first:end] = True
    for first, end in windows:
        inside[first:end] = True
    asleep = inside & still & (probabilities[:, CLASSES.index("asleep")] >= SURE)
    return np.where(worn, np.where(asleep, ASLEEP, AWAKE), UNKNOWN).astype(np.int8)


def within(state: np.ndarray) -> dict[str, float | int | None]:
    """Columns of a window from the states [W] of its steps; minutes."""
    asleep, awake = int((state == ASLEEP).sum()), int((state == AWAKE).sum())
    bouts = awakenings(state) / STEPS_PER_MINUTE
    return {
        "spt_min": len(state) / STEPS_PER_MINUTE,
        "tst_min": asleep / STEPS_PER_MINUTE,
        "waso_min": awake / STEPS_PER_MINUTE,
        "unknown_min": (len(state) - asleep - awake) / STEPS_PER_MINUTE,
        "maintenance_efficiency": asleep / (asleep + awake) if asleep + awake else None,
        "awakenings": len(bouts),
        "awakening_mean_min": float(bouts.mean()) if len(bouts) else None,
        "awakening_longest_min": float(bouts.max()) if len(bouts) else None,
    }


def awakenings(state: np.ndarray) -> np.ndarray:
    """Lengths in steps, int64 [N], of stretches awake with sleep right before and after them."""
    edges = np.flatnonzero(np.diff(state, prepend=UNKNOWN - 1, append=UNKNOWN - 1))
    first, end = edges[:-1], edges[1:]
    value = state[first]
    before, after = np.append(UNKNOWN, value[:-1]), np.append(value[1:], UNKNOWN)
    kept = (value == AWAKE) & (before == ASLEEP) & (after == ASLEEP)
    return end[kept] - first[kept]
