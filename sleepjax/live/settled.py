"""Events and sleep windows of a stream that are final: decoded as offline, and returned once.

Both are decoded from the final probabilities of the last days. An event is returned when the day
that its score is shared with has ended; a sleep window a day after it ended, when nothing that
comes later is near enough to change it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from sleepjax import postprocess
from sleepjax.data.recording import Recording
from sleepjax.local_time import local_seconds
from sleepjax.postprocess.decode import SCHEMA as EVENTS
from sleepjax.runs.validation import Curves
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE, InputError

KEPT = 8 * STEPS_PER_DAY
"""Steps of probabilities that are kept: what an event or a window may depend on."""
SURROUNDINGS = 3 * STEPS_PER_HOUR
"""Steps after the end of a day that its events may depend on."""
AFTER_WINDOW = STEPS_PER_DAY
"""Steps after a sleep window that it may depend on."""
EVERY = 3 * STEPS_PER_HOUR
"""Steps from one look for final ones to the next."""
MINUTE = STEPS_PER_MINUTE
"""Sleep windows are chosen by the minute, counted from the beginning of the stream."""
_DAY = 86_400


@dataclass(frozen=True)
class Given:
    """What has been returned, in rows of the stream."""

    events_to: int = 0
    """Events before this row."""
    windows_to: int = 0
    """Sleep windows that ended before this row."""
    onset_seen: bool = False
    """Whether there was an onset among the events."""


def check(post: Mapping[str, Any]) -> None:
    """Raise InputError for settings of post-processing that need the whole recording."""
    if post.get("pair"):
        raise InputError(
            "post.pair chooses among the events of the whole recording, which a stream does not "
            'have; load the model with post={..., "pair": False}.'
        )
    if post.get("more"):
        raise InputError(
            f"post.more={tuple(post['more'])} may look at the whole recording, which a stream does "
            'not have; load the model with post={..., "more": ()}.'
        )


def events(
    given: Given, recording: Recording, probs: np.ndarray, post: Mapping[str, Any]
) -> tuple[Given, pl.DataFrame]:
    """The events that are final by now and were not returned before.

    ``recording`` holds the rows whose probabilities ``probs`` float32 [T,K] are final.
    """
    meta = recording.meta
    low, high = given.events_to - meta.first_step, meta.n_steps - SURROUNDINGS
    if high <= low:
        return given, no_events()
    clock = local_seconds(meta, np.arange(low, high)) - round(post.get("day_cut_hour", 17) * 3600)
    ended = np.flatnonzero(clock // _DAY != clock[-1] // _DAY)
    if not len(ended):
        return given, no_events()
    end = given.events_to + int(ended[-1]) + 1
    part = {"onset_before": given.onset_seen, "rows_after": True}
    found = Curves(recording, probs).events({**post, **part})
    found = postprocess.with_timestamps(found, meta)
    found = found.filter(pl.col("step").is_between(given.events_to, end, closed="left"))
    seen = given.onset_seen or bool((found["event"] == "onset").any())
    return replace(given, events_to=end, onset_seen=seen), found


def windows(
    given: Given, recording: Recording, probs: np.ndarray, spread: float
) -> tuple[Given, pl.DataFrame]:
    """The sleep windows that are final by now and were not returned before; see `events`.

    ``main`` is judged by the windows of the kept days.
    """
    meta = recording.meta
    found = Curves(recording, probs).windows(spread)
    ended = pl.col("wakeup_step") <= meta.first_step + meta.n_steps - AFTER_WINDOW
    found = found.filter(ended, pl.col("onset_step") >= given.windows_to)
    if len(found):
        given = replace(given, windows_to=int(found["wakeup_step"][-1]))
    return given, found


def no_events() -> pl.DataFrame:
    """No event, with the columns."""
    return pl.DataFrame(schema=EVENTS | {"timestamp": pl.String})
