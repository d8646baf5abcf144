"""Definitions that all of sleepjax shares: units, class order, records, errors that end a command.

Shape letters used in every docstring: B batch, T steps, F features, C channels, K classes,
H height, N events; T' = T / downsample label frames. Channels come last. A *step* is 5 seconds;
a *frame* is ``downsample`` steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

STEP_SECONDS = 5
STEPS_PER_MINUTE = 60 // STEP_SECONDS
STEPS_PER_HOUR = 60 * STEPS_PER_MINUTE
STEPS_PER_DAY = 24 * STEPS_PER_HOUR

EVENTS = ("onset", "wakeup")
CLASSES = ("asleep", *EVENTS)
WORN = "worn"
"""The output after the classes, of models that are trained to tell whether the watch is worn."""

TOLERANCES = (12, 36, 60, 90, 120, 150, 180, 240, 300, 360)
"""Error bounds of the metric in steps: 1, 3, 5, 7.5, 10, 12.5, 15, 20, 25 and 30 minutes."""


class InputError(ValueError):
    """Something the user gave cannot be used. The text names the place, value, bound and remedy."""


class DivergedError(ArithmeticError):
    """A training has no sound weights to go on with; the text names the steps and a remedy."""


@dataclass(frozen=True)
class SeriesMeta:
    """What is known of one recording besides its samples.

    Row ``i`` of the recording is at UTC second ``start + 5 * i``, is called ``first_step + i`` in
    the user's files, and its local clock is UTC plus the offset of the last entry of ``offsets``
    whose row is not after ``i``.
    """

    series_id: str
    n_steps: int
    first_step: int
    start: int
    """Seconds since 1970-01-01 UTC of row 0."""
    offsets: tuple[tuple[int, int], ...]
    """(first row, local minus UTC in seconds); more than one entry where the clock changes."""
    qc: dict[str, int | float]
    """Counts of what was repaired or masked, such as ``n_nonfinite`` and ``n_gap_steps``."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> SeriesMeta:
        """That of a JSON object which has its fields; others are left."""
        own: dict[str, Any] = {field.name: values[field.name] for field in fields(cls)}
        own["offsets"] = tuple(map(tuple, own["offsets"]))
        return cls(**own)
