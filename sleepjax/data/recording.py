"""One validated recording: its record and its signals on the 5-s grid."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from sleepjax.types import SeriesMeta


@dataclass(frozen=True)
class Recording:
    """One validated series of T steps.

    ``frame`` holds ``anglez`` (float32, degrees), ``enmo`` (float32, g), ``clock`` (local wall
    clock, datetime[ms]) and ``valid`` (bool). Where ``valid`` is False the signals hold the mean of
    the training data; the clock is right everywhere.
    """

    meta: SeriesMeta
    frame: pl.DataFrame
