"""The annotation rules of the data's owners, and the annotator who applies them with errors.

A sleep window lasts at least 30 minutes, may be interrupted by at most 30 minutes at a time, needs
the watch to be worn throughout, and only the longest window of a night is recorded.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from sleepjax.data.compact import true_runs
from sleepjax.simulation.behaviour import Behaviour, Night
from sleepjax.simulation.recording_clock import DAY, Clock
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE

HALF_HOUR = 30 * STEPS_PER_MINUTE

MINUTE_COUNTS = {
    "onset": (707, 219, 10, 675, 11, 359, 266, 844, 169, 234, 19, 667, 7, 345, 259),
    "wakeup": (751, 21, 298, 723, 151, 13, 326, 747, 141, 10, 330, 755, 176, 21, 331),
}
"""How often the competition's events fall on each minute of a quarter hour."""


@dataclass(frozen=True)
class Window:
    """A sleep window of night ``night`` (1 is the first evening), in rows."""

    night: int
    onset: int
    wakeup: int


@dataclass(frozen=True)
class NightLabel:
    """One listed night; None where the annotator gave no event."""

    night: int
    onset: int | None
    wakeup: int | None


def sleep_windows(asleep: np.ndarray, clock: Clock, by_day: bool = False) -> list[Window]:
    """Every window of at least half an hour of sleep, shorter interruptions included.

    ``asleep`` is bool [T]. A window belongs to the night, noon to noon, of its middle; one that
    does not reach half an hour into 19:00-10:00 belongs to none, unless sleep ``by_day`` counts.
    """
    starts, ends = true_runs(asleep).T
    if len(starts) == 0:
        return []
    joined = starts[1:] - ends[:-1] <= HALF_HOUR
    starts = starts[np.concatenate([[True], ~joined])]
    ends = ends[np.concatenate([~joined, [True]])]
    keep = ends - starts >= HALF_HOUR
    local = clock.local_seconds()
    windows = []
    for start, end in zip(starts[keep].tolist(), ends[keep].tolist(), strict=True):
        middle = int(local[(start + end) // 2]) - clock.midnight
        night = (middle - DAY // 2) // DAY + 1
        evening = clock.midnight + (night - 1) * DAY + 19 * 3600
        first, last = clock.rows_at(np.array([evening, evening + 15 * 3600]))
        at_night = min(end, last) - max(start, first) >= HALF_HOUR
        if night >= 1 and (by_day or at_night):
            windows.append(Window(night, start, end))
    return windows


def longest_per_night(windows: list[Window]) -> list[Window]:
    """The longest window of each night, the earlier one of two equal."""
    best: dict[int, Window] = {}
    for window in windows:
        other = best.setdefault(window.night, window)
        if window.wakeup - window.onset > other.wakeup - other.onset:
            best[window.night] = window
    return [best[night] for night in sorted(best)]


def true_windows(windows: list[Window], worn: np.ndarray) -> list[Window]:
    """The longest window of each night, where it was recorded whole.

    A night whose longest window is cut by non-wear or by an end of the recording has none: what
    is left of it, or a shorter window beside it, would misstate the night. ``worn`` is bool [T].
    """
    return [
        window
        for window in longest_per_night(windows)
        if 0 < window.onset and window.wakeup < len(worn)
        if worn[window.onset : window.wakeup].all()
    ]


def annotate(
    rng: np.random.Generator,
    behaviour: Behaviour,
    windows: list[Window],
    truth: list[Window],
    clock: Clock,
) -> list[NightLabel]:
    """What the annotator writes down, one entry per listed night.

    ``windows`` are all of the recording, ``truth`` those the rules choose.
    """
    chosen = {window.night: window for window in truth}
    labels = []
    for night in range(1, _listed_nights(rng, clock, chosen) + 1):
        window = chosen.get(night)
        if window is None or rng.random() < 0.020:  # no valid window, or overlooked
            labels.append(NightLabel(night, None, None))
            continue
        rivals = [w for w in windows if w.night == night]
        if len(rivals) > 1 and rng.random() < 0.20:
            window = _misjudged(rng, rivals)
        nearest = _night_of(behaviour, window)
        onset = _perceived(rng, "onset", window.onset, _onset_rivals(nearest, window))
        wakeup = _perceived(rng, "wakeup", window.wakeup, _wakeup_rivals(nearest, window))
        onset, wakeup = _on_minute(rng, onset, "onset"), _on_minute(rng, wakeup, "wakeup")
        labels.append(_legal(rng, NightLabel(night, onset, wakeup), clock.n_steps))
    return labels


def _listed_nights(rng, clock: Clock, chosen: dict[int, Window]) -> int:
    """Nights with a row in the events: those recorded until 04:00; some lists stop early."""
    end = int(clock.local_seconds()[-1]) - clock.midnight
    listed = max((end - 28 * 3600) // DAY + 1, 1)
    last = max(chosen, default=0)
    if rng.random() < 0.2:
        listed -= int(rng.integers(1, 6))
    return max(listed, last, 1)


def _night_of(behaviour: Behaviour, window: Window) -> Night:
    return min(behaviour.nights, key=lambda night: abs(night.onset - window.onset))


def _misjudged(rng: np.random.Generator, rivals: list[Window]) -> Window:
    """A split night read as one window, or the wrong part of it taken."""
    if rng.random() < 0.6:
        return Window(rivals[0].night, rivals[0].onset, rivals[-1].wakeup)
    return rivals[int(rng.integers(len(rivals)))]


def _onset_rivals(night: Night, window: Window) -> list[int]:
    """Other moments that look like the onset: lying down, the end of an early awakening."""
    early = [end for _, end in night.awakenings if 0 < end - window.onset < 1.5 * STEPS_PER_HOUR]
    return [row for row in (night.bed, *early) if abs(row - window.onset) < 3 * STEPS_PER_HOUR]


def _wakeup_rivals(night: Night, window: Window) -> list[int]:
    late = [s for s, _ in night.awakenings if 0 < window.wakeup - s < 1.5 * STEPS_PER_HOUR]
    return [row for row in (night.rise, *late) if abs(row - window.wakeup) < 3 * STEPS_PER_HOUR]


ERROR_MINUTES = (0.08, 2.7, 8.0, 40.0)
ERROR_SHARES = {"onset": (0.81, 0.15, 0.032, 0.008), "wakeup": (0.785, 0.175, 0.032, 0.008)}
"""The annotator's error is a mixture of Laplace distributions of these scales."""


def _perceived(rng: np.random.Generator, event: str, row: int, rivals: list[int]) -> float:
    """Where the annotator sees the event: mostly at it, sometimes off, sometimes at a rival."""
    if rivals and rng.random() < 0.04:
        return float(rivals[int(rng.integers(len(rivals)))])
    scale = rng.choice(ERROR_MINUTES, p=ERROR_SHARES[event])
    return row + rng.laplace(0, scale) * STEPS_PER_MINUTE


_REACH = np.arange(-3, 5)
_KERNEL = lambda distance: np.exp(-((np.abs(distance) / 0.9) ** 3))


@cache
def minute_preference(event: str) -> np.ndarray:
    """Weights [15] that make events which are uniform in time land on MINUTE_COUNTS.

    The annotator picks minute m near the perceived time t with probability proportional to
    weight[m % 15] * kernel(m - t); the weights solve for the published shares.
    """
    target = np.array(MINUTE_COUNTS[event], dtype=float)
    target /= target.sum()
    times = (np.arange(15 * 20) + 0.5) / 20
    minutes = np.floor(times)[:, None].astype(int) + _REACH
    kernel = _KERNEL(minutes - times[:, None])
    weight = target.copy()
    for _ in range(300):
        chance = kernel * weight[minutes % 15]
        chance /= chance.sum(axis=1, keepdims=True)
        share = np.bincount((minutes % 15).ravel(), chance.ravel(), 15) / len(times)
        weight *= (target / share) ** 0.5
    return weight / weight.sum()


def _on_minute(rng: np.random.Generator, row: float, event: str) -> int:
    """Row of the whole minute written down for an event perceived at ``row``."""
    # Recordings start on a quarter hour, so row 0 is minute 0 of one, whatever the offset.
    time = row / STEPS_PER_MINUTE
    minutes = int(np.floor(time)) + _REACH
    chance = minute_preference(event)[minutes % 15] * _KERNEL(minutes - time)
    pick = np.searchsorted(np.cumsum(chance), rng.random() * chance.sum())
    return int(minutes[min(pick, len(minutes) - 1)]) * STEPS_PER_MINUTE


def _legal(rng: np.random.Generator, label: NightLabel, n_steps: int) -> NightLabel:
    """Keep events inside the recording and in order; one in a thousand nights lacks one of them."""
    assert label.onset is not None and label.wakeup is not None
    last = (n_steps - 1) // STEPS_PER_MINUTE * STEPS_PER_MINUTE
    onset, wakeup = max(label.onset, 0), min(label.wakeup, last)
    if not HALF_HOUR <= wakeup - onset <= STEPS_PER_DAY:
        return NightLabel(label.night, None, None)
    if rng.random() < 0.001:
        kept = (onset, None) if rng.random() < 0.5 else (None, wakeup)
        return NightLabel(label.night, *kept)
    return NightLabel(label.night, onset, wakeup)
