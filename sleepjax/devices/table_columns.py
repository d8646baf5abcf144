"""Columns of tables: what each is, by its name in the exports of devices and programs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from sleepjax.config import nearest
from sleepjax.types import InputError

_TIME = ("time", "timestamp", "datetime", "dateandtime", "headertimestamp", "ts", "timestampms")
_AXIS = "{0} acc{0} accel{0} acceleration{0} accelerometer{0} a{0} {0}axis axis{0} {0}acc {0}accel"
NAMES = {
    "series_id": ("seriesid", "series", "filename"),
    "step": ("step",),
    "time": _TIME,
    "x": tuple(_AXIS.format("x").split()),
    "y": tuple(_AXIS.format("y").split()),
    "z": tuple(_AXIS.format("z").split()),
    "anglez": ("anglez", "angle"),
    "enmo": ("enmo", "acc"),
}
"""What is looked for -> names that mean it, in small letters and without units and marks."""
RAW = ("time", "x", "y", "z")
EPOCHS = ("time", "anglez", "enmo")
_UNITS = {"g": "g", "mg": "mg", "millig": "mg"}
_UNITS |= dict.fromkeys(("m/s2", "m/s^2", "ms2", "ms-2"), "m/s2")


@dataclass(frozen=True)
class Mapped:
    """Which column of a table is what."""

    names: dict[str, str]
    """What -> name of the column."""
    units: dict[str, str]
    """What -> unit that stands in the column's name; absent where none does."""

    def holds(self, wanted: Iterable[str]) -> bool:
        """Whether all of these were found."""
        return set(wanted) <= set(self.names)


def map_columns(have: Iterable[str], given: Mapping[str, str] | None, source: str) -> Mapped:
    """Find the columns; ``given`` is what -> name, as the user says.

    Raises InputError for a name that the table lacks or that is taken for two things, and for two
    columns that could be the same thing.
    """
    have = list(have)
    given = dict(given or {})
    for what, name in given.items():
        if what not in NAMES:
            raise InputError(f"columns: {what!r} is not one of {', '.join(NAMES)}.")
        if name not in have:
            raise InputError(
                f"{source}: column {name!r}, named for {what}, is missing{nearest(name, have)} "
                f"It has: {_listed(have)}."
            )
    names, units = dict(given), {}
    for column in have:
        plain, unit = _plain(column)
        what = next((w for w, known in NAMES.items() if plain in known), None)
        if what is None or column in given.values() or what in given:
            continue
        if what in names:
            raise InputError(
                f"{source}: columns {names[what]!r} and {column!r} could both be {what}; say "
                f"which: columns={{{what!r}: {column!r}}} (process --columns {what}={column})."
            )
        names[what] = column
        if unit:
            units[what] = unit
    return Mapped(names, units)


def _plain(column: str) -> tuple[str, str]:
    """(``accx``, ``mg``) of ``Acc X [mg]``."""
    text = column.strip().lower().replace("²", "2")
    found = re.fullmatch(r"(.*?)\s*[\[(]\s*([^\])]*)\s*[\])]", text)
    unit = ""
    if found and (known := _UNITS.get(found[2].replace(" ", ""))):
        text, unit = found[1], known
    elif found:
        text = found[1]
    elif ended := re.fullmatch(r"(.*[xyz]|enmo|acc)_(mg|g)", text):
        text, unit = ended[1], ended[2]
    return re.sub(r"[^a-z0-9]", "", text), unit


def numbers(column: pl.Series, source: str) -> pl.Series:
    """Float64 of a column of numbers or of text, null where a cell is no number.

    Raises InputError for columns of another kind, such as lists.
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        return column.str.strip_chars().cast(pl.Float64, strict=False)
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise InputError(
            f"{source}: column {column.name!r} holds {column.dtype}; it must hold numbers."
        )
    return column.cast(pl.Float64)


def nothing_known(have: Iterable[str], source: str) -> InputError:
    """The error for a table that holds neither samples nor epochs."""
    return InputError(
        f"{source}: its columns are {_listed(list(have))}. A series needs series_id, step, "
        "timestamp, anglez, enmo; a table of epochs timestamp, anglez, ENMO; one of raw samples "
        "time, x, y, z. Other names can be given: columns={'time': ..., 'x': ...} "
        "(process --columns time=...,x=...)."
    )


def _listed(names: list[str]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:37]}..." for name in names]
    return ", ".join(shown[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
