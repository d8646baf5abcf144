"""Timestamps, each validated: UTC milliseconds and the UTC offset of the wall clock.

Accepted: ISO 8601 text with a UTC offset (``2018-08-14T15:30:00-0400``; ``-04:00``, ``Z``, a space
for the T and fractions of a second too), text without an offset when a time zone is named, and
polars datetimes. Where a zone is named it is the wall clock: timestamps in UTC are converted to it,
other offsets must be those of the zone. The competition's fixed width of 24 bytes is seen as three
numbers of eight bytes. Where each stamp is five seconds after the one before they are compared with
what they must be; others of that width are read from the numbers, and anything else by a general
parser, tens of times slower. All give the same answer.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import numpy as np
import polars as pl
from jaxtyping import Int, UInt64

from sleepjax.data import zones
from sleepjax.data.zones import EXAMPLE
from sleepjax.types import STEP_SECONDS, InputError

_DAY_MS = 86_400_000
_ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?$"
_TIME = r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)"
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
_MAX_RUNS = 20_000
_RUN = 4000  # stamps; where the regular runs are shorter on average, each stamp is read faster
_EVERY_STEP = np.arange(0, _DAY_MS, 1000 * STEP_SECONDS)
_LOW_24 = np.uint64(0xFFFFFF)
_DIGITS = np.uint64(0x0F0F000F0F000F0F)  # the low halves of the digits of "15:30:00"
_COLONS = np.uint64(0x30303A30303A3030)  # what is left of it without them
_SIX = np.uint64(0x0606000606000606)


def parse(
    stamps: pl.Series,
    *,
    tz: str | None,
    where: str,
    lines: Sequence[int] | None = None,
    near: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read T timestamps: (UTC in ms since 1970, int64 [T]; local minus UTC in seconds, int64 [T]).

    Args:
      stamps: text or polars datetimes.
      tz: IANA zone of the wall clock, such as ``America/New_York``; needed where timestamps carry
        no offset.
      where: file and series, for the error text.
      lines: the line of the file that each stamp is from; without it rows are counted from 0.
      near: UTC in ms [T]; of the two passes of an hour that daylight saving repeats, the one
        closer to it is meant. Without it the order of the rows tells them apart.

    Raises InputError naming the first row that is empty, malformed, has no offset, or has another
    offset than ``tz``.
    """
    if tz is not None:
        zones.check(tz)  # misspelt is misspelt, needed or not
    place = lambda row: f"{where}, row {row}" if lines is None else f"{where}, line {lines[row]}"
    if stamps.null_count():
        row = int(stamps.is_null().arg_max() or 0)
        raise InputError(
            f"{place(row)}: the timestamp is empty (is the file cut short?); "
            f"write it like {EXAMPLE}."
        )
    if isinstance(stamps.dtype, pl.Datetime):
        return _from_datetime(stamps, tz, place, near)
    if stamps.dtype != pl.String:
        raise InputError(f"{where}: timestamp is {stamps.dtype}; it must be text like {EXAMPLE}.")
    if stamps.len() and (stamps.str.len_bytes() == 24).all():
        parsed = _fixed_width(stamps)
        if parsed is not None:
            return zones.on_wall_clock(stamps, *parsed, tz, place)
    return _from_text(stamps, tz, place, near)


Words = UInt64[np.ndarray, "T 3"]
"""24 bytes of each stamp: ``2018-08-``, ``14T15:30`` and ``:00-0400``."""
Parsed = tuple[Int[np.ndarray, " T"], Int[np.ndarray, " T"]]
"""UTC in ms, offset in seconds."""


def _fixed_width(stamps: pl.Series) -> Parsed | None:
    """Read 24-byte stamps ``YYYY-MM-DDTHH:MM:SS+hhmm``; None where any is not exactly that."""
    words = stamps.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt64, 3))
    words = words.reshape((-1,)).to_numpy().reshape(-1, 3)
    return _every_step(words) or _by_digits(words)


def _every_step(words: Words) -> Parsed | None:
    """Read stamps of which nearly all are a step after the one before; None for others.

    The first stamp of a run is read. What the others must be until midnight follows from it.
    """
    utc, offset = np.empty((2, len(words)), np.int64)
    row = runs = 0
    while row < len(words):
        runs += 1
        text = words[row].tobytes().decode("latin-1")
        began, time = _midnight(text), re.fullmatch(_TIME, text[11:19])
        if began is None or time is None or runs > 3 + row // _RUN:
            return None
        hours, minutes, seconds = map(int, time.groups())
        seconds += 3600 * hours + 60 * minutes
        place, second = divmod(seconds, STEP_SECONDS)
        day, rest = _texts_of_day(second)[place:], words[row:]
        day, rest = day[: len(rest)], rest[: len(day)]
        # The day of the table and the run differ in date and offset, by the same bits in each row.
        bits = (day ^ rest).ravel()
        breaks = bits[3:] != bits[:-3]
        size = int(breaks.argmax()) // 3 + 1 if breaks.any() else len(rest)
        run = slice(row, row + size)
        utc[run] = _EVERY_STEP[:size]
        utc[run] += began[0] + 1000 * seconds
        offset[run] = began[1]
        row += size
    return utc, offset


@lru_cache(maxsize=STEP_SECONDS)
def _texts_of_day(second: int) -> Words:
    """The stamps of a day in steps, of which the first is at ``second`` after midnight."""
    times = np.arange(second, _DAY_MS // 1000, STEP_SECONDS).astype("M8[s]")
    text = np.char.add(np.datetime_as_string(times).astype("S19"), b"+0000")
    return text.view(np.uint64).reshape(-1, 3)


def _by_digits(words: Words) -> Parsed | None:
    """Read stamps from their bytes; None where any is not exactly that.

    Date and offset change once a day or less, so they are parsed once per run of equal bytes.
    """
    words = np.ascontiguousarray(words.T)
    rest = (words[1] & _LOW_24) | (words[2] & ~_LOW_24)  # "14T-0400"
    starts = np.flatnonzero((words[0, 1:] != words[0, :-1]) | (rest[1:] != rest[:-1])) + 1
    starts = np.concatenate([[0], starts])
    if starts.size > _MAX_RUNS:
        return None
    began = [_midnight(stamp.tobytes().decode("latin-1")) for stamp in words[:, starts].T.copy()]
    seconds = _seconds_of_day((words[1] >> 24) | (words[2] << 40))  # "15:30:00"
    if seconds is None or None in began:
        return None
    counts = np.diff(np.append(starts, len(rest)))
    midnight, offset = np.repeat(np.array(began, np.int64), counts, axis=0).T
    return midnight + 1000 * seconds, offset


def _midnight(text: str) -> tuple[int, int] | None:
    """The midnight before a stamp of 24 bytes, UTC in ms, and its offset; None for other text."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT.{8}[+-]\d{4}", text):
        return None
    try:
        day = date.fromisoformat(text[:10]).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None
    offset = _offset_seconds(text[19:])
    if offset is None:
        return None
    return day * _DAY_MS - offset * 1000, offset


def _seconds_of_day(time: np.ndarray) -> np.ndarray | None:
    """int64 [T] of texts ``15:30:00``, eight bytes each as a number; None unless all are times."""
    digits = time & _DIGITS
    shaped = (time ^ digits) == _COLONS
    # The low half of a byte is one of 0 to 15, of which 6 more than a digit is still one.
    if not (shaped & (((digits + _SIX) & ~_DIGITS) == 0)).all():
        return None
    pairs = 10 * digits + (digits >> 8)  # of each two digits, in the byte of the first
    hours, minutes, seconds = (((pairs >> shift) & 0xFF).view(np.int64) for shift in (0, 24, 48))
    if hours.max() > 23 or minutes.max() > 59 or seconds.max() > 59:
        return None
    return 3600 * hours + 60 * minutes + seconds


def _from_text(
    stamps: pl.Series, tz: str | None, place: zones.Place, near: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Read any ISO 8601 text; slower, and the place where the errors are told apart."""
    parts = pl.DataFrame({"text": stamps.str.strip_chars()}).select(
        shaped=pl.col("text").str.contains(_ISO),
        local=(
            pl.col("text").str.slice(0, 10) + "T" + pl.col("text").str.slice(11, 8)
        ).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms", strict=False),
        fraction=pl.col("text").str.extract(r"(\.\d+)").cast(pl.Float64).fill_null(0.0),
        offset=pl.col("text").str.extract(_OFFSET),
    )
    names = parts["offset"].unique().drop_nulls().to_list()
    table = {name: offset for name in names if (offset := _offset_seconds(name)) is not None}
    known = parts["offset"].is_null() | parts["offset"].is_in(list(table))
    bad = ~(parts["shaped"] & parts["local"].is_not_null() & known)
    if bad.any():
        row = int(bad.arg_max() or 0)
        epoch = " (it looks like seconds since 1970)" if str(stamps[row]).isdigit() else ""
        raise InputError(
            f"{place(row)}: timestamp {stamps[row]!r} cannot be read{epoch}; write it like "
            f"{EXAMPLE}."
        )
    naive = parts["offset"].is_null()
    if naive.any() and not naive.all():
        row = int(naive.arg_max() or 0)
        raise InputError(
            f"{place(row)}: timestamp {stamps[row]!r} has no UTC offset while others have; "
            f"write every one like {EXAMPLE}."
        )
    local = parts["local"] + pl.Series(parts["fraction"] * 1000).round().cast(pl.Int64).cast(
        pl.Duration("ms")
    )
    if naive.any():
        return _from_datetime(local, tz, place, near)
    offset = parts["offset"].replace_strict(table, return_dtype=pl.Int64).to_numpy()
    utc = local.dt.epoch("ms").to_numpy() - offset * 1000
    return zones.on_wall_clock(stamps, utc, offset, tz, place)


def _from_datetime(
    stamps: pl.Series, tz: str | None, place: zones.Place, near: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Read polars datetimes; those without a zone are wall-clock times in ``tz``."""
    stamps = stamps.dt.cast_time_unit("ms")
    zone = stamps.dtype.time_zone  # type: ignore[attr-defined]
    if zone is None:
        utc = zones.localise(stamps, tz, place, near)
        return utc, zones.utc_offset(utc, str(tz))
    utc = stamps.dt.epoch("ms").to_numpy()
    return zones.on_wall_clock(stamps, utc, zones.utc_offset(utc, zone), tz, place)


def _offset_seconds(text: str) -> int | None:
    """Seconds of ``-0400``, ``-04:00`` or ``Z``; None beyond what clocks use (UTC±14 h)."""
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        return None
    return (-1 if text[0] == "-" else 1) * (hours * 3600 + minutes * 60)
