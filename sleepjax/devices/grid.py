"""The 5-second grid of a recording: sums of its segments together; what cannot be used is NaN."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sleepjax.devices.epochs import Sums
from sleepjax.devices.nonwear import nonwear
from sleepjax.devices.units import EPOCHS_PER_BLOCK, TICKS_PER_EPOCH
from sleepjax.types import STEP_SECONDS

MIN_SHARE = 0.5
"""Share of its samples with which an epoch counts as measured."""
MAX_SHARE = 1.1
"""With more samples than this the clock ran wild there."""
MAX_CLIPPED = 0.3
"""Share of clipped samples from which an epoch is not used."""


@dataclass(frozen=True)
class Grid:
    """T epochs from the first to the last that is measured."""

    epoch: int
    """5-s epochs from 1970 to the first one, by the device's clock."""
    anglez: np.ndarray
    """float32 [T], degrees; NaN where too little was measured."""
    enmo: np.ndarray
    """float32 [T], g."""
    occupied: np.ndarray
    """bool [T]: whether there is any sample."""
    nonwear: np.ndarray
    """bool [T]."""
    counts: dict[str, int]


def assemble(parts: Sequence[Sums], rate: float) -> Grid | None:
    """Put the segments of one recording, in order of time, together; None without any epoch.

    ``rate`` are samples per second.
    """
    first = min(part.epoch for part in parts)
    size = max(part.epoch + len(part.count) for part in parts) - first
    count, ticks, clipped = (np.zeros(size, np.int64) for _ in range(3))
    enmo, anglez = np.zeros(size), np.zeros(size)
    repeated, reached = 0, first
    for part in parts:
        # Epochs within an earlier segment are there twice; the one it ended in is shared.
        skip = max(reached - 1 - part.epoch, 0)
        repeated += int(part.count[:skip].sum())
        rows = slice(part.epoch - first + skip, part.epoch - first + len(part.count))
        for total, own in zip(
            (count, ticks, clipped, enmo, anglez),
            (part.count, part.ticks, part.clipped, part.enmo, part.anglez),
            strict=True,
        ):
            total[rows] += own[skip:]
        reached = max(reached, part.epoch + len(part.count))
    expected = rate * STEP_SECONDS
    wild = count > MAX_SHARE * expected + 1
    cut = clipped > MAX_CLIPPED * np.maximum(count, 1)
    enough = (count >= MIN_SHARE * expected) & (ticks >= MIN_SHARE * TICKS_PER_EPOCH)
    valid = enough & ~wild & ~cut
    if not valid.any():
        return None
    rows = np.flatnonzero(valid)
    kept = slice(int(rows[0]), int(rows[-1]) + 1)
    mean = lambda total, number: np.where(valid, total / np.maximum(number, 1), np.nan)
    return Grid(
        first + kept.start,
        mean(anglez, ticks)[kept].astype(np.float32),
        mean(enmo, count)[kept].astype(np.float32),
        (count > 0)[kept],
        _not_worn(parts, first, size)[kept],
        {
            "epochs": kept.stop - kept.start,
            "epochs_without_samples": int((count[kept] == 0).sum()),
            "epochs_too_few_samples": int(((count > 0) & ~enough)[kept].sum()),
            "epochs_too_many_samples": int(wild[kept].sum()),
            "epochs_clipped": int((cut & enough & ~wild)[kept].sum()),
            "clipped_samples": int(clipped.sum()),
            "repeated_samples": repeated,
        },
    )


def _not_worn(parts: Sequence[Sums], first: int, size: int) -> np.ndarray:
    """Non-wear of each epoch, bool [size]."""
    block = min(part.block for part in parts)
    number = max(part.block + part.low.shape[1] for part in parts) - block
    low, high = np.full((3, number), np.inf), np.full((3, number), -np.inf)
    moments = np.zeros((3, 3, number))
    for part in parts:
        rows = slice(part.block - block, part.block - block + part.low.shape[1])
        low[:, rows] = np.minimum(low[:, rows], part.low)
        high[:, rows] = np.maximum(high[:, rows], part.high)
        moments[:, :, rows] += part.moments
    quarter = (first + np.arange(size)) // EPOCHS_PER_BLOCK - block
    return nonwear(low, high, moments)[quarter]
