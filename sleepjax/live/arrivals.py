"""Samples as they arrive: read, checked, and counted where they cannot be used.

The checks are those of files (`data.repair`), but for what needs the whole recording: a stream
judges by what came until then, after enough of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sleepjax.data import clock, repair
from sleepjax.data.plausible import RANGES, impossible, out_of_range
from sleepjax.data.raw import typed_frame
from sleepjax.data.repair import Samples
from sleepjax.tables import as_polars, require_columns
from sleepjax.types import STEP_SECONDS, STEPS_PER_HOUR, InputError

COLUMNS = ("timestamp", "anglez", "enmo")
ENOUGH_GAPS = 60
"""Times between two samples after which their usual one is judged."""
_STEP_MS = STEP_SECONDS * 1000


@dataclass(frozen=True)
class Counts:
    """What has come, in samples."""

    n_samples: int = 0
    n_nonfinite: int = 0
    n_duplicates: int = 0
    n_clock_changes: int = 0
    n_anglez_out_of_range: int = 0
    n_enmo_out_of_range: int = 0
    n_quick: int = 0
    """Less than 4.5 s after the one before."""
    n_slow: int = 0
    """More than 10 s after the one before."""


def read(
    frame: Any, *, where: str, tz: str | None, last: Samples | None, counts: Counts
) -> tuple[Samples, Counts]:
    """Samples of a frame in order of time, with unusable values masked, and the new counts.

    ``last`` is the newest sample before, ``counts`` is of all samples before. Raises InputError for
    a frame that cannot be used; nothing of it counts then.
    """
    frame = as_polars(frame, where)
    require_columns(frame.columns, COLUMNS, where)
    if frame.is_empty():  # its columns may have no type
        frame = pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.Float64) | {"timestamp": pl.String})
    named = frame.select(*COLUMNS, series_id=pl.lit("s"), step=pl.int_range(pl.len()))
    typed = typed_frame(named, where)
    # Where the clock repeats an hour, the pass that continues the newest sample is meant.
    near = None if last is None else last.utc + _STEP_MS * np.arange(1, len(typed) + 1)
    utc, offset = clock.parse(typed["timestamp"], tz=tz, where=where, near=near)
    signals = np.stack([typed[name].to_numpy() for name in RANGES])
    samples = Samples(utc, offset, typed["step"].to_numpy(), signals)
    gaps = np.diff(utc, prepend=utc[:1] if last is None else last.utc)
    _check_order(gaps, typed["timestamp"], where)
    fresh = gaps > 0
    if last is None:
        fresh[:1] = True
    return _masked(samples[fresh], gaps[fresh], last, counts, int((~fresh).sum()), where)


def _check_order(gaps: np.ndarray, stamps: pl.Series, where: str) -> None:
    """Raise InputError for a sample before the one before it, or long after it."""
    early = np.flatnonzero(gaps < 0)
    if len(early):
        row = int(early[0])
        raise InputError(
            f"{where}, row {row}: the sample of {stamps[row]} is {-gaps[row] / 1000:g} s older "
            "than the newest one before it; push samples in order of time, each once."
        )
    late = np.flatnonzero(gaps > repair.MAX_GAP_STEPS * _STEP_MS)
    if len(late):
        row, days = int(late[0]), repair.MAX_GAP_STEPS * STEP_SECONDS // 86_400
        raise InputError(
            f"{where}, row {row}: nothing in the {gaps[row] / 86_400_000:.0f} days before "
            f"{stamps[row]} (at most {days}); was the clock reset? Start another stream there."
        )


def _masked(
    samples: Samples,
    gaps: np.ndarray,
    last: Samples | None,
    counts: Counts,
    repeated: int,
    where: str,
) -> tuple[Samples, Counts]:
    """The samples with unusable values as NaN; InputError where most of a stream is unusable."""
    finite = np.isfinite(samples.signals)
    outside = out_of_range(samples.signals)
    clock_before = samples.offset[:1] if last is None else last.offset
    per_sample = {
        "n_samples": np.ones(len(gaps), bool),
        "n_nonfinite": ~finite.all(axis=0),
        "n_clock_changes": np.diff(samples.offset, prepend=clock_before) != 0,
        "n_anglez_out_of_range": outside[0],
        "n_enmo_out_of_range": outside[1],
        "n_quick": (gaps > 0) & (gaps < 0.9 * _STEP_MS),
        "n_slow": gaps > repair.MAX_CADENCE_MS,
    }
    # Judged after every sample: how they were divided into frames makes no difference.
    running = {name: getattr(counts, name) + np.cumsum(of) for name, of in per_sample.items()}
    n = running["n_samples"]
    for name, values, wrong in zip(RANGES, samples.signals, outside, strict=True):
        bad = running[f"n_{name}_out_of_range"]
        at = np.flatnonzero((n >= STEPS_PER_HOUR) & (2 * bad > n) & wrong)
        if len(at):
            share = f"{bad[at[0]] / n[at[0]]:.0%} of the stream; at most 50%"
            text = impossible(name, values[wrong], len(values), share)
            raise InputError(f"{where}: {text}")
    for name, pace in (("n_quick", "faster than"), ("n_slow", "slower than")):
        if ((n > ENOUGH_GAPS) & (2 * running[name] > n)).any():
            usual = float(np.median(gaps[gaps > 0])) / 1000
            raise InputError(
                f"{where}: a sample every {usual:g} s, {pace} a stream takes them: one every "
                f"{STEP_SECONDS} s. Average over {STEP_SECONDS} s before (predict does that)."
            )
    if running["n_clock_changes"][-1:].sum() > repair.MAX_CLOCK_CHANGES:
        raise InputError(
            f"{where}: the UTC offset changed more than {repair.MAX_CLOCK_CHANGES} times; write "
            "all timestamps of a stream by one wall clock."
        )
    signals = np.where(finite & ~outside, samples.signals, np.float32("nan"))
    total = {name: int(of[-1]) for name, of in running.items() if len(of)}
    new = Counts(**(vars(counts) | total | {"n_duplicates": counts.n_duplicates + repeated}))
    return Samples(samples.utc, samples.offset, samples.step, signals), new
