"""The recording: one type for what was measured, what a model sees of it and what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from sleepjax.data.compact import Array
from sleepjax.data.labels import Labels
from sleepjax.local_time import local_seconds
from sleepjax.types import SeriesMeta

SIGNALS = ("anglez", "enmo")


@dataclass(frozen=True)
class Recording:
    """One validated recording of T steps.

    `data.repair` makes one of a file's rows, `Store.recording` one of what was prepared, whose
    arrays are read where they are sliced. What is found in a recording refers to it.
    """

    meta: SeriesMeta
    valid: Array
    """bool [T]: measured and usable. Elsewhere the signals hold the mean of the training data."""
    signals: Mapping[str, Array] = field(default_factory=dict)
    """``anglez`` (degrees) and ``enmo`` (g), float32 [T]; a store may have been made without."""
    copied: Array | None = None
    """bool [T]: steps filled with a copy of another day, since the watch was not worn; None where
    nobody looked for copies."""
    features: Mapping[str, Array] = field(default_factory=dict)
    """What a model sees, float32 [T] each, in the order of its inputs (`data.features`)."""
    labels: Labels | None = None
    """What the annotations say, where there are any."""

    def with_features(self, more: Mapping[str, Array]) -> Recording:
        """The recording with further features behind its own."""
        return replace(self, features={**self.features, **more})

    @cached_property
    def clock(self) -> np.ndarray:
        """int64 [T]: local clock, seconds since 1970-01-01 00:00 local time; right everywhere."""
        return local_seconds(self.meta, np.arange(self.meta.n_steps))

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The signals, ``clock`` (local, datetime[ms]) and ``valid`` as columns of T rows."""
        columns = {name: np.asarray(values) for name, values in self.signals.items()}
        columns |= {"clock": 1000 * self.clock, "valid": np.asarray(self.valid)}
        return pl.DataFrame(columns).with_columns(pl.col("clock").cast(pl.Datetime("ms")))
