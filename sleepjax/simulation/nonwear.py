"""Non-wear: stretches without the watch, copies of other days, and population ``competition``."""

from dataclasses import dataclass

import numpy as np

from sleepjax.simulation.behaviour import HOUR, MINUTE, Night
from sleepjax.simulation.participant import Participant
from sleepjax.simulation.recording_clock import QUARTER_HOUR, Clock
from sleepjax.types import STEPS_PER_DAY


@dataclass(frozen=True)
class Unworn:
    """Rows [start, end) without the watch, and where it is: "table", "bag", "charger", "copy"."""

    start: int
    end: int
    place: str


def draw_nonwear(rng, person: Participant, clock: Clock, nights: tuple[Night, ...]):
    """Sorted (first row, end row) of non-wear on whole quarter hours, within the recording."""
    spans: list[tuple[float, float]] = []
    for night in nights:
        # Diligence wears off: most nights without the watch lie in the second half.
        if rng.random() < person.night_off * (0.3 + 1.4 * night.bed / clock.n_steps):
            spans.append(_night_span(rng, night))
        if rng.random() < person.day_off:
            start = night.rise + rng.uniform(0.5, 12) * HOUR
            spans.append((start, start + rng.uniform(1.0, 3.0) * HOUR))
    for _ in range(rng.poisson(person.gaps * clock.n_steps / (30 * STEPS_PER_DAY))):
        start = rng.uniform(0, clock.n_steps)
        spans.append((start, start + rng.lognormal(np.log(1.8), 0.7) * STEPS_PER_DAY))
    if person.worn_share < 1:
        first = max(person.worn_share * clock.n_steps, rng.uniform(0.05, 0.3) * STEPS_PER_DAY)
        spans.append((first, clock.n_steps))
    copies = [(start, end, "copy") for start, end in spans]
    return [(span.start, span.end) for span in merged(copies, clock.n_steps, copied=True)]


def _night_span(rng: np.random.Generator, night: Night) -> tuple[float, float]:
    """The watch left off overnight, or taken off for a part of the night."""
    if rng.random() < 0.7:
        return night.bed - rng.uniform(0, 2.0) * HOUR, night.rise + rng.uniform(0, 2.0) * HOUR
    start = rng.uniform(night.onset - HOUR, night.wakeup - HOUR)
    return start, start + rng.uniform(1.25, 4.0) * HOUR


def merged(spans: list[tuple[float, float, str]], n_steps: int, copied: bool) -> list[Unworn]:
    """Sorted, cut to the recording, joined where they overlap; copies on quarter hours."""
    result: list[Unworn] = []
    for start, end, place in sorted(spans):
        if copied:
            start, end = (round(row / QUARTER_HOUR) * QUARTER_HOUR for row in (start, end))
        first, last = max(0, int(start)), min(n_steps, int(end))
        if last - first < MINUTE:
            continue
        if result and first <= result[-1].end:
            before = result.pop()
            first, last, place = before.start, max(before.end, last), before.place
        result.append(Unworn(first, last, "copy" if copied else place))
    return result


def fill_with_copies(rng, arrays: tuple[np.ndarray, ...], spans: list[tuple[int, int]]) -> None:
    """Overwrite each stretch, in place, with the same clock time of another day.

    The other day mostly is the day before, now and then an earlier one; a stretch longer than a
    day repeats it. On the first day the copy comes from the day after, and a stretch that covers
    both keeps its first day, which stands for a day taken from elsewhere, and repeats that.
    """
    day = STEPS_PER_DAY
    n_steps = len(arrays[0])
    for start, end in spans:
        lag = day * (1 if rng.random() < 0.85 else int(rng.integers(2, 5)))
        lag = day if lag > start else lag
        for values in arrays:
            if start < day and end + day <= n_steps and end - start <= day:
                values[start:end] = values[start + day : end + day]
                continue
            if start >= day:
                stop = min(start + day, end)
                values[start:stop] = values[start - lag : stop - lag]
            for row in range(start + day, end, day):
                stop = min(row + day, end)
                values[row:stop] = values[row - day : stop - day]
