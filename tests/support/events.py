"""Events of a recording of 2,400 steps, and their place in it."""

import polars as pl

from sleepjax.data import events, raw
from tests.reference.series import nights, rows

GOOD = nights("a1", [(120, 600), (None, None), (1200, 1800)])


def metas(*frames):
    found = raw.recordings_from_frame(pl.concat(frames or [rows(2400)]))
    return {recording.meta.series_id: recording.meta for recording in found}


def locate(frame, known=None, **kwargs):
    if "line" not in frame.columns:
        frame = frame.with_row_index("line", offset=2)
    return events.locate_events(frame, known or metas(), source="train_events.csv", **kwargs)
