"""One series as it was recorded -> a `Recording` on a regular 5-s grid, with every repair counted.

Time decides: row ``i`` of the grid is at UTC second ``start + 5 * i``, whatever the step column
says. What cannot be used is masked (``valid`` False) and counted; what would make the whole series
meaningless raises InputError. `docs/data.md` lists each check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from sleepjax.data import clock, rest
from sleepjax.data.derived import repeat
from sleepjax.data.features import NORMALISERS
from sleepjax.data.plausible import RANGES, check_degrees, impossible, out_of_range, within_range
from sleepjax.data.recording import SIGNALS, Recording
from sleepjax.types import STEP_SECONDS, STEPS_PER_DAY, STEPS_PER_HOUR, InputError, SeriesMeta

MAX_NONFINITE_SHARE = 0.5
MAX_OUT_OF_RANGE_SHARE = 0.01
MAX_DUPLICATE_SHARE = 0.1
MAX_CADENCE_MS = 10_000
MAX_GAP_STEPS = 30 * STEPS_PER_DAY
MAX_CLOCK_CHANGES = 50
_STEP_MS = STEP_SECONDS * 1000


@dataclass(frozen=True)
class Samples:
    """What a file says of one series, N rows: time, offset, step number and the two signals."""

    utc: np.ndarray
    """int64 [N], ms."""
    offset: np.ndarray
    """int64 [N], local minus UTC in seconds."""
    step: np.ndarray
    """int64 [N]."""
    signals: np.ndarray
    """float32 [2,N]: anglez, enmo; NaN where masked."""

    @cached_property
    def spacing(self) -> tuple[int, int]:
        """Least and most ms from a sample to the next; a single one is taken as one step."""
        gaps = np.diff(self.utc)
        return (int(gaps.min()), int(gaps.max())) if len(gaps) else (_STEP_MS, _STEP_MS)

    def __getitem__(self, rows) -> Samples:
        return Samples(self.utc[rows], self.offset[rows], self.step[rows], self.signals[:, rows])


def make_recording(rows: pl.DataFrame, *, source: str, tz: str | None = None) -> Recording:
    """Validate and repair the rows of one series; the columns are those of the competition's files.

    ``tz`` is the zone of timestamps without UTC offset. Raises InputError for a series that cannot
    be used.
    """
    series_id = rows["series_id"][0]
    where = f"{source}: series {series_id!r}"
    if not series_id.strip():
        raise InputError(f"{where}: the series_id is empty; give every recording a name.")
    utc, offset = clock.parse(rows["timestamp"], tz=tz, where=where)
    signals = np.stack([rows[name].to_numpy() for name in RANGES])  # null -> NaN
    samples = Samples(utc, offset, rows["step"].cast(pl.Int64).to_numpy(), signals)
    qc: dict[str, int | float] = {"n_rows": len(utc)}

    samples = _mask_signals(samples, qc, where)
    samples = _in_time_order(samples, qc, where)
    cadence = _cadence(samples, where)
    qc["sampling_seconds"] = cadence / 1000
    start, first_step, offset, signals = _on_grid(samples, cadence, qc, where)
    return _assemble(series_id, start, first_step, offset, signals, qc, where)


def _mask_signals(samples: Samples, qc: dict, where: str) -> Samples:
    """Set null, NaN, infinite and impossible values to NaN; too many of them are an error."""
    signals = samples.signals
    if within_range(signals).all():
        check_degrees(signals[0], where)
        qc |= {"n_nonfinite": 0, "n_out_of_range": 0}
        return samples
    n = signals.shape[1]
    finite = np.isfinite(signals)
    qc["n_nonfinite"] = n_bad = n - int(finite.all(axis=0).sum())
    if n_bad > MAX_NONFINITE_SHARE * n:
        raise InputError(
            f"{where}: {n_bad} of {n} rows have an empty, NaN or infinite anglez or enmo "
            f"({n_bad / n:.0%}; at most {MAX_NONFINITE_SHARE:.0%}); leave this series out."
        )
    outside = out_of_range(signals)
    for values, wrong, name in zip(signals, outside, RANGES, strict=True):
        if wrong.sum() > MAX_OUT_OF_RANGE_SHARE * n and wrong.sum() > 1:
            share = f"{wrong.sum() / n:.1%}; at most {MAX_OUT_OF_RANGE_SHARE:.0%}"
            raise InputError(f"{where}: {impossible(name, values[wrong], n, share)}")
    qc["n_out_of_range"] = int(outside.any(axis=0).sum())
    bad = ~finite | outside
    check_degrees(signals[0][~bad[0]], where)
    return replace(samples, signals=np.where(bad, np.float32("nan"), signals))


def _in_time_order(samples: Samples, qc: dict, where: str) -> Samples:
    """Sort rows by time and keep the first of those that share a timestamp."""
    utc = samples.utc
    if samples.spacing[0] > 0:
        qc |= {"n_unsorted": 0, "n_duplicates": 0}
        return samples
    qc["n_unsorted"] = int((utc < np.maximum.accumulate(utc)).sum())
    if qc["n_unsorted"]:
        samples = samples[np.argsort(utc, kind="stable")]
    fresh = np.append(True, samples.utc[1:] != samples.utc[:-1])
    qc["n_duplicates"] = n_duplicates = int((~fresh).sum())
    if n_duplicates > MAX_DUPLICATE_SHARE * len(utc) and n_duplicates > 1:
        raise InputError(
            f"{where}: {n_duplicates} of {len(utc)} rows repeat a timestamp (at most "
            f"{MAX_DUPLICATE_SHARE:.0%}); does one series_id hold two recordings, or was the clock "
            f"set back?"
        )
    return samples[fresh] if n_duplicates else samples


def _cadence(samples: Samples, where: str) -> float:
    """Usual milliseconds from one row to the next."""
    least, most = samples.spacing
    cadence = float(least if least == most else np.median(np.diff(samples.utc)))
    if cadence > MAX_CADENCE_MS:
        raise InputError(
            f"{where}: one row every {cadence / 1000:g} s; sleep events need one every "
            f"{STEP_SECONDS} s (finer is averaged, up to {MAX_CADENCE_MS // 1000} s is held); "
            f"export the recording with {STEP_SECONDS}-s epochs."
        )
    if most > MAX_GAP_STEPS * _STEP_MS:
        row = int(np.diff(samples.utc).argmax())
        before, after = samples.utc[row : row + 2].astype("M8[ms]").astype("M8[s]")
        raise InputError(
            f"{where}: nothing from {before} to {after} UTC ({most / 86_400_000:.0f} days; at "
            f"most {MAX_GAP_STEPS // STEPS_PER_DAY}); was the clock reset? Split the series there."
        )
    return cadence


def _on_grid(samples: Samples, cadence: float, qc: dict, where: str):
    """Place samples on the grid.

    Returns (start in UTC seconds, number of row 0, offset of each row int64 [T], of which those in
    a gap keep the last one before it, signals float32 [2,T]).
    """
    n = len(samples.utc)
    qc |= {"n_gap_steps": 0, "longest_gap_steps": 0, "n_surplus": 0, "n_step_mismatch": 0}
    if cadence < 0.9 * _STEP_MS:
        return _averaged(samples, cadence, qc)
    start = int(samples.utc[0]) // 1000
    first_step = int(samples.step[0])
    if samples.spacing == (_STEP_MS, _STEP_MS) and samples.utc[0] % 1000 == 0:
        used, offset = np.arange(n), samples.offset
        signals, step = samples.signals, samples.step
    else:
        elapsed = samples.utc - start * 1000
        rows = np.arange(last_row(elapsed[-1]) + 1)
        source_row = newest(elapsed, rows, max(cadence, _STEP_MS))
        fresh = source_row >= 0
        signals = np.where(fresh, samples.signals[:, source_row], np.float32("nan"))
        _count_gaps(fresh, qc)
        qc["n_surplus"] = n - len(np.unique(source_row[fresh]))
        offset = samples.offset[np.maximum.accumulate(source_row)]
        used = np.flatnonzero(fresh)
        step = samples.step[source_row[used]]
    if cadence < 1.1 * _STEP_MS:
        qc["n_step_mismatch"] = int(np.count_nonzero(step != first_step + used))
    else:
        first_step = 0
    return start, first_step, offset, signals


def last_row(elapsed: int) -> int:
    """The row of the grid that a sample this many ms after the first row belongs to."""
    return int(elapsed + _STEP_MS // 2) // _STEP_MS


def newest(elapsed: np.ndarray, rows: np.ndarray, age: float = _STEP_MS) -> np.ndarray:
    """Which sample each row of the grid takes, int64; -1 where there is none.

    It is the newest one up to half a step later, if it is less than ``age`` ms old. ``elapsed``
    [N] are ms after row 0, ascending; no row lies before the first sample.
    """
    grid = rows * _STEP_MS
    source_row = np.searchsorted(elapsed, grid + _STEP_MS // 2, side="right") - 1
    return np.where(grid - elapsed[source_row] < age, source_row, -1)


def _averaged(samples: Samples, cadence: float, qc: dict):
    """Average samples finer than a step; a row is valid where half of those expected are finite."""
    start = int(samples.utc[0]) // _STEP_MS * STEP_SECONDS
    row = (samples.utc - start * 1000) // _STEP_MS  # [N]
    size = int(row[-1]) + 1
    finite = np.isfinite(samples.signals).all(axis=0)
    count = np.bincount(row[finite], minlength=size)
    enough = (count > 0) & (2 * count >= int(_STEP_MS // cadence))
    sums = np.stack([np.bincount(row[finite], s[finite], size) for s in samples.signals])
    signals = np.where(enough, sums / np.maximum(count, 1), np.nan).astype(np.float32)
    occupied = np.bincount(row, minlength=size) > 0
    _count_gaps(occupied, qc)
    first = np.searchsorted(row, np.arange(size), side="left")
    source_row = np.where(occupied, np.minimum(first, len(row) - 1), -1)
    return start, 0, samples.offset[np.maximum.accumulate(source_row)], signals


def _count_gaps(occupied: np.ndarray, qc: dict) -> None:
    """Count the grid rows without a sample, and the longest run of them."""
    qc["n_gap_steps"] = int((~occupied).sum())
    edges = np.flatnonzero(np.diff(np.concatenate([[True], occupied, [True]]).astype(np.int8)))
    qc["longest_gap_steps"] = int(np.diff(edges)[::2].max(initial=0))


def _assemble(series_id, start, first_step, offset, signals, qc, where) -> Recording:
    """Mask, fill and describe what lies on the grid."""
    valid = np.isfinite(signals[0]) & np.isfinite(signals[1])
    measured = signals if valid.all() else signals[:, valid]
    enough = measured.shape[1] >= STEPS_PER_HOUR
    qc["constant_signal"] = int(enough and bool((np.ptp(measured, axis=1) < 1e-6).any()))
    if qc["constant_signal"]:
        valid = np.zeros_like(valid)
    at_rest = rest.at_rest(signals[0]) & valid
    qc["n_not_worn"] = int(np.count_nonzero(at_rest))
    valid &= ~at_rest
    n = len(valid)
    qc["n_invalid"] = n - int(np.count_nonzero(valid))
    turns = np.append(0, np.flatnonzero(offset[1:] != offset[:-1]) + 1)
    if len(turns) > MAX_CLOCK_CHANGES:
        raise InputError(
            f"{where}: the UTC offset changes {len(turns) - 1} times (at most "
            f"{MAX_CLOCK_CHANGES}); write all timestamps of a recording by one wall clock."
        )
    meta = SeriesMeta(
        series_id=series_id,
        n_steps=n,
        first_step=first_step,
        start=start,
        offsets=tuple((int(row), int(offset[row])) for row in turns),
        qc=qc | {"n_clock_changes": len(turns) - 1},
    )
    recording = filled(meta, signals, valid)
    repeated = repeat(recording)
    return replace(recording, copied=repeated >= 0.5, features={"repeat": repeated})


def filled(meta: SeriesMeta, signals: np.ndarray, valid: np.ndarray) -> Recording:
    """The recording of signals [2,T], neutral where they are not valid."""
    if not valid.all():
        neutral = np.array([[NORMALISERS[name]["mean"]] for name in RANGES], np.float32)
        signals = np.where(valid, signals, neutral)
    return Recording(meta, valid, dict(zip(SIGNALS, signals, strict=True)))
