"""One simulated recording, a pure function of (seed, index, days)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from sleepjax.simulation.annotate import (
    NightLabel,
    Window,
    annotate,
    sleep_windows,
    true_windows,
)
from sleepjax.simulation.clock import Clock, draw_clock
from sleepjax.simulation.nights import ASLEEP, Behaviour, draw_behaviour
from sleepjax.simulation.participant import Participant, draw_days, draw_participant
from sleepjax.simulation.signal import draw_signal
from sleepjax.simulation.wear import draw_nonwear, fill_with_copies

VERSION = 1
"""Raised whenever the same seed gives other bytes."""

_HASH = 0x9E3779B97
_IDS = 16**9


@dataclass(frozen=True)
class SimulatedSeries:
    """A recording as measured, as annotated and as it truly was."""

    series_id: str
    participant: Participant
    clock: Clock
    anglez: np.ndarray
    """float32 [T], degrees."""
    enmo: np.ndarray
    """float32 [T], g."""
    labels: tuple[NightLabel, ...]
    """One entry per listed night."""
    truth: tuple[Window, ...]
    """The window of each night by the annotation rules, without annotator error or omission."""
    behaviour: Behaviour
    nonwear: tuple[tuple[int, int], ...]
    """(first row, end row) of each stretch that was filled with a copy."""

    def frame(self) -> pl.DataFrame:
        """The competition's columns series_id, step, timestamp, anglez, enmo."""
        n_steps = self.clock.n_steps
        return pl.DataFrame(
            {
                "series_id": pl.repeat(self.series_id, n_steps, eager=True),
                "step": np.arange(n_steps, dtype=np.uint32),
                "timestamp": self.clock.timestamps(),
                "anglez": self.anglez,
                "enmo": self.enmo,
            }
        )

    def event_rows(self) -> list[dict[str, object]]:
        """Rows of train_events.csv: two per listed night, empty step where there is no event."""
        return [
            {
                "series_id": self.series_id,
                "night": label.night,
                "event": event,
                "step": step,
                "timestamp": None if step is None else self.clock.timestamp(step),
            }
            for label in self.labels
            for event, step in (("onset", label.onset), ("wakeup", label.wakeup))
        ]

    def truth_rows(self) -> list[dict[str, object]]:
        """Rows series_id, event, step of the latent truth."""
        return [
            {"series_id": self.series_id, "event": event, "step": step}
            for window in self.truth
            for event, step in (("onset", window.onset), ("wakeup", window.wakeup))
        ]


def series_id(seed: int, index: int) -> str:
    """``sim`` and nine hexadecimal digits, different for every index below 16**9 of one seed."""
    # An odd multiplier permutes the numbers below a power of two, so no two ids are equal.
    return f"sim{(index * _HASH + seed * 0x5DEECE66D + 0xB) % _IDS:09x}"


def _stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Independent random numbers for one purpose of one participant."""
    return np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, purpose]))


def simulate_series(seed: int, index: int, days: float | None = None) -> SimulatedSeries:
    """Simulate participant ``index``; ``days=None`` draws the length as in the competition."""
    traits = _stream(seed, index, 0)
    drawn_days = draw_days(traits)
    person = draw_participant(traits, drawn_days)
    clock = draw_clock(traits, drawn_days if days is None else days)
    behaviour = draw_behaviour(_stream(seed, index, 1), person, clock)
    anglez, enmo = draw_signal(_stream(seed, index, 2), person, behaviour)
    wear = _stream(seed, index, 3)
    spans = draw_nonwear(wear, person, clock, behaviour.nights)
    fill_with_copies(wear, (anglez, enmo), spans)
    worn = np.ones(clock.n_steps, dtype=bool)
    for start, end in spans:
        worn[start:end] = False
    windows = sleep_windows(behaviour.mode == ASLEEP, clock)
    truth = true_windows(windows, worn)
    labels = annotate(_stream(seed, index, 4), behaviour, windows, truth, clock)
    return SimulatedSeries(
        series_id=series_id(seed, index),
        participant=person,
        clock=clock,
        anglez=anglez,
        enmo=enmo,
        labels=tuple(labels),
        truth=tuple(truth),
        behaviour=behaviour,
        nonwear=tuple(spans),
    )
