"""Arrays over the steps of a recording that take little memory: read on demand, or kept as runs.

Each behaves as a NumPy array where it is sliced or handed to ``np.asarray``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sleepjax.types import InputError


class Sliced(ABC):
    """An array [T,...] of which a slice is made when it is asked for."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, rows: slice) -> np.ndarray: ...

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


Array = np.ndarray | Sliced


@dataclass(frozen=True)
class Stored(Sliced):
    """One array [T] of a feature store, read from its file slice by slice.

    Not a memory map: a file that is cut short while it is mapped ends the process with SIGBUS, and
    each map keeps a file open. A file that is overwritten in place with as many bytes goes unseen.
    """

    path: Path
    dtype: np.dtype
    length: int
    offset: int
    """Bytes before the first value."""

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, step = rows.indices(self.length)
        count = max(stop - start, 0)
        at = self.offset + start * self.dtype.itemsize
        try:
            with self.path.open("rb", buffering=0) as file:
                found = np.fromfile(file, self.dtype, count, offset=at)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror}); {_REMEDY}") from None
        if len(found) < count:
            raise InputError(f"{self.path} was cut short while it was in use; {_REMEDY}")
        return found[::step]


_REMEDY = (
    "the same command prepares the recordings again, or scripts/prepare_data.py where they were "
    "prepared by hand. Commands that run at the same time with another data.tz or data.drop_bad "
    "each need a data.store of their own."
)


@dataclass(frozen=True)
class Runs(Sliced):
    """An array [T] that keeps each value for long; `runs_of` makes one."""

    first: np.ndarray
    """int64 [R]: row at which each run begins; the first is 0."""
    value: np.ndarray
    """[R]: its value."""
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, step = rows.indices(self.length)
        if stop <= start:
            return self.value[:0]
        a = np.searchsorted(self.first, start, side="right") - 1
        b = np.searchsorted(self.first, stop, side="left")
        edges = np.concatenate([[start], self.first[a + 1 : b], [stop]])
        return np.repeat(self.value[a:b], np.diff(edges))[::step]


def runs_of(values: np.ndarray) -> Runs:
    """The runs of an array [T] of at least one row."""
    first = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    return Runs(first, values[first], len(values))


def in_runs(runs: Iterable[Sequence[int]] | np.ndarray, length: int) -> np.ndarray:
    """bool [T]: True from the first row of each run up to the one after its last."""
    values = np.zeros(length, bool)
    for first, stop in runs:
        values[first:stop] = True
    return values


def true_runs(values: np.ndarray) -> np.ndarray:
    """int64 [N,2]: first row and row after the last of each run of True."""
    padded = np.concatenate([[False], values, [False]]).astype(np.int8)
    return np.flatnonzero(np.diff(padded)).reshape(-1, 2)
