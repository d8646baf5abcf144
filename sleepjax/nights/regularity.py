"""Sleep regularity: how alike the sleep of one day and the next is, from -100 to 100.

The sleep regularity index of Phillips 2017 (doi:10.1038/s41598-017-03171-4) is -100 + 200 times the
share of pairs of 30-second epochs, 24 hours apart, that are both asleep or both awake. 100: sleep
at the same times every day; 0: sleep at random. Pairs with an unknown epoch are left out.
"""

import numpy as np

from sleepjax.data.recording import Recording
from sleepjax.local_time import local_seconds
from sleepjax.nights.scoring import ASLEEP, UNKNOWN
from sleepjax.types import STEP_SECONDS, SeriesMeta

EPOCH_SECONDS = 30
EPOCH = EPOCH_SECONDS // STEP_SECONDS
"""Steps."""
DAY = 86_400
PER_DAY = DAY // EPOCH_SECONDS
MIN_PAIRS = PER_DAY
"""The index of less than 24 hours of pairs says nothing."""
MIN_DAY_SHARE = 2 / 3
"""Share of a pair of days that must be known for it to count."""


def epochs(state: np.ndarray, meta: SeriesMeta) -> tuple[np.ndarray, np.ndarray]:
    """(state of each 30-second epoch int8 [E], row of its first step), from states [T].

    Epochs begin at whole half minutes of UTC. One is unknown if any of its six steps is, and
    asleep if more than half of them are; the incomplete ones at both ends are left out.
    """
    first = -(meta.start // STEP_SECONDS) % EPOCH
    n = max(0, (len(state) - first) // EPOCH)
    steps = state[first : first + n * EPOCH].reshape(n, EPOCH)
    asleep = (steps == ASLEEP).sum(axis=1) > EPOCH / 2
    known = (steps != UNKNOWN).all(axis=1)
    return np.where(known, asleep, UNKNOWN).astype(np.int8), first + EPOCH * np.arange(n)


def index(same: int, pairs: int) -> float | None:
    """The index of that many like pairs out of all; None where there is none."""
    return -100 + 200 * same / pairs if pairs else None


def phillips(epoch: np.ndarray) -> tuple[float | None, int]:
    """(index over a whole recording, pairs) from the states of its epochs int8 [E].

    The two epochs of a pair are 24 hours of elapsed time apart, across changes of the clock too.
    """
    before, after = epoch[:-PER_DAY], epoch[PER_DAY:]
    known = (before != UNKNOWN) & (after != UNKNOWN)
    pairs, same = int(known.sum()), int((known & (before == after)).sum())
    return (index(same, pairs) if pairs >= MIN_PAIRS else None), pairs


def day_pairs(epoch: np.ndarray, clock: np.ndarray) -> list[tuple[float, float]]:
    """(index, share of the day that was known) of each pair of successive calendar days.

    From the states int8 [E] and the local seconds int64 [E] of epochs.
    As in GGIR's CalcSleepRegularityIndex: a local date is compared with the next one at the same
    clock time. Times that a date does not have are unknown; of an hour that comes twice the first
    pass counts. (GGIR compares the two passes with neighbouring times.)
    """
    if not len(epoch):
        return []
    days = clock // DAY - clock.min() // DAY
    table = np.full((int(days.max()) + 1) * PER_DAY, UNKNOWN, np.int8)
    place, first = np.unique(days * PER_DAY + clock % DAY // EPOCH_SECONDS, return_index=True)
    table[place] = epoch[first]
    table = table.reshape(-1, PER_DAY)
    results = []
    for before, after in zip(table[:-1], table[1:], strict=True):
        known = (before != UNKNOWN) & (after != UNKNOWN)
        value = index(int((known & (before == after)).sum()), int(known.sum()))
        if value is not None:
            results.append((value, float(known.mean())))
    return results


def regularity(recording: Recording, state: np.ndarray) -> dict[str, float | int | None]:
    """Columns of a recording from the states [T] of its steps."""
    epoch, row = epochs(state, recording.meta)
    value, pairs = phillips(epoch)
    whole = [
        of_day
        for of_day, share in day_pairs(epoch, local_seconds(recording.meta, row))
        if share >= MIN_DAY_SHARE
    ]
    return {
        "sri": value,
        "sri_pairs_h": pairs * EPOCH_SECONDS / 3600,
        "sri_day_pairs": float(np.mean(whole)) if whole else None,
        "sri_day_pairs_n": len(whole),
    }
