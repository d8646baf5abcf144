"""Slow, obvious labels: one step at a time."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from sleepjax.data.labels import FAR, Labels


def dense(labels: Labels | None) -> Any:
    """The labels as NumPy arrays over all steps."""
    assert labels is not None
    arrays = {name: getattr(labels, name) for name in ("asleep", "distance", "known", "worn")}
    whole = {name: None if value is None else np.asarray(value) for name, value in arrays.items()}
    return SimpleNamespace(**whole, nights=labels.nights)


def distance_by_step(events, n_steps):
    """Step minus its nearest event; the earlier event at equal distance."""
    result = []
    for step in range(n_steps):
        best = FAR
        for event in sorted(events):
            if abs(step - event) < abs(best):
                best = step - event
        result.append(best)
    return result


def asleep_by_step(nights, n_steps):
    return [any(onset <= t < wakeup for onset, wakeup in nights) for t in range(n_steps)]


def events_frame(nights):
    """Of the series "a": {night: (onset, wakeup)}, None where unlabelled."""
    rows = [
        ("a", number, event, step)
        for number, pair in nights.items()
        for event, step in zip(("onset", "wakeup"), pair, strict=True)
    ]
    schema = {"series_id": pl.String, "night": pl.Int64, "event": pl.String, "step": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
