"""Difference between an exported program and the predictor that it was made from, on recordings."""

from dataclasses import dataclass, replace

import numpy as np

from sleepjax.data.recording import SIGNALS, Recording
from sleepjax.export.features import EPOCH
from sleepjax.export.files import Program
from sleepjax.predict import Found, Predictor
from sleepjax.types import STEPS_PER_MINUTE


@dataclass(frozen=True)
class Difference:
    """What differs on one recording."""

    series_id: str
    probability: float
    """Greatest absolute difference of a probability."""
    windows: tuple[int, int]
    """Number of sleep windows: of the predictor, of the program."""
    minutes: float
    """Greatest difference of an onset or wakeup; NaN where the numbers of windows differ."""

    def __str__(self) -> str:
        return (
            f"{self.series_id}: probabilities differ by at most {self.probability:.1e}; "
            f"{self.windows[0]} and {self.windows[1]} sleep windows, whose ends differ by at most "
            f"{self.minutes:.2f} minutes"
        )


def inputs(recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a program is given of a recording: clock, anglez and enmo, each [1,T]."""
    clock = (recording.clock - EPOCH).astype(np.int32)
    valid = np.asarray(recording.valid)
    signals = [np.asarray(recording.signals[name]) for name in SIGNALS]
    anglez, enmo = (np.where(valid, values, np.float32("nan"))[None] for values in signals)
    return clock[None], anglez, enmo


def found_by(run: Program, recording: Recording, like: Found) -> Found:
    """What a program finds in a recording, decoded as the other result was."""
    return replace(like, probabilities=run(*inputs(recording))[0])


def of(run: Program, predictor: Predictor, recording: Recording) -> Difference:
    """The difference on one recording."""
    ours = predictor.find(recording)
    theirs = found_by(run, recording, ours)
    ends = [one.windows.select("onset_step", "wakeup_step").to_numpy() for one in (ours, theirs)]
    same = len(ends[0]) == len(ends[1])
    steps = np.abs(ends[0] - ends[1]).max(initial=0) if same else float("nan")
    difference = np.abs(ours.probabilities - theirs.probabilities).max()
    return Difference(
        recording.meta.series_id,
        float(difference),
        (len(ends[0]), len(ends[1])),
        float(steps) / STEPS_PER_MINUTE,
    )
