"""Sleep times of a person of the population ``world``: main sleep, shifts, siestas and naps."""

from dataclasses import dataclass

import numpy as np

from sleepjax.simulation.people import Person
from sleepjax.simulation.recording_clock import DAY, Clock

Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Sleep:
    """One sleep in rows, which may lie outside the recording."""

    onset: int
    wakeup: int
    nap: bool


def draw_sleeps(rng: np.random.Generator, person: Person, clock: Clock) -> list[Sleep]:
    """Every sleep that can touch the recording, in order, at least 40 minutes apart."""
    n_days = clock.n_steps * 5 // DAY + 3
    phase = int(rng.integers(7))
    spans: list[tuple[float, float, bool]] = []
    for day in range(-1, n_days - 1):
        main = SCHEDULES[person.schedule](rng, person, day, phase)
        spans += [(24 * day + start, 24 * day + end, False) for start, end in main]
        if rng.random() < person.traits.nap:
            start = rng.normal(14.5, 2.0)
            length = min(rng.lognormal(np.log(0.9), 0.6), 3.0)
            spans.append((24 * day + start, 24 * day + start + length, True))
    sleeps: list[Sleep] = []
    end_before = -np.inf
    for start, end, nap in sorted(spans):
        start = max(start, end_before + 2 / 3)
        if end - start < 0.2:
            continue
        rows = clock.rows_at(clock.midnight + np.array([start, end]) * 3600)
        sleeps.append(Sleep(int(rows[0]), int(rows[1]), nap))
        end_before = end
    return sleeps


def _night(rng, person: Person, day: int, shift: float = 0.0) -> tuple[float, float]:
    """One night in hours after midnight of ``day``, ``shift`` hours from the usual one."""
    traits = person.traits
    free = float((day % 7) in (4, 5))
    spread = np.sqrt(3 / rng.chisquare(3, 2)).clip(max=3.0)  # a few nights are far off
    noise = rng.normal(size=2) * spread
    start = traits.onset_clock + shift + free * traits.weekend_onset + traits.onset_sd * noise[0]
    end = traits.onset_clock + shift + person.hours + free * traits.weekend_wake
    end += traits.wake_sd * (0.35 * noise[0] + 0.94 * noise[1])
    return start, float(np.clip(end, start + 2.0, start + 13.0))


def _regular(rng, person: Person, day: int, phase: int) -> Spans:
    return [_night(rng, person, day)]


def _rotating(rng, person: Person, day: int, phase: int) -> Spans:
    """Three or four nights of work in eight days, the sleep after them by day, and shorter."""
    if (day + phase) % 8 >= 4:
        return [_night(rng, person, day)]
    start = 24 + rng.normal(8.3, 0.8)
    spans = [(start, start + max(2.0, rng.normal(0.75, 0.12) * person.hours))]
    if rng.random() < 0.3:  # before the shift
        begin = rng.normal(18.5, 0.7)
        spans.append((begin, begin + rng.uniform(0.7, 2.5)))
    return spans


def _night_shift(rng, person: Person, day: int, phase: int) -> Spans:
    """Sleep by day all the year round."""
    return [_night(rng, person, day, 33.0 - person.traits.onset_clock + 0.3 * phase)]


def _siesta(rng, person: Person, day: int, phase: int) -> Spans:
    """A short night, and one to three hours in the afternoon."""
    start, end = _night(rng, person, day)
    begin = rng.normal(15.0, 0.8)
    return [(begin, begin + rng.uniform(0.8, 3.0)), (start + 0.8, max(start + 3.0, end - 1.2))]


def _polyphasic(rng, person: Person, day: int, phase: int) -> Spans:
    """Three to five sleeps of one to three hours, at any time."""
    count = int(rng.integers(3, 6))
    starts = np.sort(rng.uniform(6, 30, count))
    return [(float(s), float(s + rng.uniform(0.7, 1.3) * person.hours / count)) for s in starts]


def _free_running(rng, person: Person, day: int, phase: int) -> Spans:
    """A day that is longer than 24 hours by 20 to 70 minutes."""
    return [_night(rng, person, day, (0.35 + 0.12 * phase) * day % 24)]


SCHEDULES = {
    "regular": _regular,
    "irregular": _regular,
    "rotating": _rotating,
    "night_shift": _night_shift,
    "siesta": _siesta,
    "polyphasic": _polyphasic,
    "free_running": _free_running,
}
"""(rng, person, day, phase 0-6) -> main sleeps in hours after midnight of that day."""
