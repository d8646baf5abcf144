"""A diary beside the main sleep that was found, night by night, and their agreement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sleepjax.metrics.agreement import QUANTITIES, Agreement, agreement
from sleepjax.nights.columns import REASONS, Column, checked
from sleepjax.nights.diary import TIMES
from sleepjax.nights.night_columns import LONGEST
from sleepjax.nights.overlaps import CODE as TWICE
from sleepjax.types import EVENTS, STEP_SECONDS

S, I, F = pl.String, pl.Int64, pl.Float64
MINUTE = 60
NEAR = 6 * 60 * MINUTE
"""Seconds; a row with one end belongs to the sleep whose end is nearest, at most this far away."""
_YASA = "as YASA's and the AASM's sleep statistics"
_WORDS = {
    "bed": "Went to bed to sleep (lights out)",
    "onset": "Fell asleep",
    "wakeup": "Woke up",
    "rise": "Got out of bed",
}

DIARY = (
    Column("person", S, "", "Who kept the diary."),
    Column("row", I, "", "Line of the diary's file.", "", 1),
    Column("date", S, "date", "Date of the evening before the sleep."),
    *(
        Column(f"diary_{name}", S, "local time", f"{_WORDS[name]}, by the diary.")
        for name in TIMES
    ),
    Column("series_id", S, "", "Recording of the main sleep that belongs to this row."),
    Column("night", I, "", "Its night.", "", 1),
    Column("onset", S, "local time", "Its onset."),
    Column("wakeup", S, "local time", "Its wakeup."),
    *(
        Column(
            f"{name}_error_min", F, "min", f"Found minus diary, {name}; late is positive. Both by "
            "the clock on the wall.", "", -LONGEST, LONGEST,
        )
        for name in QUANTITIES
    ),
    Column(
        "time_in_bed_min", F, "min", "TIB: from the diary's bed to its rise, in time that passed.",
        _YASA, 0, LONGEST,
    ),
    Column(
        "sleep_efficiency", F, "0 to 1", "SE: tst_min of the main sleep over time_in_bed_min; "
        "empty where the sleep found is not within the time in bed.",
        f"SE = TST/TIB, {_YASA}", 0, 1,
    ),
    Column(
        "sleep_latency_min", F, "min", "SOL: from the diary's bed to the onset found.", _YASA, 0,
        LONGEST,
    ),
    Column(REASONS, S, "", "Codes that say why the row should not be used, and the night's."),
)  # fmt: skip
"""One row for each row of the diary."""


@dataclass(frozen=True)
class DiaryComparison:
    """A diary beside what was found."""

    nights: pl.DataFrame
    """The columns of `DIARY`, in the order of the diary."""
    agreement: Agreement | None
    """Of rows with both ends; None where no person with such a row has a recording."""


def compare_diary(nights: pl.DataFrame, diary: pl.DataFrame) -> DiaryComparison:
    """Compare the main sleep of nights (`nights_table`, of anybody) with a diary (`read_diary`).

    A row with both ends belongs to the main sleep that it overlaps most (`metrics.agreement`), a
    row with one end to that whose end is nearest, within six hours. Clock readings are compared,
    so that neither side needs a time zone. Sleep that by the clock ends before it begins, as on a
    flight to the west, belongs to no row, nor does sleep that is there from another recording too
    (``recorded_twice``).
    """
    ends = [_local(end).alias(f"{end}_s") for end in EVENTS]
    twice = pl.col(REASONS).str.split(" ").list.contains(TWICE)  # another row has this sleep
    found = nights.filter(~twice, kind="main").with_columns(ends)
    found = found.filter(pl.col("wakeup_s") > pl.col("onset_s"))
    people = set(nights["person"])
    mine = dict(found.with_row_index("_row").group_by("person").agg("_row").iter_rows())
    both = diary.drop_nulls(EVENTS).filter(pl.col("person").is_in(nights["person"].implode()))
    result = None if both.is_empty() else agreement(_steps(both, ""), _steps(found, "_s"))
    partner = {} if result is None else _partners(both, found, result)
    taken = set(partner.values())
    rows = []
    for row in diary.iter_rows(named=True):
        index = partner.get(row["row"])
        if index is None and sum(row[end] is not None for end in EVENTS) == 1:
            index = _nearest(row, found, [i for i in mine.get(row["person"], ()) if i not in taken])
            taken |= set() if index is None else {index}
        night = None if index is None else found.row(index, named=True)
        rows.append(_compared(row, night, row["person"] in people))
    return DiaryComparison(checked(rows, DIARY), result)


def _local(end: str) -> pl.Expr:
    """Local seconds since 1970-01-01 of a time with offset."""
    return pl.col(end).str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S").dt.epoch("s")


def _steps(frame: pl.DataFrame, suffix: str) -> pl.DataFrame:
    """Windows as `agreement` takes them: a person's local clock is the series."""
    return frame.select(
        pl.col("person").alias("series_id"),
        *((pl.col(f"{end}{suffix}") / STEP_SECONDS).alias(f"{end}_step") for end in EVENTS),
    )


def _partners(both: pl.DataFrame, found: pl.DataFrame, result: Agreement) -> dict[int, int]:
    """Row of the diary -> index of the main sleep that `agreement` gave to it."""
    keys = found.select("person", "onset_s", "wakeup_s").iter_rows()
    place = {key: index for index, key in enumerate(keys)}
    order = both.sort("person", "onset")["row"].to_list()
    columns = result.nights.select("series_id", "found_onset", "found_wakeup").iter_rows()
    return {
        row: place[person, round(onset * STEP_SECONDS), round(wakeup * STEP_SECONDS)]
        for row, (person, onset, wakeup) in zip(order, columns, strict=True)
        if onset is not None
    }


def _nearest(row: Mapping[str, Any], found: pl.DataFrame, free: list[int]) -> int | None:
    """Which of the free main sleeps has its end nearest to the one that the row has."""
    end = next(end for end in EVENTS if row[end] is not None)
    away = {index: abs(found[f"{end}_s"][index] - row[end]) for index in free}
    best = min(away, key=away.__getitem__, default=None)
    return best if best is not None and away[best] <= NEAR else None


def _compared(
    row: Mapping[str, Any], night: Mapping[str, Any] | None, known: bool
) -> dict[str, Any]:
    result: dict[str, Any] = {name: row[name] for name in ("person", "row", "date")}
    result |= {
        f"diary_{name}": None if row[name] is None else str(np.datetime64(row[name], "s"))
        for name in TIMES
    }
    if night is None:
        given = any(row[end] is not None for end in EVENTS)
        code = "no_night_found" if given else "no_time_given"
        return result | {REASONS: code if known else "no_recording"}
    result |= {name: night[name] for name in ("series_id", "night", *EVENTS)}
    late = lambda end, of: None if row[of] is None else (night[f"{end}_s"] - row[of]) / MINUTE
    onset, wakeup = late("onset", "onset"), late("wakeup", "wakeup")
    after_bed, after_rise = late("onset", "bed"), late("wakeup", "rise")
    codes = night[REASONS].split()
    result |= {"onset_error_min": onset, "wakeup_error_min": wakeup}
    if onset is not None and wakeup is not None:
        result["duration_error_min"] = wakeup - onset
        result["midpoint_error_min"] = (onset + wakeup) / 2
    if after_bed is not None and after_bed < 0:
        codes.append("asleep_before_bed")
    elif after_bed is not None:
        result["sleep_latency_min"] = after_bed
    if after_rise is not None and after_rise > 0:
        codes.append("awake_after_rise")
    if after_bed is not None and after_rise is not None:
        # The sleep in between by time that passed: the clock may have been changed in it.
        result["time_in_bed_min"] = in_bed = after_bed + night["spt_min"] - after_rise
        if after_bed >= 0 >= after_rise:
            result["sleep_efficiency"] = night["tst_min"] / in_bed
    return result | {REASONS: " ".join(codes)}
