"""Series of any kind of file, device files too, as `data.raw` reads those of its columns."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sleepjax.data import raw
from sleepjax.data.raw import Rows
from sleepjax.data.recording import Recording
from sleepjax.devices.kinds import TABLE, recognise
from sleepjax.devices.reading import check_name, is_series, recordings
from sleepjax.tables import column_names
from sleepjax.types import InputError

T = TypeVar("T")


def count_rows(path: Path) -> int:
    """Rows of a file of 5-second series, as `raw.count_rows`; 0 of any other kind of file."""
    return raw.count_rows([path]) if _in_our_columns(path) else 0


def iter_rows(path: Path, *, tz: str | None = None) -> Iterator[Rows]:
    """The rows of one series after the other, of any file that `recordings` reads.

    ``tz`` is the zone of the person, which device files and raw samples may need. Raises InputError
    naming what is wrong and the remedy.
    """
    if _in_our_columns(path):
        yield from raw.iter_rows(path)
        return
    for one in recordings(path, tz=tz):
        yield Rows(path, one.frame, 0, one.frame["series_id"][0])


def iter_recordings(
    path: Path, *, tz: str | None = None, refused: list[str] | None = None
) -> Iterator[Recording]:
    """As `raw.iter_recordings`, of any file that `recordings` reads."""
    yield from raw.usable(iter_rows(path, tz=tz), tz=tz, refused=refused)


def until_fault(series: Iterator[T], name: Callable[[T], str]) -> Iterator[T | InputError]:
    """What is read of a file, and last what is wrong where the rest of it cannot be read.

    ``name`` is the series id of what is read.
    """
    last = ""
    try:
        for one in series:
            last = f" Nothing after series {name(one)!r} was read."
            yield one
    except InputError as error:
        yield InputError(f"{error}{last}")


def _in_our_columns(path: Path) -> bool:
    kind, packed = recognise(path)
    if kind != TABLE or packed:
        return False
    check_name(path)
    return is_series(column_names(path))
