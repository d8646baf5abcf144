"""Raw samples in a csv or parquet file -> recordings."""

import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.devices.convert import rate_of, recordings_of_runs
from sleepjax.devices.converted import Converted
from sleepjax.devices.preamble import Preamble
from sleepjax.devices.samples import Samples
from sleepjax.devices.segments import Segment, Setup, segments
from sleepjax.devices.stamps import Stamps, Ticks
from sleepjax.devices.table_columns import RAW, Mapped, numbers
from sleepjax.devices.units import SECOND_NS
from sleepjax.devices.wall_clock import wall_clock
from sleepjax.tables import iter_table
from sleepjax.types import InputError

PER_G = {"g": 1.0, "mg": 1000.0, "m/s2": 9.80665}
_LENGTHS = {"g": (0.5, 2.0), "mg": (500.0, 2000.0), "m/s2": (5.0, 20.0)}
"""Median length of the acceleration vector in each unit: gravity, more or less."""
_LIMITS = (2.0, 4.0, 6.0, 8.0, 16.0)


def convert_raw(
    path: Path,
    mapped: Mapped,
    top: Preamble,
    *,
    tz: str | None,
    device_tz: str | None,
    units: str | None,
) -> Iterator[Converted]:
    """The recordings of a table of raw samples, one of each series id where it has such a column.

    In one process: polars reads in several threads, and to start another process takes longer than
    it saves.

    Raises InputError naming the file, the place and the remedy.
    """
    if units is not None and units not in PER_G:
        raise InputError(f"units {units!r} is not one of {', '.join(map(repr, PER_G))}.")
    stated = {mapped.units[axis] for axis in "xyz" if axis in mapped.units} & set(PER_G)
    if len(stated) > 1:
        raise InputError(f"{path.name}: the axes have different units: {', '.join(stated)}.")
    for name, parts in _series(path, mapped, top):
        with tempfile.TemporaryDirectory(prefix="sleepjax-") as folder:
            stamps = top.times(path.name, tz)
            first = _samples(next(parts), mapped, stamps)
            unit, said = _unit(first.xyz, units, next(iter(stated), None), path.name)
            setup = _setup(first, unit, Path(folder), path.name)
            clock = partial(wall_clock, path.name, tz=tz, device_tz=device_tz)
            clock(stamps.clock(), int(first.time[0] // SECOND_NS))  # a missing zone: at once
            others = (_samples(part, mapped, stamps) for part in parts)
            found: list[Segment] = []
            for number, samples in enumerate(chain([first], others)):
                samples = Samples(samples.time, samples.xyz / np.float32(PER_G[unit]))
                found += segments(samples, setup, f"{number:06d}")
            details = {
                "format": top.format,
                "device": top.device,
                "serial": top.serial,
                "units": said,
                "partial": False,
                "notes": [],
            }
            named = path.with_name(f"{name}.csv") if name else path
            yield from recordings_of_runs(
                found, setup, map, named, partial(clock, stamps.clock()), details
            )


def _series(
    path: Path, mapped: Mapped, top: Preamble
) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]:
    """(series id or "", its rows in batches) of each series."""
    names = [mapped.names[what] for what in (*RAW, "series_id") if what in mapped.names]
    batches = iter_table(path, names, lambda *_: None, skip=top.skip, names=top.names)
    identity = mapped.names.get("series_id")
    parts = chain.from_iterable(_by_id(batch, identity) for batch in batches)
    done: set[str] = set()
    for key, rows in groupby(parts, key=itemgetter(0)):
        if key in done:
            raise InputError(f"{path.name}: rows of series {key!r} stand apart; sort the file.")
        done.add(key)
        yield key, map(itemgetter(1), rows)
    if not done:
        raise InputError(f"{path.name}: it has no rows.")


def _by_id(batch: pl.DataFrame, identity: str | None) -> Iterator[tuple[str, pl.DataFrame]]:
    """(series id, rows) wherever the id changes; the id is "" where there is no such column."""
    if identity is None or not batch.height:
        yield from [("", batch)] * bool(batch.height)
        return
    ids = batch[identity].cast(pl.String).fill_null("")
    edges = [0, *(ids != ids.shift(1)).arg_true().to_list(), batch.height]
    for low, high in pairwise(edges):
        yield ids[low], batch[low:high]


def _samples(rows: pl.DataFrame, mapped: Mapped, stamps: Stamps | Ticks) -> Samples:
    """Samples in the table's own unit; cells that are no number are NaN."""
    time = stamps.read(rows[mapped.names.get("time", mapped.names["x"])])
    axes = [numbers(rows[mapped.names[axis]], stamps.source) for axis in "xyz"]
    return Samples(time, np.stack([axis.cast(pl.Float32).to_numpy() for axis in axes]))


def _unit(xyz: np.ndarray, given: str | None, stated: str | None, source: str) -> tuple[str, str]:
    """(unit, how it is known); InputError where lengths contradict what is said, or say nothing."""
    with np.errstate(invalid="ignore"):
        length = np.sqrt((xyz.astype(np.float64) ** 2).sum(axis=0))
    length = length[np.isfinite(length) & (length > 0)]
    if not len(length):
        raise InputError(
            f"{source}: x, y and z hold no numbers other than 0; are the samples in other columns, "
            "or is a comma in the numbers where a point should be?"
        )
    middle = float(np.median(length))
    fits = [unit for unit, (low, high) in _LENGTHS.items() if low <= middle <= high]
    said = given or stated
    if said is not None and fits and said not in fits:
        raise InputError(
            f"{source}: units are stated as {said}, but the median length of the acceleration is "
            f"{middle:.3g}, which is gravity in {fits[0]}; give units={fits[0]!r} (--units)."
        )
    if said is not None:
        return said, f"{said} ({'given' if given else 'from the names of the columns'})"
    if not fits:
        raise InputError(
            f"{source}: the median length of the acceleration is {middle:.3g}, which is gravity in "
            "no unit that is known; give units='g', 'mg' or 'm/s2' (--units), or are x, y and z "
            "other columns?"
        )
    return fits[0], f"{fits[0]} (detected: the median length of the acceleration is {middle:.3g})"


def _setup(first: Samples, unit: str, folder: Path, source: str) -> Setup:
    rate = rate_of(first.time, None, source)
    largest = float(np.nanmax(np.abs(first.xyz), initial=0.0)) / PER_G[unit]
    limit = next((limit for limit in _LIMITS if largest <= limit * 1.01), largest)
    return Setup(folder, rate, limit, drop_held=True)
