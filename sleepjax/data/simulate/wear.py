"""Taking the watch off: the stretches of non-wear, and their filling with copies of other days."""

from __future__ import annotations

import numpy as np

from sleepjax.data.simulate.clock import QUARTER_HOUR, Clock
from sleepjax.data.simulate.nights import HOUR, Night
from sleepjax.data.simulate.participant import Participant
from sleepjax.types import STEPS_PER_DAY


def draw_nonwear(rng, person: Participant, clock: Clock, nights: tuple[Night, ...]):
    """Sorted (first row, end row) of non-wear on whole quarter hours, within the recording."""
    spans: list[tuple[float, float]] = []
    for night in nights:
        if rng.random() < person.night_off:
            before, after = rng.uniform(0.1, 3.0, 2) * HOUR
            spans.append((night.bed - before, night.rise + after))
        if rng.random() < person.day_off:
            start = night.rise + rng.uniform(0.5, 12) * HOUR
            spans.append((start, start + rng.uniform(1.0, 4.0) * HOUR))
    for _ in range(rng.poisson(person.gaps * clock.n_steps / (30 * STEPS_PER_DAY))):
        start = rng.uniform(0, clock.n_steps)
        spans.append((start, start + rng.lognormal(np.log(1.8), 0.7) * STEPS_PER_DAY))
    if person.worn_share < 1:
        first = max(person.worn_share * clock.n_steps, rng.uniform(0.05, 0.4) * STEPS_PER_DAY)
        spans.append((first, clock.n_steps))
    return _merged(spans, clock.n_steps)


def _merged(spans: list[tuple[float, float]], n_steps: int) -> list[tuple[int, int]]:
    """Round to quarter hours, cut to the recording, join what overlaps."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        first = max(0, round(start / QUARTER_HOUR) * QUARTER_HOUR)
        last = min(n_steps, round(end / QUARTER_HOUR) * QUARTER_HOUR)
        if last <= first:
            continue
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def fill_with_copies(rng, arrays: tuple[np.ndarray, ...], spans: list[tuple[int, int]]) -> None:
    """Overwrite each stretch, in place, with the same clock time of another day.

    Most copies come from the day before; a stretch longer than that repeats it. A stretch that
    begins on the first day takes the days after it.
    """
    n_steps = len(arrays[0])
    for start, end in spans:
        lag = STEPS_PER_DAY * (1 if rng.random() < 0.9 else int(rng.integers(2, 5)))
        if lag > start:
            lag = STEPS_PER_DAY
        for values in arrays:
            if start >= lag:
                _repeat_forwards(values, start, end, lag)
            elif end + lag <= n_steps:
                values[start:end] = values[start + lag : end + lag]
            elif start > 0:  # not a day of wear at all: repeat what there is
                _repeat_forwards(values, start, end, start)


def _repeat_forwards(values: np.ndarray, start: int, end: int, lag: int) -> None:
    """values[t] = values[t - lag] for t in [start, end), taken in order."""
    for row in range(start, end, lag):
        stop = min(row + lag, end)
        values[row:stop] = values[row - lag : stop - lag]
