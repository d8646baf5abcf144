"""A recording's clock, and probabilities with bumps where events are."""

import numpy as np

from sleepjax.types import (
    SeriesMeta,
)

START = 1_534_278_600  # 2018-08-14 20:30:00 UTC, 16:30 in New York


def meta(n_steps, start=START, first_step=0, offsets=((0, -4 * 3600),)):
    return SeriesMeta("s", n_steps, first_step, start, offsets, {})


def bumps(n_steps, onsets=(), wakeups=(), width=30):
    """Probabilities [T,3] with a bump of the given height around each (position, height)."""
    rows = np.arange(n_steps)
    probs = np.zeros((n_steps, 3), np.float32)
    for column, events in ((1, onsets), (2, wakeups)):
        for at, height in events:
            probs[:, column] += height * np.exp(-0.5 * ((rows - at) / width) ** 2)
    return probs
