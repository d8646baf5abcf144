"""Read the event file, and find each event's place in the recordings.

A row is one onset or wakeup of one night; an empty step says that the night was not labelled, which
is not the same as a night without sleep. A night with only one of the two events keeps its row, and
counts as unlabelled: nobody knows where it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.config import nearest
from sleepjax.data import cells, clock
from sleepjax.tables import read_table, require_columns
from sleepjax.types import EVENTS, STEP_SECONDS, InputError, SeriesMeta

COLUMNS = {
    "series_id": pl.String,
    "night": pl.Int64,
    "event": pl.String,
    "step": pl.Int64,
    "timestamp": pl.String,
}
_REMEDY = "correct the row, or make the night unlabelled with --drop_bad (--config.data.drop_bad)"


def read_events(
    path: str | Path, *, drop_bad: bool = False, counts: Counter | None = None
) -> pl.DataFrame:
    """Read and check an event csv: ``series_id, night, event, step, timestamp``.

    Args:
      path: csv with one row per night and event; other columns are ignored.
      drop_bad: turn nights whose wakeup is not after their onset into unlabelled ones instead of
        raising.
      counts: receives ``n_nights``, ``n_labelled``, ``n_unlabelled``, ``n_one_sided`` and
        ``n_dropped``.

    Returns a frame with the five columns, ``step`` null where unlabelled, sorted as in the file.
    Raises InputError naming the file and row.
    """
    path = Path(path)
    counts = Counter() if counts is None else counts
    events = _typed(read_text(path, COLUMNS), path.name)
    _check_names(events, path.name)
    nights = pair(events)
    bad = nights.filter(pl.col("wakeup") <= pl.col("onset"))
    if bad.height and not drop_bad:
        first = bad.row(0, named=True)
        raise InputError(
            f"{path.name}: {_name_night(first)} has its wakeup (step {first['wakeup']}) at or "
            f"before its onset (step {first['onset']}); {_REMEDY}."
        )
    events = unlabel(events, bad)
    counts["n_dropped"] += bad.height
    half = nights["onset"].is_null() != nights["wakeup"].is_null()
    counts["n_nights"] += nights.height
    counts["n_one_sided"] += int(half.sum())
    counts["n_labelled"] += nights.drop_nulls(["onset", "wakeup"]).height - bad.height
    counts["n_unlabelled"] = counts["n_nights"] - counts["n_labelled"] - counts["n_one_sided"]
    return events


def pair(events: pl.DataFrame) -> pl.DataFrame:
    """One row per series and night: ``onset`` and ``wakeup`` step, null where there is none."""
    step = lambda event: pl.col("step").filter(pl.col("event") == event).first().alias(event)
    return events.group_by("series_id", "night", maintain_order=True).agg(map(step, EVENTS))


def unlabel(events: pl.DataFrame, nights: pl.DataFrame) -> pl.DataFrame:
    """Empty step and timestamp of every event in the given (series_id, night) rows."""
    marked = nights.select("series_id", "night", _bad=True)
    joined = events.join(marked, on=["series_id", "night"], how="left", maintain_order="left")
    keep = pl.col("_bad").is_null()
    return joined.with_columns(
        pl.when(keep).then("step").alias("step"), pl.when(keep).then("timestamp").alias("timestamp")
    ).drop("_bad")


def locate_events(
    events: pl.DataFrame,
    metas: Mapping[str, SeriesMeta],
    *,
    source: str,
    left_out: Collection[str] = (),
    tz: str | None = None,
    drop_bad: bool = False,
    counts: Counter | None = None,
) -> pl.DataFrame:
    """Express every step in the numbering of the recordings' grids: ``first_step`` + grid row.

    The timestamp decides where it is given; without one the step does. The two must agree unless
    the recording's own steps disagree with its clock.

    Args:
      events: what `read_events` returns, all rows of the file.
      metas: the recordings, by series id.
      source: file name for the error text.
      left_out: series whose recordings could not be used; their events are left out too.
      tz: zone of timestamps without UTC offset.
      drop_bad: leave out events of unknown series, and turn nights with events off the grid or
        outside the recording and nights that overlap into unlabelled ones, instead of raising.
      counts: receives ``n_unknown_series`` and ``n_dropped``.
    """
    counts = Counter() if counts is None else counts
    events = events.with_row_index("line", offset=2)  # line 1 names the columns
    events = events.filter(~pl.col("series_id").is_in(list(left_out)))
    unknown = [s for s in events["series_id"].unique(maintain_order=True) if s not in metas]
    if unknown and not drop_bad:
        raise InputError(
            f"{source}: {len(unknown)} series have events but no recording: "
            f"{', '.join(unknown[:10])}{', ...' if len(unknown) > 10 else ''}; add their "
            f"recordings, remove their rows, or use --drop_bad to leave them out."
        )
    counts["n_unknown_series"] += len(unknown)
    events = events.filter(~pl.col("series_id").is_in(unknown))
    parts, bad_nights = [], []
    for (series_id,), part in events.group_by("series_id", maintain_order=True):
        part, bad = _locate(part, metas[str(series_id)], source, tz, drop_bad)
        parts.append(part)
        bad_nights.append(bad)
    if not parts:
        return events.drop("line")
    located = unlabel(pl.concat(parts), pl.concat(bad_nights))
    overlapping = _overlapping(pair(located), source, drop_bad)
    n_bad = overlapping.height + sum(bad.height for bad in bad_nights)
    counts["n_dropped"] += n_bad
    counts["n_labelled"] -= n_bad
    counts["n_unlabelled"] += n_bad
    return unlabel(located, overlapping).drop("line")


def _locate(part, meta: SeriesMeta, source: str, tz, drop_bad: bool):
    """Place the events of one series; return them and its nights that cannot be placed."""
    labelled = part.filter(pl.col("step").is_not_null())
    step = labelled["step"].to_numpy()
    row = (step - meta.first_step).astype(np.float64)
    renumbered = meta.qc.get("n_step_mismatch", 0) > 0 or meta.qc.get("sampling_seconds", 5) != 5
    timed = labelled["timestamp"].is_not_null().to_numpy()
    between = np.zeros(len(step), bool)
    slack = 0
    if timed.any():
        where = f"{source}: series {meta.series_id!r}"
        stamps, lines = labelled.select("timestamp", "line").filter(timed)
        near = None if renumbered else 1000 * (meta.start + STEP_SECONDS * row[timed])
        utc, _ = clock.parse(stamps, tz=tz, where=where, lines=lines, near=near)
        row[timed] = (utc / 1000 - meta.start) / STEP_SECONDS
        between[timed] = row[timed] != np.round(row[timed])
        if meta.start % STEP_SECONDS:
            # A device that began at second :02 has no step at the whole minutes annotators name.
            between[timed] &= utc % (1000 * STEP_SECONDS) != 0
            slack = 1
    whole = np.round(row)
    faults = {
        "lies between two steps of the recording, its timestamp is off the 5-s grid": between,
        f"lies outside the recording, which has steps {meta.first_step} to "
        f"{meta.first_step + meta.n_steps - 1}": (whole < 0) | (whole >= meta.n_steps),
    }
    if renumbered:
        text = "has no timestamp, and the steps of its recording disagree with the clock"
        faults[text] = ~timed
    else:
        text = "has a step and a timestamp that name different moments"
        faults[text] = np.abs(whole + meta.first_step - step) > slack
    bad = np.zeros(len(step), bool)
    for text, wrong in faults.items():
        if wrong.any() and not drop_bad:
            first = labelled.row(int(wrong.argmax()), named=True)
            raise InputError(
                f"{source}, line {first['line']}: {_name_night(first)} {first['event']} (step "
                f"{first['step']}, {first['timestamp'] or 'no timestamp'}) {text}; {_REMEDY}."
            )
        bad |= wrong
    located = labelled.with_columns(step=pl.Series(whole.astype(np.int64) + meta.first_step))
    nights = located.filter(pl.Series(bad)).select("series_id", "night").unique(maintain_order=True)
    order = pl.concat([located, part.filter(pl.col("step").is_null())])
    return order.sort("night", pl.col("event").replace_strict({"onset": 0, "wakeup": 1})), nights


def read_text(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """Read the csv as text; InputError in one line for whatever is not a csv with these columns."""
    table = read_table(path, suffixes=(".csv",), text=True)
    require_columns(table.columns, columns, path.name)
    return table.select(
        table[name] if name == "series_id" else cells.present(table[name]) for name in columns
    )


def whole_numbers(table: pl.DataFrame, meaning: Mapping[str, str], source: str) -> pl.DataFrame:
    """Int64 columns from text; ``5988.0``, which other tools write, is a whole number too.

    ``meaning`` names the columns, and says what an empty one means for the error text. Raises
    InputError for the first value that is no whole number of 0 or more; empty ones stay empty.
    """
    typed = table.with_columns(cells.whole_numbers(table[name]) for name in meaning)
    for name, empty in meaning.items():
        wrong = table[name].is_not_null() & ~(typed[name] >= 0).fill_null(False)
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise InputError(
                f"{source}, line {row + 2}: {name} is {table[name][row]!r}; it must be a whole "
                f"number of 0 or more{empty}."
            )
    return typed


def _typed(table: pl.DataFrame, source: str) -> pl.DataFrame:
    empty = {"night": "", "step": ", or empty where the night is unlabelled"}
    return whole_numbers(table, empty, source).cast(COLUMNS)  # type: ignore


def _check_names(events: pl.DataFrame, source: str) -> None:
    """Check ids, nights, event names, duplicates, and timestamps without a step."""
    for name in ("series_id", "night", "event"):
        if events[name].null_count():
            row = int(events[name].is_null().arg_max() or 0)
            raise InputError(f"{source}, line {row + 2}: {name} is empty.")
    wrong = ~events["event"].is_in(EVENTS)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        name = events["event"][row]
        raise InputError(
            f"{source}, line {row + 2}: event is {name!r}{nearest(name.lower(), EVENTS)} "
            f"It must be 'onset' or 'wakeup'."
        )
    twice = ~events.select(pl.struct("series_id", "night", "event").is_first_distinct())[
        "series_id"
    ]
    if twice.any():
        row = int(twice.arg_max() or 0)
        night = _name_night(events.row(row, named=True))
        raise InputError(f"{source}, line {row + 2}: {night} has a second {events['event'][row]}.")
    loose = events["step"].is_null() & events["timestamp"].is_not_null()
    if loose.any():
        row = int(loose.arg_max() or 0)
        raise InputError(
            f"{source}, line {row + 2}: a timestamp without a step; fill in the step, or empty "
            f"both to leave the night unlabelled."
        )


def _overlapping(nights: pl.DataFrame, source: str, drop_bad: bool) -> pl.DataFrame:
    """Nights that share time with another one of their series: nobody knows which is wrong."""
    ordered = nights.drop_nulls().sort("series_id", "onset", "night")
    end_before = pl.col("wakeup").cum_max().shift(1).over("series_id")
    begin_after = pl.col("onset").shift(-1).over("series_id")
    shares = (pl.col("onset") < end_before) | (pl.col("wakeup") > begin_after)
    bad = ordered.filter(shares.fill_null(False))
    if bad.height and not drop_bad:
        first, second = bad.rows(named=True)[:2]
        raise InputError(
            f"{source}: {_name_night(second)} begins (step {second['onset']}) before night "
            f"{first['night']} ends (step {first['wakeup']}); correct the one that is wrong, or "
            "make both unlabelled with --drop_bad (--config.data.drop_bad)."
        )
    return bad


def _name_night(row: Mapping) -> str:
    return f"series {row['series_id']!r} night {row['night']}"
