"""The table of recordings: what one recording says of its person's days, and of its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from sleepjax.local_time import timestamps
from sleepjax.nights.columns import checked
from sleepjax.nights.people_columns import RECORDINGS
from sleepjax.nights.regularity import regularity
from sleepjax.nights.rhythm import hourly, rhythm
from sleepjax.nights.scoring import Scored
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR


def recordings_table(scored: Scored, *, quality: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """One row about one recording; the arguments are those of `nights_table`."""
    recording, wear, quality = scored.recording, scored.wear, quality or {}
    meta = recording.meta
    begin, end = timestamps(meta, np.array([0, meta.n_steps]))
    row = {
        "series_id": meta.series_id,
        "person": meta.series_id,
        "begin": begin,
        "end": end,
        "days": meta.n_steps / STEPS_PER_DAY,
        "recorded_h": int(wear.measured.sum()) / STEPS_PER_HOUR,
        "gap_h": int((~wear.measured).sum()) / STEPS_PER_HOUR,
        "worn_h": int(wear.worn.sum()) / STEPS_PER_HOUR,
        "clock_changes": len(meta.offsets) - 1,
        "format": quality.get("format"),
        "device": quality.get("device"),
        "reasons": "",
    }
    row |= regularity(recording, scored.state) | rhythm(*hourly(recording, wear.worn))
    return checked([row], RECORDINGS)
