"""Contents of a recording's pictures: signals, local clock, what is known and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sleepjax.data.compact import true_runs
from sleepjax.data.raw import recordings_from_frame
from sleepjax.data.recording import Recording
from sleepjax.tables import as_polars, require_columns
from sleepjax.types import STEPS_PER_HOUR, InputError, SeriesMeta

if TYPE_CHECKING:
    from sleepjax.evaluation.event_ap import Evaluation

HOUR, DAY = 3600, 86_400
MOTIONLESS = 3 * STEPS_PER_HOUR
"""Steps without any movement of the arm after which the watch was probably not worn."""
STILL_DEGREES = 1.0
MIN_SCORE = 0.1
"""Events with a lower score are not drawn."""
SHADES = {
    "nonwear": ("#DDDDDD", "\\\\", "watch not worn"),
    "copied": ("#DDDDDD", "////", "not worn: filled with a copy of another day"),
    "motionless": ("#F0E442", "....", "no movement for 3 h or more: perhaps not worn"),
    "missing": ("white", "xxxx", "nothing measured, or masked"),
}
"""Kind of stretch -> face, hatch, words."""


@dataclass(frozen=True)
class View:
    """A recording of T steps with what is drawn beside its signals."""

    recording: Recording
    truth: pl.DataFrame | None = None
    """event and step of the annotations."""
    found: pl.DataFrame | None = None
    """event, step and score."""
    probabilities: np.ndarray | None = None
    """float32 [T,3]: asleep, onset, wakeup."""
    windows: pl.DataFrame | None = None
    """onset_step, wakeup_step and main of the sleep windows that were chosen."""
    nonwear: np.ndarray | None = None
    """bool [T]: a rule or a model says that the watch was not worn."""

    @property
    def meta(self) -> SeriesMeta:
        """That of the recording."""
        return self.recording.meta

    @property
    def clock(self) -> np.ndarray:
        """That of the recording, int64 [T]."""
        return self.recording.clock

    @cached_property
    def anglez(self) -> np.ndarray:
        """float32 [T], degrees."""
        return self._signal("anglez")

    @cached_property
    def enmo(self) -> np.ndarray:
        """float32 [T], g."""
        return self._signal("enmo")

    def _signal(self, name: str) -> np.ndarray:
        # A store may have been prepared without it; then it is drawn as nothing.
        return np.asarray(self.recording.signals.get(name, np.zeros(self.meta.n_steps, np.float32)))

    @cached_property
    def valid(self) -> np.ndarray:
        """bool [T]: False where nothing was measured."""
        return np.asarray(self.recording.valid)

    @cached_property
    def copied(self) -> np.ndarray:
        """bool [T]: an exact copy of another day stands in for a watch that was not worn."""
        copied = self.recording.copied
        return np.zeros(self.meta.n_steps, bool) if copied is None else np.asarray(copied)

    @cached_property
    def day(self) -> np.ndarray:
        """int64 [T]: local date, days since 1970-01-01; it never decreases."""
        return np.maximum.accumulate(self.clock // DAY)

    @cached_property
    def motionless(self) -> np.ndarray:
        """bool [T]: measured stretches in which the arm did not move for `MOTIONLESS` steps."""
        moved = np.abs(np.diff(self.anglez, prepend=self.anglez[:1])) > STILL_DEGREES
        still = ~moved & self.valid & ~self.copied
        long = np.zeros(len(still), bool)
        for low, high in true_runs(still):
            long[low:high] = high - low >= MOTIONLESS
        return long

    @property
    def stretches(self) -> dict[str, np.ndarray]:
        """Kind of stretch, as in `SHADES` -> bool [T]."""
        kinds = {"copied": self.copied, "motionless": self.motionless, "missing": ~self.valid}
        return kinds if self.nonwear is None else {"nonwear": self.nonwear & self.valid} | kinds

    def spans(self) -> list[tuple[int, int, bool]]:
        """(row of the onset, row of the wakeup, main sleep?) of each sleep window."""
        if self.windows is None:
            return []
        steps = pl.col("onset_step", "wakeup_step") - self.meta.first_step
        return list(self.windows.select(steps, "main").iter_rows())

    def rows(self, events: pl.DataFrame | None, event: str) -> tuple[np.ndarray, np.ndarray]:
        """(rows, scores) of the events of one kind that lie inside; the score of a label is 1."""
        if events is None:
            return np.zeros(0, np.int64), np.zeros(0)
        events = events.filter(pl.col("event") == event, pl.col("step").is_not_null())
        rows = events["step"].to_numpy().astype(np.int64) - self.meta.first_step
        scores = events["score"].to_numpy() if "score" in events.columns else np.ones(len(rows))
        inside = (rows >= 0) & (rows < self.meta.n_steps)
        return rows[inside], scores[inside]


def of_validation(one: Recording, solution: pl.DataFrame, evaluation: Evaluation) -> View:
    """The view of a validation series, with its true events and what was found."""
    series_id = one.meta.series_id
    return View(
        one,
        truth=solution.filter(series_id=series_id),
        found=evaluation.events.filter(series_id=series_id),
        probabilities=evaluation.probabilities[series_id],
    )


def of_frame(
    series: pl.DataFrame, events: pl.DataFrame | None, truth: pl.DataFrame | None, tz: str | None
) -> View:
    """The view of a frame of one series; events without a score are labels.

    Raises InputError for a frame that cannot be used or that holds several series.
    """
    recordings = recordings_from_frame(series, tz=tz)
    if len(recordings) > 1:
        ids = ", ".join(one.meta.series_id for one in recordings[:5])
        raise InputError(
            f"the given frame holds {len(recordings)} series ({ids}"
            f"{', ...' * (len(recordings) > 5)}); choose one: series.filter(series_id=...)."
        )
    (recording,) = recordings
    known = given(events, recording.meta.series_id)
    if truth is not None:
        labels = as_polars(truth, "the given truth").drop("score", strict=False)
        known |= given(labels, recording.meta.series_id)
    return View(recording, **known)


def given(events: pl.DataFrame | None, series_id: str) -> dict[str, Any]:
    """Events of one series as ``{"found": ...}``, or as ``{"truth": ...}`` if they have no score.

    A frame without the column series_id is about this series. Raises InputError for columns that
    are missing.
    """
    if events is None:
        return {}
    events = as_polars(events, "the given events")
    require_columns(events.columns, ("event", "step"), "the given events")
    if "series_id" in events.columns:
        events = events.filter(pl.col("series_id").cast(pl.String) == series_id)
    return {"found" if "score" in events.columns else "truth": events}
