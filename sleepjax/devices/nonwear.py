"""Non-wear by GGIR's rule of 2023, from quarter hours of acceleration at five values a second.

The hour that begins with a quarter hour is still on an axis whose range and SD are small; each of
its four quarters is then marked on that axis. A quarter is not worn where two axes are marked, and
short stretches of wear between long ones of non-wear are not believed (GGIR's
``detect_nonwear_clipping`` and ``g.weardec``).
"""

import numpy as np

RANGE = 0.150
"""g (GGIR's ``nonwear_range_threshold``; its chapter 3 speaks of 50 mg)."""
SD = 0.013
_HOUR = 4


def nonwear(low: np.ndarray, high: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Whether the watch was not worn, bool [B].

    Args:
      low: smallest value in g of each axis in each quarter hour, [3,B]; inf where there is none.
      high: largest value, [3,B]; -inf where there is none.
      moments: number, sum and sum of squares of the values, [3,3,B] (what, axis, quarter).

    Quarters without any value are not worn: nobody knows better.
    """
    marks = still_axes(low, high, moments)
    inner = np.arange(1, max(len(marks) - 1, 1))
    lonely = inner[(marks[inner] == 1) & (marks[inner - 1] > 1) & (marks[inner + 1] > 1)]
    for quarter in lonely.tolist():  # one after the other, as GGIR does
        marks[quarter] = 2
    absent = moments[0, 0] == 0
    return plausible(marks >= 2) | absent


def still_axes(low: np.ndarray, high: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Number of axes, 0 to 3, that are still in an hour that holds each quarter: int [B]."""
    size = low.shape[1]
    flags = np.zeros((3, size), bool)
    for quarter in range(size):
        hour = slice(quarter, quarter + _HOUR)
        count, total, squares = moments[:, :, hour].sum(axis=2)
        spread = high[:, hour].max(axis=1) - low[:, hour].min(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            sd = np.sqrt(np.maximum(squares - total**2 / count, 0) / (count - 1))
        flags[:, hour] |= ((spread < RANGE) & (sd < SD))[:, None]
    return flags.sum(axis=0)


def plausible(still: np.ndarray) -> np.ndarray:
    """Non-wear [B] with the wear between that is too short to be believed, bool [B]."""
    believed = _pass(still, np.zeros(len(still), bool), edges=True)
    for _ in range(2):
        believed = _pass(still | believed, believed, edges=False)
    return still | believed


def _pass(still: np.ndarray, added: np.ndarray, *, edges: bool) -> np.ndarray:
    """What a pass of GGIR's ``additionalNonWearDetection`` adds to what was added before."""
    padded = np.concatenate([[False], still, [False]])
    added = np.concatenate([[False], added, [False]])
    change = np.diff(padded.astype(np.int8))
    begins, ends = np.flatnonzero(change == 1) + 1, np.flatnonzero(change == -1) + 1
    for i in range(len(begins) - 1):
        wear = begins[i + 1] - ends[i]
        before, after = ends[i] - begins[i], ends[i + 1] - begins[i + 1]
        share = wear / (before + after)
        short = wear < 6 * _HOUR and share < 0.3 or wear < 3 * _HOUR and share < 0.8
        last_day = begins[i] > len(still) - 24 * _HOUR - 1
        if short or last_day and wear < 3 * _HOUR and before > _HOUR:
            added[ends[i] : begins[i + 1]] = True
    if edges and len(begins):
        if begins[0] + 1 < 3 * _HOUR:
            added[: begins[0]] = True
        if len(padded) - 3 * _HOUR < ends[-1] + 1 < len(padded):
            added[ends[-1] :] = True
    return added[1:-1]
