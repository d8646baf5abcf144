"""Epochs that GGIR or wristpy has exported -> recordings, as `data.raw` takes them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.devices.converted import Converted
from sleepjax.devices.stamps import Stamps
from sleepjax.devices.table_columns import Mapped, numbers
from sleepjax.devices.units import SECOND_NS
from sleepjax.devices.wall_clock import wall_clock
from sleepjax.tables import read_table
from sleepjax.types import InputError

_MG_AT_TOP, _MG_AT_MIDDLE = 3.0, 0.3
"""ENMO whose 99 % quantile or median is above these is in mg: people do not move that much in g."""


def convert_epochs(
    path: Path,
    mapped: Mapped,
    *,
    tz: str | None,
    device_tz: str | None,
    units: str | None,
    name: str,
) -> Iterator[Converted]:
    """The recordings of a table of epochs, one of each series id where it has such a column.

    Raises InputError naming the file, the place and the remedy.
    """
    if units not in (None, "g", "mg"):
        raise InputError(f"units {units!r}: enmo is in 'g' or 'mg'.")
    table = read_table(path, text=True)
    names = mapped.names
    if not table.height:
        raise InputError(f"{path.name}: it has no rows.")
    parts = [table]
    if "series_id" in names:
        parts = table.partition_by(names["series_id"], maintain_order=True)
    for rows in parts:
        series = str(rows[names["series_id"]][0]) if "series_id" in names else name
        where = f"{path.name}: series {series!r}"
        stamps = Stamps(where, tz)
        seconds = stamps.read(rows[names["time"]]) // SECOND_NS
        wall = wall_clock(where, stamps.clock(), int(seconds[0]), tz=tz, device_tz=device_tz)
        enmo = _numbers(rows[names["enmo"]], where)
        unit, said = _unit(enmo, units or mapped.units.get("enmo"), bool(units), where)
        frame = pl.DataFrame(
            {
                "series_id": pl.Series([series]).new_from_index(0, rows.height),
                "step": np.arange(rows.height),
                "timestamp": wall.texts(seconds),
                "anglez": _numbers(rows[names["anglez"]], where).cast(pl.Float32),
                "enmo": (enmo / (1000 if unit == "mg" else 1)).cast(pl.Float32),
            }
        )
        quality = {
            "format": "table of epochs",
            "device": "",
            "serial": "",
            "units": said,
            "tz": wall.name,
            "tz_source": wall.source,
            "start": frame["timestamp"][0],
            "end": frame["timestamp"][-1],
            "calibration": {"applied": None, "reason": "by the program that wrote the epochs"},
            "partial": False,
            "notes": list(wall.notes),
        }
        yield Converted(frame, None, quality)


def _numbers(column: pl.Series, where: str) -> pl.Series:
    values = numbers(column, where)
    wrong = values.is_null() & column.is_not_null()
    if column.dtype == pl.String:
        wrong &= ~column.str.strip_chars().str.to_lowercase().is_in(["", "na", "nan", "null"])
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise InputError(
            f"{where}, row {row}: {column.name} is {column[row]!r}; it must be a number."
        )
    return values


def _unit(enmo: pl.Series, said: str | None, given: bool, where: str) -> tuple[str, str]:
    """(unit, how it is known)."""
    values = enmo.drop_nulls().drop_nans()
    top = float(values.quantile(0.99) or 0)
    middle = float(values.median() or 0)  # type: ignore[arg-type]
    looks = "mg" if top > _MG_AT_TOP or middle > _MG_AT_MIDDLE else "g"
    if said == "g" and looks == "mg":
        raise InputError(
            f"{where}: enmo is stated in g, but one in a hundred values is above {top:.3g}: "
            "people do not move that much; give units='mg' (--units)."
        )
    if said:
        return said, f"{said} ({'given' if given else 'from the name of the column'})"
    return looks, f"{looks} (detected: 99 % of enmo are below {top:.3g})"
