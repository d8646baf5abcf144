"""One simulated recording: what was measured, what was annotated and what is true."""

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from sleepjax.data.compact import true_runs
from sleepjax.simulation.annotation import HALF_HOUR, NightLabel, Window
from sleepjax.simulation.behaviour import Behaviour
from sleepjax.simulation.participant import Participant
from sleepjax.simulation.recording_clock import Clock
from sleepjax.simulation.truth import StepTruth, times_in_bed

VERSIONS = {"competition": 1, "world": 4, "calm_world": 1, "both_worlds": 1}
"""Raised whenever the same seed of a population gives other bytes."""

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
    """(first row, end row) of each stretch in which the watch was taken off."""
    steps: StepTruth
    """The latent truth of every step."""
    facts: dict[str, str]
    """What the participant is, in words: ``device``, ``person``, ``schedule``, ``recording``,
    ``wear``."""

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

    def event_rows(self, truth: str = "annotated") -> list[dict[str, object]]:
        """Rows of train_events.csv: two per listed night, empty step where there is no event.

        ``truth`` is "annotated" (the annotator's nights) or "psg" (`psg_labels`).
        """
        labels = self.labels if truth == "annotated" else self.psg_labels()
        return [
            {
                "series_id": self.series_id,
                "night": label.night,
                "event": event,
                "step": step,
                "timestamp": None if step is None else self.clock.timestamp(step),
            }
            for label in labels
            for event, step in (("onset", label.onset), ("wakeup", label.wakeup))
        ]

    def psg_labels(self) -> list[NightLabel]:
        """Persistent sleep of every time in bed that holds at least 30 minutes of it, numbered.

        Naps and sleep by day count. One that was not recorded whole, or never was persistent, is
        listed without events: nothing is said about it.
        """
        labels = []
        for one in times_in_bed(self.steps):
            if one.last_sleep - one.first_sleep < HALF_HOUR:
                continue
            onset, end = one.persistent or (0, 0)
            if not one.whole or end - onset < HALF_HOUR:
                onset = end = None
            labels.append(NightLabel(len(labels) + 1, onset, end))
        return labels

    def nonwear_rows(self) -> list[dict[str, object]]:
        """Rows of train_nonwear.csv; one row with empty steps where the watch never was off."""
        return self._stretch_rows(~self.steps.worn)

    def awake_rows(self) -> list[dict[str, object]]:
        """Rows of train_awake.csv: awake within the nights of `psg_labels`."""
        nights = np.zeros(len(self.steps.asleep), bool)
        for label in self.psg_labels():
            if label.onset is not None:
                nights[label.onset : label.wakeup] = True
        return self._stretch_rows(nights & ~self.steps.asleep)

    def _stretch_rows(self, which: np.ndarray) -> list[dict[str, object]]:
        """Rows of a file of stretches, where ``which`` [T] is True; without any one row, empty."""
        return [
            {"series_id": self.series_id, "start_step": start, "end_step": end}
            for start, end in true_runs(which).tolist() or [(None, None)]
        ]

    def step_truth(self) -> pl.DataFrame:
        """Rows of truth_steps.parquet: the states of every run of steps."""
        types = {"start_step": pl.UInt32, "end_step": pl.UInt32}
        rows = {"series_id": self.series_id, **self.steps.runs()}
        return pl.DataFrame(rows, schema_overrides=types)

    def bed_rows(self) -> list[dict[str, object]]:
        """Rows of truth_beds.csv: each time in bed as polysomnography would report it."""
        rows = [{"series_id": self.series_id, **asdict(one)} for one in times_in_bed(self.steps)]
        for row in rows:
            row["persistent_onset"], row["persistent_end"] = row.pop("persistent") or (None, None)
        return rows

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


def stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Independent random numbers for one purpose of one participant."""
    return np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, purpose]))
