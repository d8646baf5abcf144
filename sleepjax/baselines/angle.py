"""Sleep from the arm's angle by published rules, without training: HDCZA and van Hees 2015.

HDCZA (van Hees 2018, doi:10.1038/s41598-018-31266-z) takes the longest stretch of a noon-to-noon
day in which the arm hardly moves. Van Hees 2015 (doi:10.1371/journal.pone.0142533) calls the time
between two changes of posture sustained inactivity; onset is where the first such bout that touches
HDCZA's stretch begins, wakeup where the last one ends. The constants are those of GGIR, which
defines both today. Periods are half-open [onset, wakeup) in rows of the recording. Time in which
nothing was measured is no rest (GGIR: ``HASPT.ignore.invalid = TRUE``).
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import median_filter

from sleepjax.data.compact import true_runs
from sleepjax.data.rest import stretches
from sleepjax.local_time import local_seconds
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE, SeriesMeta

MEDIAN_STEPS = 5 * STEPS_PER_MINUTE
"""The rolling median looks at the changes inside this many successive steps."""
THRESHOLD_PERCENTILE, THRESHOLD_FACTOR = 10, 15
THRESHOLD_BOUNDS = (0.13, 0.50)
"""Degrees per step."""
SHORTEST_BLOCK = STEPS_PER_HOUR // 2
LONGEST_GAP = STEPS_PER_HOUR
SHORTEST_WINDOW = 60
"""Steps; GGIR leaves out nights that are shorter."""
SHORTEST_BOUT = 5 * STEPS_PER_MINUTE

Periods = Callable[[np.ndarray, SeriesMeta], np.ndarray]
"""(anglez [T] degrees, NaN where nothing was measured, meta) -> periods int64 [N,2], in order,
without overlap."""


def hdcza(anglez: np.ndarray, meta: SeriesMeta) -> np.ndarray:
    """The sleep period time windows of a recording, at most one for each noon-to-noon day.

    Where one ends less than an hour before noon, the day from 18:00 to 18:00 is searched instead,
    if it was recorded to its end and the period found there does end after noon. Sleep that both
    of two days see is given once; a day without any movement, as of a watch on a table, has none.
    """
    clock = local_seconds(meta, np.arange(meta.n_steps))
    evenings = _days(clock, 18)
    periods = []
    for day, (first, last) in _days(clock, 12).items():
        found = _within(anglez, first, last)
        if found and found[1] >= last - STEPS_PER_HOUR:
            first_late, last_late = evenings.get(day, (0, 0))
            late = None
            if last_late < meta.n_steps and last_late - first_late > STEPS_PER_DAY - STEPS_PER_HOUR:
                late = _within(anglez, first_late, last_late)
            found = late if late and late[1] >= last else found
        if found:
            periods.append(found)
    return _apart(periods)


def van_hees_2015(anglez: np.ndarray, meta: SeriesMeta) -> np.ndarray:
    """HDCZA's periods, with the ends of the bouts of sustained inactivity that touch them."""
    bouts = sustained_inactivity(anglez)
    periods = []
    for onset, wakeup in hdcza(anglez, meta):
        inside = bouts[(bouts[:, 0] < wakeup) & (bouts[:, 1] > onset)]
        if len(inside):
            periods.append((int(inside[0, 0]), int(inside[-1, 1])))
    return _apart(periods)


def sustained_inactivity(anglez: np.ndarray) -> np.ndarray:
    """Bouts int64 [N,2] of over five minutes between two changes of posture.

    An angle is compared with the last one measured; more than five minutes without one end a bout.
    A recording with hardly any change has no bout, where GGIR calls it all inactive: there the
    watch was not worn.
    """
    rows, edges = stretches(anglez)
    inner = edges[1:-1]  # the first and the last stretch are not between two changes
    bouts = np.stack([rows[inner[:-1]], rows[inner[1:] - 1] + 1], axis=-1)
    return bouts[bouts[:, 1] - bouts[:, 0] > SHORTEST_BOUT].astype(np.int64)


def longest_rest(anglez: np.ndarray) -> tuple[int, int] | None:
    """HDCZA's period in one window of angles [T], or None.

    Rest is where the five-minute median of the change of angle is below a threshold that follows
    the window's own 10th percentile. Blocks of at most half an hour do not count, gaps under an
    hour between blocks do. Steps that were not measured (NaN) are no rest.
    """
    measured = np.isfinite(anglez)
    if not measured.any():
        return None
    activity = rolling_median(held(anglez))
    threshold = np.clip(
        THRESHOLD_FACTOR * np.percentile(activity[measured], THRESHOLD_PERCENTILE),
        *THRESHOLD_BOUNDS,
    )
    rest = measured & (activity < threshold)
    blocks = true_runs(rest)
    blocks = blocks[blocks[:, 1] - blocks[:, 0] > SHORTEST_BLOCK]
    if len(blocks) == 0:
        return None
    apart = blocks[1:, 0] - blocks[:-1, 1] >= LONGEST_GAP
    starts = blocks[np.append(True, apart), 0]
    stops = blocks[np.append(apart, True), 1]
    best = int(np.argmax(stops - starts))
    return int(starts[best]), int(stops[best])


def held(anglez: np.ndarray) -> np.ndarray:
    """[T] with the last angle measured in place of NaN; before the first one, that one."""
    measured = np.isfinite(anglez)
    last = np.maximum.accumulate(np.where(measured, np.arange(len(anglez)), -1))
    return anglez[np.where(last < 0, np.argmax(measured), last)]


def rolling_median(anglez: np.ndarray) -> np.ndarray:
    """[T] median of the 59 changes inside the 60 steps around each; 0 where they do not fit.

    Step i looks at steps i - 29 to i + 30, as a centred window of even width does in R's zoo.
    """
    result = np.zeros(len(anglez))
    if len(anglez) >= MEDIAN_STEPS:
        half = MEDIAN_STEPS // 2 - 1
        change = np.abs(np.diff(anglez))
        inner = median_filter(change, size=MEDIAN_STEPS - 1)[half : len(change) - half]
        result[half : half + len(inner)] = inner
    return result


def _within(anglez: np.ndarray, first: int, last: int) -> tuple[int, int] | None:
    """`longest_rest` of the rows [first, last) unless that is all that was measured of them."""
    found = longest_rest(anglez[first:last]) if last - first >= SHORTEST_WINDOW else None
    measured = np.flatnonzero(np.isfinite(anglez[first:last]))
    if found is None or found == (measured[0], measured[-1] + 1):
        return None
    return first + found[0], first + found[1]


def _apart(periods: list[tuple[int, int]]) -> np.ndarray:
    """int64 [N,2] of those that do not begin before the one before has ended."""
    kept: list[tuple[int, int]] = []
    for period in periods:
        if not kept or period[0] >= kept[-1][1]:
            kept.append(period)
    return np.array(kept, np.int64).reshape(-1, 2)


def _days(clock: np.ndarray, hour: int) -> dict[int, tuple[int, int]]:
    """Day number -> its rows [first, last); days begin at ``hour`` o'clock of the local clock."""
    day = np.maximum.accumulate(np.floor_divide(clock - hour * 3600, 86_400))
    first = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    last = np.append(first[1:], len(day))
    return {int(day[a]): (int(a), int(b)) for a, b in zip(first, last, strict=True)}
