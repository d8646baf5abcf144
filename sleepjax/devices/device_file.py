"""A device file -> recordings: pieces are decoded one after the other, or in several processes."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sleepjax.devices.convert import mapper, rate_of, recordings_of_runs
from sleepjax.devices.converted import Converted
from sleepjax.devices.headers import read_header
from sleepjax.devices.pieces import Cut, Piece, cut
from sleepjax.devices.samples import DecodeError, Samples, decode
from sleepjax.devices.segments import Segment, Setup, segments
from sleepjax.devices.units import SECOND_NS
from sleepjax.devices.wall_clock import wall_clock
from sleepjax.types import InputError

PAGE_SAMPLES = 300
"""Of a page of a GENEActiv, at any rate."""
DAMAGED = (
    "copy it again, or read what is undamaged with lenient=True (process --lenient): the rest is "
    "then missing and the result marked as partial"
)


class Taken(NamedTuple):
    """What the first pass says of a piece."""

    segments: list[Segment]
    faults: tuple[str, ...] = ()
    """What could not be read."""
    pages: int = 0
    samples: int = 0


def convert_device(
    path: Path,
    kind: str,
    packed: bool,
    *,
    tz: str | None,
    device_tz: str | None,
    lenient: bool,
    jobs: int,
) -> Iterator[Converted]:
    """The recordings of a device file; several where its clock was reset.

    Raises InputError naming what is wrong and the remedy.
    """
    with tempfile.TemporaryDirectory(prefix="sleepjax-") as name, mapper(jobs) as across:
        folder = Path(name)
        parts = cut(path, kind, packed, folder, lenient)
        _stop([parts.broken], path.name, lenient)
        number, head, lost = _first_samples(parts.pieces, folder, lenient, path.name)
        header = read_header(kind, head.metadata)
        setup = Setup(folder, rate_of(head.time, header.rate, path.name), header.limit)
        clock = partial(wall_clock, path.name, header.clock, tz=tz, device_tz=device_tz)
        clock(int(head.time[0] // SECOND_NS))  # a zone that is needed is asked for at once
        first = _runs(head, setup, number, lost)
        rest = [*enumerate(parts.pieces)][number + 1 :]
        taken = [first, *across(partial(_take, setup=setup, lenient=lenient), rest)]
        faults = [parts.broken, *(f for t in taken for f in t.faults), _lost_pages(parts, taken)]
        faults = [fault for fault in faults if fault]
        _stop(faults, path.name, lenient)
        said = {
            "format": header.format,
            "device": header.device,
            "serial": header.serial,
            "idle_sleep_mode": header.idle_sleep,
            "partial": bool(faults),
            "notes": [*header.notes, *parts.notes, *_few(faults)],
        }
        found = [segment for one in taken for segment in one.segments]
        yield from recordings_of_runs(found, setup, across, path, clock, said)


def _stop(faults: list[str], name: str, lenient: bool) -> None:
    if not lenient and (fault := next(filter(None, faults), "")):
        raise InputError(f"{name}: the file is damaged: {fault}; {DAMAGED}.")


def _first_samples(
    pieces: list[Piece], folder: Path, lenient: bool, name: str
) -> tuple[int, Samples, list[str]]:
    """(number of the first piece that holds samples, these, what is wrong with those before)."""
    faults = []
    for number, piece in enumerate(pieces):
        try:
            samples = decode(piece, folder, lenient)
        except DecodeError as error:
            faults.append(str(error))
            _stop(faults, name, lenient)
        else:
            if len(samples.time):
                return number, samples, faults
            faults += samples.warnings
    reason = faults[0] if faults else "it holds a header and no samples"
    raise InputError(
        f"{name}: nothing can be read: {reason}; was the device started, and the file copied whole?"
    )


def _take(item: tuple[int, Piece], setup: Setup, lenient: bool) -> Taken:
    number, piece = item
    try:
        samples = decode(piece, setup.folder, lenient)
    except DecodeError as error:
        return Taken([], (f"{error} (counted from byte {piece.start:,})",))
    return _runs(samples, setup, number, [])


def _runs(samples: Samples, setup: Setup, number: int, lost: list[str]) -> Taken:
    found = segments(samples, setup, f"{number:05d}")
    return Taken(found, (*lost, *samples.warnings), samples.pages, len(samples.time))


def _lost_pages(parts: Cut, taken: list[Taken]) -> str:
    """What is wrong where there are fewer pages than the header counts, or shorter ones."""
    pages = sum(one.pages for one in taken)
    samples = sum(one.samples for one in taken)
    if parts.pages is None or (pages >= parts.pages and samples == PAGE_SAMPLES * pages):
        return ""
    return (
        f"its header counts {parts.pages} pages of {PAGE_SAMPLES} samples, {pages} with {samples} "
        "samples are there: is it cut short?"
    )


def _few(warnings: list[str]) -> list[str]:
    more = [f"and {len(warnings) - 3} more such faults"] if len(warnings) > 3 else []
    return [f"left out: {text}" for text in warnings[:3]] + more
