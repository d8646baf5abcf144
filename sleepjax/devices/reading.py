"""Reading of any supported file: every recording in it as `Converted`."""

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl

from sleepjax.data.raw import COLUMNS, Rows, iter_rows, typed_frame
from sleepjax.devices.convert import series_name
from sleepjax.devices.converted import Converted
from sleepjax.devices.device_file import convert_device
from sleepjax.devices.epoch_table import convert_epochs
from sleepjax.devices.kinds import TABLE, recognise
from sleepjax.devices.pieces import unpack
from sleepjax.devices.preamble import read_preamble
from sleepjax.devices.raw_table import convert_raw
from sleepjax.devices.table_columns import EPOCHS, RAW, map_columns, nothing_known
from sleepjax.tables import TABLES, column_names
from sleepjax.types import InputError


def recordings(
    path: str | Path,
    *,
    tz: str | None = None,
    device_tz: str | None = None,
    columns: dict[str, str] | None = None,
    units: str | None = None,
    lenient: bool = False,
    jobs: int = 1,
) -> Iterator[Converted]:
    """Every recording of a file of any supported kind, recognised by what it holds.

    Args:
      path: ActiGraph .gt3x, GENEActiv .bin, Axivity .cwa, each also .gz; csv or parquet of raw
        samples, of epochs of GGIR or wristpy, or in the competition's columns.
      tz: IANA zone of the person's clock; needed where the file does not name one.
      device_tz: zone to which the device was set, where it is another one.
      columns: what the columns of a table are called, such as ``{"time": "ts", "x": "ax"}``.
      units: "g", "mg" or "m/s2", of raw samples in a table; detected where not given.
      lenient: read what is undamaged of a damaged device file, and mark it as partial.
      jobs: processes for one device file; a table is read in one.

    Raises InputError naming file, what is wrong and the remedy.
    """
    path = Path(path)
    kind, packed = recognise(path)
    if kind != TABLE:
        yield from convert_device(
            path, kind, packed, tz=tz, device_tz=device_tz, lenient=lenient, jobs=jobs
        )
        return
    with tempfile.TemporaryDirectory(prefix="sleepjax-") as folder:
        name = series_name(path)
        path = unpack(path, Path(folder)) if packed else path
        check_name(path)
        top = read_preamble(path)
        have = top.names or column_names(path, top.skip)
        if columns is None and is_series(have):
            for rows in iter_rows(path):
                yield Converted(_typed(rows), None, {"format": "5-second series", "notes": []})
            return
        mapped = map_columns(have, columns, path.name)
        if mapped.holds(RAW if top.rate is None else "xyz"):
            yield from convert_raw(path, mapped, top, tz=tz, device_tz=device_tz, units=units)
        elif mapped.holds(EPOCHS):
            yield from convert_epochs(
                path, mapped, tz=tz, device_tz=device_tz, units=units, name=name
            )
        else:
            raise nothing_known(have, path.name)


def _typed(rows: Rows) -> pl.DataFrame:
    """The rows with numbers as numbers; as text where one is not, which validation says."""
    try:
        return typed_frame(rows.frame, rows.path.name)
    except InputError:
        return rows.frame


def check_name(path: Path) -> None:
    """Raise InputError for a table whose name says that it is something else."""
    if path.suffix.lower() not in TABLES:
        with path.open("rb") as file:
            head = file.read(8)
        raise InputError(
            f"{path.name}: it is not a device's file; it begins with {head!r}. If it is a table, "
            "let its name end in .csv or .parquet."
        )


def is_series(have: Collection[str]) -> bool:
    """Whether a table has the columns of a 5-second series, or most of them and no others instead.

    What is wrong with the latter is said by `data.raw`, which names the nearest column.
    """
    missing = set(COLUMNS) - set(have)
    return not missing or ("series_id" in have and len(missing) == 1 and "step" not in missing)
