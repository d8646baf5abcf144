"""Sleep diaries: a csv file of nights by the person's own account, read without guessing.

Columns: ``person``, ``date``, and any of ``bed`` (lights out), ``onset``, ``wakeup`` and ``rise``
(out of bed). A cell may be empty. Times are a clock time (``22:15``, ``10:15 pm``, ``10pm``) or a
date with one (``2018-08-14 22:15``), by the clock on the wall. The date of a row is that of the
evening or that of the morning; the file does not say which, so the reader is told.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from sleepjax.data.cells import EMPTY_WORDS, read_typed
from sleepjax.tables import require_columns
from sleepjax.types import InputError

Dates = Literal["evening", "morning"]
TIMES = ("bed", "onset", "wakeup", "rise")
"""In the order in which they come."""
HOUR, DAY = 3600, 86_400
MENTIONED = 20
"""Lines that an error names."""
LONGEST = 20 * HOUR
"""From the first to the last time of a row; more is a slip of the pen."""
SCHEMA = {"row": pl.Int64, "person": pl.String, "date": pl.String, **dict.fromkeys(TIMES, pl.Int64)}
_CLOCK = re.compile(
    r"(\d{1,2})(?::(\d\d)(?::(\d\d))?(?:\.0+)?)?(?:\s*([ap])\.?m\.?)?", re.IGNORECASE
)
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")
"""What spreadsheets and data frames add to a date."""
_DATED = re.compile(r"(.+?)[T ]\s*(\d{1,2}:.*)")
_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y")
_EPOCH = date(1970, 1, 1)


def read_diary(path: str | Path, *, dates: Dates) -> pl.DataFrame:
    """Read a diary.

    A clock time is placed by the evening's date: bed and onset from noon to noon, a row that has
    only wakeup or rise from 18:00 to 18:00, and each later time of a row at its first moment
    after the one before. People who sleep by day write dates with their times.

    Args:
      path: csv or parquet.
      dates: whether ``date`` is that of the evening before the sleep or of the morning after.

    Returns row (line of the file), person, date (of the evening), and bed, onset, wakeup and rise
    in local seconds since 1970-01-01, null where empty.
    Raises InputError, naming file, line and remedy, for cells that can be understood in two ways,
    times out of order, and rows of a person that overlap.
    """
    path = Path(path)
    if dates not in ("evening", "morning"):
        raise InputError(
            f"dates={dates!r} must be 'evening', where the date of a night is that of the evening "
            "before it, or 'morning'."
        )
    table, lines = read_typed(path)
    require_columns(table.columns, ("person", "date"), path.name)
    known = [name for name in TIMES if name in table.columns]
    if not {"onset", "wakeup"} & set(known):
        raise InputError(
            f"{path.name}: it has neither a column 'onset' nor 'wakeup'; it has: "
            f"{', '.join(table.columns)}."
        )
    rows, faults = [], []
    for line, cells in zip(lines, table.iter_rows(named=True), strict=True):
        try:
            rows.append(_row(cells, known, dates, line, f"{path.name}, line {line}"))
        except InputError as error:
            faults.append((line, error))
    if faults:
        raise _first(faults)
    diary = pl.DataFrame(rows, schema=SCHEMA)
    _check_overlap(diary, path.name)
    return diary


def _first(faults: Sequence[tuple[int, InputError]]) -> InputError:
    """The first of the faults, with the lines of the others: a diary is corrected at once."""
    others = [line for line, _ in faults[1:]]
    more = ", ".join(map(str, others[:MENTIONED])) + (", ..." if others[MENTIONED:] else "")
    also = f" Lines that cannot be read either ({len(others)}): {more}." if others else ""
    return InputError(f"{faults[0][1]}{also}")


def _row(
    cells: Mapping[str, str | None], known: list[str], dates: Dates, line: int, where: str
) -> dict[str, str | int | None]:
    person = _text(cells["person"])
    if person is None:
        raise InputError(f"{where}: the person is empty; name who slept.")
    given = {name: text for name in known if (text := _text(cells[name])) is not None}
    evening = _date(_text(cells["date"]), where)
    if evening is not None and dates == "morning":
        evening -= 1
    times: dict[str, int | None] = dict.fromkeys(TIMES)
    before: tuple[str, int] | None = None
    for name, text in given.items():
        at = _placed(name, text, evening, before, where)
        if before is not None and (at < before[1] or (name == "wakeup" and at == before[1])):
            raise InputError(
                f"{where}: {name} {text!r} is not after {before[0]} {given[before[0]]!r}; "
                "correct it."
            )
        times[name], before = at, (name, at)
    placed = [at for at in times.values() if at is not None]
    if placed and placed[-1] - placed[0] > LONGEST:
        said = ", ".join(f"{name} {text}" for name, text in given.items())
        raise InputError(
            f"{where}: {said} span more than {LONGEST // HOUR} hours; are two of them swapped, or "
            "is am taken for pm?"
        )
    if evening is None and placed:
        evening = (placed[0] - DAY // 2) // DAY
    shown = None if evening is None else str(date.fromordinal(evening + _EPOCH.toordinal()))
    return {"row": line, "person": person, "date": shown, **times}


def _text(cell: str | None) -> str | None:
    """A cell without blanks around it, None where it says that nothing is known."""
    text = "" if cell is None else cell.strip()
    return None if text in EMPTY_WORDS else text


def _date(text: str | None, where: str) -> int | None:
    """Days since 1970-01-01 of a date that can be read in one way only."""
    if text is None:
        return None
    for form in _FORMATS:
        try:
            return (datetime.strptime(_MIDNIGHT.sub("", text), form).date() - _EPOCH).days
        except ValueError:
            continue
    why = "day and month cannot be told apart" if "/" in text else "it is not a date"
    raise InputError(f"{where}: date {text!r}: {why}; write it like 2018-08-14.")


def _placed(
    name: str, text: str, evening: int | None, before: tuple[str, int] | None, where: str
) -> int:
    """Local seconds of a time: as dated, or at its first moment that fits."""
    dated = _DATED.fullmatch(text)
    if dated:
        day, clock = dated.groups()
        if re.search(r"Z$|[+-]\d\d:?\d\d$", clock):
            raise InputError(
                f"{where}: {name} {text!r} has a UTC offset; write what the clock on the wall "
                "showed, without it."
            )
        number = _date(day, where)
        assert number is not None
        return number * DAY + _clock(clock, name, where)
    second = _clock(text, name, where)
    if before is not None:
        return before[1] + (second - before[1]) % DAY
    if evening is None:
        raise InputError(f"{where}: the date is empty and {name} {text!r} has none; add it.")
    begin = evening * DAY + (12 if name in ("bed", "onset") else 18) * HOUR
    return begin + (second - begin) % DAY


def _clock(text: str, name: str, where: str) -> int:
    """Seconds after midnight of a clock time."""
    match = _CLOCK.fullmatch(text.strip())
    match = match if match and (match.group(2) or match.group(4)) else None  # 7 is no time, 7 pm is
    hour, minute, second = (int(part or 0) for part in match.groups()[:3]) if match else (99, 0, 0)
    half = match.group(4) if match else None
    if half:
        hour = hour % 12 + 12 * (half.lower() == "p") if 1 <= hour <= 12 else 99
    if hour > 23 or minute > 59 or second > 59:
        raise InputError(
            f"{where}: {name} {text!r} is not a clock time; write it like 22:15 or 10:15 pm "
            "(midnight is 00:00), or with its date, like 2018-08-14 22:15."
        )
    return hour * HOUR + minute * 60 + second


def _check_overlap(diary: pl.DataFrame, name: str) -> None:
    """Raise InputError where two rows of a person are about one sleep."""
    last: dict[str, tuple[int, int]] = {}
    begins = pl.min_horizontal(TIMES)
    whole = diary.with_columns(_begin=begins, _end=pl.max_horizontal(TIMES)).drop_nulls("_begin")
    for row in whole.sort("person", "_begin", "row").iter_rows(named=True):
        end, line = last.get(row["person"], (-1, 0))
        if row["_begin"] < end:
            raise InputError(
                f"{name}, lines {line} and {row['row']}: two rows of person {row['person']!r} are "
                "about the same time; correct a date, or remove one."
            )
        last[row["person"]] = (row["_end"], row["row"])
