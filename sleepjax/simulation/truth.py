"""The latent truth of a recording: who is asleep, in bed and wearing the watch at every step.

Polysomnography would report, for each time in bed, the first and the last sleep and the beginning
and end of *persistent sleep*: the first and the last ten minutes of which at least 95 % are sleep.
"""

from dataclasses import dataclass

import numpy as np

from sleepjax.data.compact import true_runs
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE

PERSISTENT_STEPS = 10 * STEPS_PER_MINUTE
PERSISTENT_SHARE = 0.95
OUT_OF_BED = STEPS_PER_HOUR
"""Steps out of bed up to which the time in bed before and after is one."""


@dataclass(frozen=True)
class StepTruth:
    """What is true at each of T steps; three bool arrays [T]."""

    asleep: np.ndarray
    """Asleep as an electroencephalogram would show it."""
    in_bed: np.ndarray
    """Lying down in order to sleep, asleep or not."""
    worn: np.ndarray
    """The watch is on the wrist."""

    def runs(self) -> dict[str, np.ndarray]:
        """Run-length form: ``start_step``, ``end_step`` and the three states of each run [R]."""
        states = np.stack([self.asleep, self.in_bed, self.worn])
        changes = np.flatnonzero((states[:, 1:] != states[:, :-1]).any(axis=0)) + 1
        starts = np.concatenate([[0], changes])
        ends = np.append(changes, states.shape[1])
        asleep, in_bed, worn = states[:, starts]
        return dict(start_step=starts, end_step=ends, asleep=asleep, in_bed=in_bed, worn=worn)


@dataclass(frozen=True)
class TimeInBed:
    """One time in bed as polysomnography would report it; half-open ranges of rows."""

    bed: int
    rise: int
    first_sleep: int
    last_sleep: int
    """Row after the last sleep."""
    persistent: tuple[int, int] | None
    """Beginning and end of persistent sleep; None where ten minutes of it never came together."""
    whole: bool
    """The watch was worn from the first to the last sleep, and both lie inside the recording."""


def persistent_sleep(asleep: np.ndarray) -> tuple[int, int] | None:
    """[start, end) of persistent sleep in bool [T], from the first to the last step of sleep in it.

    It begins with the first and ends with the last ten minutes of which 95 % are sleep.
    """
    total = np.concatenate([[0], np.cumsum(asleep)])
    enough = PERSISTENT_SHARE * PERSISTENT_STEPS
    first = np.flatnonzero(total[PERSISTENT_STEPS:] - total[:-PERSISTENT_STEPS] >= enough)
    if len(first) == 0:
        return None
    start, end = int(first[0]), int(first[-1]) + PERSISTENT_STEPS
    sleep = np.flatnonzero(asleep[start:end])
    return start + int(sleep[0]), start + int(sleep[-1]) + 1


def times_in_bed(truth: StepTruth) -> list[TimeInBed]:
    """Every time in bed that holds sleep, up to an hour out of bed included."""
    beds: list[tuple[int, int]] = []
    for start, end in true_runs(truth.in_bed).tolist():
        if beds and start - beds[-1][1] <= OUT_OF_BED:
            beds[-1] = (beds[-1][0], end)
        else:
            beds.append((start, end))
    found = []
    for bed, rise in beds:
        asleep = truth.asleep[bed:rise]
        rows = np.flatnonzero(asleep)
        if len(rows) == 0:
            continue
        first, last = bed + int(rows[0]), bed + int(rows[-1]) + 1
        span = persistent_sleep(asleep)
        inside = 0 < first and last < len(truth.asleep)
        found.append(
            TimeInBed(
                bed,
                rise,
                first,
                last,
                None if span is None else (bed + span[0], bed + span[1]),
                inside and bool(truth.worn[first:last].all()),
            )
        )
    return found
