"""Segments of samples -> recordings on the 5-second grid, everything doubtful counted."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sleepjax.devices.autocalibration import calibrate
from sleepjax.devices.converted import Converted, as_frame
from sleepjax.devices.epochs import Sums, measure
from sleepjax.devices.grid import assemble
from sleepjax.devices.segments import ABSENCE_NS, RESET_NS, Segment, Setup
from sleepjax.devices.units import SECOND_NS
from sleepjax.devices.wall_clock import WallClock
from sleepjax.types import STEP_SECONDS, InputError

MIN_RATE, MAX_RATE = 1.0, 1600.0
"""Samples per second."""
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


def recordings_of_runs(
    found: Sequence[Segment],
    setup: Setup,
    across: Mapper,
    path: Path,
    clock: Callable[[int], WallClock],
    said: dict[str, Any],
) -> Iterator[Converted]:
    """The second pass: one recording of each stretch between resets of the clock."""
    stretches = split_at_resets(found)
    clocks = [clock(stretch[0].first // SECOND_NS) for stretch in stretches]
    n_written = 0
    for number, (stretch, wall) in enumerate(zip(stretches, clocks, strict=True), 1):
        calibration = calibrate(np.concatenate([segment.still for segment in stretch]))
        beside = zip(stretch, [None, *stretch], [*stretch[1:], None], strict=False)
        sums: list[Sums] = list(
            across(partial(measure, calibration=calibration, setup=setup), list(beside))
        )
        grid = assemble(sums, setup.rate)
        if grid is None:
            continue
        n_written += 1
        name = series_name(path) + (f"_part{number}" if len(stretches) > 1 else "")
        extra = list(said["notes"])
        if len(stretches) > 1:
            extra.append(f"the clock was reset: part {number} of {len(stretches)} of the file")
        counts = _total(stretch)
        frame = as_frame(name, grid, wall)
        quality = {
            **said,
            "rate_hz": round(setup.rate, 2),
            "range_g": setup.limit,
            "tz": wall.name,
            "tz_source": wall.source,
            "start": frame["timestamp"][0],
            "end": frame["timestamp"][-1],
            "calibration": calibration.as_json(),
            **counts,
            **grid.counts,
            "duplicates": counts["duplicates"] + grid.counts["repeated_samples"],
            "clipped_fraction": round(grid.counts["clipped_samples"] / counts["samples"], 6),
            "notes": [*extra, *wall.notes],
        }
        yield Converted(frame, grid.nonwear, quality)
    if not n_written:
        total = lambda name: sum(segment.counts[name] for segment in found) / setup.rate
        frozen = total("held") + total("zeros")
        left = f", and {frozen:.1f} s of zeros or of values that never change" if frozen else ""
        raise InputError(
            f"{path.name}: no 5 seconds of it are measured ({total('samples'):.1f} s of samples"
            f"{left}); a recording needs at least one whole epoch of {STEP_SECONDS} s."
        )


def split_at_resets(found: Sequence[Segment]) -> list[list[Segment]]:
    """Segments in the order of the file, cut where the clock goes back an hour or on a month."""
    stretches: list[list[Segment]] = []
    reached = 0
    for segment in found:
        if stretches and reached - RESET_NS < segment.first < reached + ABSENCE_NS:
            stretches[-1].append(segment)
            reached = max(reached, segment.last)
        else:
            stretches.append([segment])
            reached = segment.last
    return stretches


@contextmanager
def mapper(jobs: int) -> Iterator[Mapper]:
    """``map`` in this process, or in several new ones."""
    if jobs <= 1:
        yield lambda call, items: map(call, items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield lambda call, items: pool.map(call, items) if len(items) > 1 else map(call, items)


def series_name(path: Path) -> str:
    """Name of the file without ``.gz`` and the end that tells its kind."""
    name = path.name.removesuffix(".gz")
    return Path(name).stem or name


def _total(stretch: Sequence[Segment]) -> dict[str, int | float]:
    """Counts of the segments and of the gaps between them."""
    names = ("samples", "duplicates", "unsorted", "zeros", "held", "nonfinite", "gaps", "gap_ns")
    total = {name: sum(segment.counts[name] for segment in stretch) for name in names}
    longest = max(segment.counts["longest_gap_ns"] for segment in stretch)
    for before, after in zip(stretch, stretch[1:], strict=False):
        gap = after.first - before.last
        if gap > SECOND_NS // 4:
            total["gaps"] += 1
            total["gap_ns"] += gap
            longest = max(longest, gap)
    seconds = total.pop("gap_ns") / SECOND_NS
    return total | {"gap_seconds": round(seconds, 2), "longest_gap_seconds": longest / SECOND_NS}


def rate_of(time: np.ndarray, stated: float | None, source: str) -> float:
    """Samples per second: as measured between gaps, and as stated of a single sample.

    Raises InputError for a rate that no watch has.
    """
    step = np.diff(time)
    back = int((step < 0).sum())
    step = step[step > 0]
    if back > len(step) / 2:
        raise InputError(
            f"{source}: the times of {back} of {len(time)} samples are before the one above; sort "
            "the rows by time."
        )
    rate = stated or 0.0
    if len(step):
        rate = SECOND_NS / float(step[step <= 1.5 * np.median(step)].mean())
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(
            f"{source}: {rate:.3g} samples per second; raw samples are {MIN_RATE:g} to "
            f"{MAX_RATE:g} of them. Are these epochs, or is the file damaged?"
        )
    return rate
