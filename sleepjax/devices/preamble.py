"""Preamble: what stands above the rows of a csv that a device's own program has exported."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sleepjax.devices.headers import clock_offset, number
from sleepjax.devices.stamps import Stamps, Ticks
from sleepjax.devices.units import SECOND_NS
from sleepjax.devices.wall_clock import DeviceClock
from sleepjax.table_files import PARQUET, check_commas
from sleepjax.types import InputError

HEAD = 1 << 16
"""Bytes in which the first row is found."""
COLUMNS = ("time", "x", "y", "z")
_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
_NUMBER = r"-?\d*\.?\d+(?:[eE][+-]?\d+)?"
_ROW = re.compile(rf"{_TIME}[^,]*(?:,\s*{_NUMBER}\s*){{3}}(?:,.*)?")
"""A row of samples: a time and three numbers."""
_GENEACTIV = (*COLUMNS, "light", "button", "temperature")
_RAW = "export raw data, or give the device's own file"


@dataclass(frozen=True)
class Preamble:
    """What a csv says of itself before its rows; of others than these exports nothing."""

    format: str = "raw table"
    device: str = ""
    serial: str = ""
    skip: int = 0
    """Lines above the names of the columns, or above the rows where these have none."""
    names: tuple[str, ...] | None = None
    """Of the columns, where no line of the file has them."""
    form: str | None = None
    """Of the times, as `strptime` has it; None: ISO 8601."""
    start: int = 0
    rate: float | None = None
    """First sample in ns since 1970 by the device's clock, and samples per second, where rows have
    no time."""
    clock: DeviceClock = DeviceClock()

    def times(self, source: str, tz: str | None) -> Stamps | Ticks:
        """What gives each row its time."""
        if self.rate is not None:
            return Ticks(source, self.start, self.rate)
        return Stamps(source, tz, form=self.form, naive=self.clock)


def read_preamble(path: Path) -> Preamble:
    """The preamble of a table that is not compressed.

    Raises InputError for exports that hold no samples, or whose dates can be read in two ways.
    """
    if path.suffix.lower() in PARQUET:
        return Preamble()
    with path.open("rb") as file:
        lines = file.read(HEAD).decode("utf-8-sig", "replace").splitlines()
    first = lines[0] if lines else ""
    if "Data File Created By ActiGraph" in first:
        return _actilife(lines, path.name)
    if first.startswith("Device Type"):
        return _geneactiv(lines, path.name)
    if re.match(r"acceleration \(mg\) - ", first):
        raise InputError(
            f"{path.name}: it holds the movement of epochs as UK Biobank publishes it, without the "
            f"angle of the arm; {_RAW}."
        )
    if _ROW.fullmatch(first.strip()):
        return Preamble(names=_numbered(COLUMNS, first))
    return Preamble()


def _numbered(names: Sequence[str], row: str) -> tuple[str, ...]:
    """Names of all columns of a row, the later ones by number."""
    count = row.count(",") + 1
    return (*names, *(f"column {i + 1}" for i in range(len(names), count)))[:count]


def _geneactiv(lines: list[str], source: str) -> Preamble:
    """GENEActiv PC Software: 100 lines of ``name,value``, then rows without names."""
    check_commas(lines[0], source)
    row = next((i for i, line in enumerate(lines) if _ROW.fullmatch(line.strip())), None)
    if row is None:
        raise InputError(f"{source}: a header of GENEActiv's software without rows; {_RAW}.")
    said = dict(line.split(",", 1) for line in lines[:row] if "," in line)
    cells = lines[row].strip().split(",")
    if len(cells) > len(_GENEACTIV):
        raise InputError(
            f"{source}: it is GENEActiv's 'epoch compressed' export, whose means of x, y and z do "
            f"not tell how much the arm moved; {_RAW}."
        )
    offset = clock_offset(said.get("Time Zone", ""))
    colon = re.search(r":\d\d:\d\d:\d", cells[0])
    return Preamble(
        "GENEActiv csv",
        said.get("Device Type", "").strip(),
        said.get("Device Unique Serial Code", "").strip(),
        skip=row,
        names=_numbered(_GENEACTIV, lines[row]),
        form="%Y-%m-%d %H:%M:%S:%3f" if colon else None,
        clock=DeviceClock(offset, offset, "header: Time Zone"),
    )


def _actilife(lines: list[str], source: str) -> Preamble:
    """ActiLife: ten lines, then rows with or without times and names."""
    head = lines[:20]
    said = lambda name: next((x[len(name) :].strip() for x in head if x.startswith(name)), "")
    end = next((i for i, line in enumerate(head[1:], 1) if re.fullmatch(r"-+", line.strip())), None)
    if end is None:
        raise InputError(f"{source}: its header of ActiLife has no end; copy it again.")
    rest = [i for i in range(end + 1, len(lines)) if lines[i].strip()]
    epoch = said("Epoch Period (hh:mm:ss)")
    if epoch.strip("0:") or any("Axis1" in lines[i] for i in rest[:1]):
        raise InputError(
            f"{source}: it is ActiLife's export of counts (epochs of {epoch}), which are not "
            f"acceleration; {_RAW}."
        )
    if not rest:
        raise InputError(f"{source}: a header of ActiLife without rows; copy it again.")
    row = lines[rest[0]]
    check_commas(row, source)
    form = _form_of_dates(lines[0], said("Start Date"), source)
    rate = number(lines[0].rpartition(" at ")[2])
    named = re.search("[A-Za-z]", row) is not None
    has_time = "time" in row.lower() if named else ":" in row
    if not has_time and rate is None:
        raise InputError(
            f"{source}: its rows have no times and its header no rate ('at 30 Hz'); export it with "
            "timestamps."
        )
    return Preamble(
        "ActiLife csv",
        f"ActiGraph {lines[0].split('ActiGraph ')[-1].split(' ')[0]}",
        said("Serial Number:"),
        skip=rest[0],
        names=None if named else _numbered(COLUMNS if has_time else COLUMNS[1:], row),
        form=f"{form} %H:%M:%S%.f" if has_time else None,
        start=0 if has_time else _start(form, said("Start Date"), said("Start Time"), source),
        rate=None if has_time else rate,
    )


def _form_of_dates(first: str, example: str, source: str) -> str:
    """How dates are written, as strptime has it: as the first line says, or as there is one way."""
    stated = re.search(r"date format (\S+)", first)
    parts = re.fullmatch(r"(d+|M+|y+)([/.\-])(d+|M+|y+)\2(d+|M+|y+)", stated[1] if stated else "")
    if parts and {part[0] for part in parts.group(1, 3, 4)} == set("dMy"):
        code = {"d": "%d", "M": "%m", "y": "%Y" if "yyyy" in parts[0] else "%y"}
        return parts[2].join(code[part[0]] for part in parts.group(1, 3, 4))
    found = re.fullmatch(r"(\d{1,2})([/.\-])(\d{1,2})\2\d{4}", example)
    if re.fullmatch(r"\d{4}-\d\d?-\d\d?", example):
        return "%Y-%m-%d"
    if found and max(int(found[1]), int(found[3])) > 12:
        order = ("%d", "%m") if int(found[1]) > 12 else ("%m", "%d")
        return found[2].join((*order, "%Y"))
    raise InputError(
        f"{source}: its header does not say how dates are written, and 'Start Date {example}' can "
        "be read in two ways; add 'date format M/d/yyyy', or d/M/yyyy, to its first line."
    )


def _start(form: str, date: str, time: str, source: str) -> int:
    """ns since 1970 of the start in the header, by the device's clock."""
    try:
        begin = datetime.strptime(f"{date} {time}", f"{form} %H:%M:%S")
    except ValueError:
        raise InputError(
            f"{source}: the start in its header, {date!r} {time!r}, is not a date and time of the "
            f"form {form} %H:%M:%S; correct it."
        ) from None
    return int((begin - datetime(1970, 1, 1)).total_seconds()) * SECOND_NS
