"""The event file: its rows, checked, and each event's place in the recordings.

A row is one onset or wakeup of one night; an empty step says that the night was not labelled, which
is not the same as a night without sleep. A night with only one of the two events keeps its row, and
counts as unlabelled: nobody knows where it ends.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.config import nearest
from sleepjax.data import cells, clock
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
      drop_bad: turn nights with a row that cannot be used, and those whose wakeup is not after
        their onset, into unlabelled ones instead of raising; a row that does not say which night
        it is of is left out, and so the night is not listed.
      counts: receives ``n_nights``, ``n_labelled``, ``n_unlabelled``, ``n_one_sided`` and
        ``n_dropped``.

    Returns a frame with the five columns and ``line``, that of the file; ``step`` is null where
    unlabelled, rows are sorted as in the file.
    Raises InputError naming the file and row.
    """
    path = Path(path)
    counts = Counter() if counts is None else counts
    events, wrong = _typed(cells.read_text(path, COLUMNS), path.name, drop_bad)
    counts["n_dropped"] += wrong.height
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
    the recording's own steps disagree with its clock. Events of series that were ``left_out`` are
    left out too.

    Args:
      events: as `read_events` returns them.
      drop_bad: leave out events of unknown series, and turn nights with events off the grid or
        outside the recording and nights that overlap into unlabelled ones, instead of raising.
      counts: receives ``n_unknown_series`` and ``n_dropped``.
    """
    counts = Counter() if counts is None else counts
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
    parts = events.drop_nulls("step").partition_by("series_id", maintain_order=True)
    if not parts:
        return events.drop("line")
    found = [_locate(one, metas[one["series_id"][0]], source, tz, drop_bad) for one in parts]
    steps, bad = (pl.Series(np.concatenate(each)) for each in zip(*found, strict=True))
    placed = pl.concat(parts).with_columns(step=steps)
    bad_nights = placed.filter(bad).select("series_id", "night").unique()
    orders = {"series_id": events["series_id"].unique(maintain_order=True), "event": EVENTS}
    place = lambda name: pl.col(name).cast(pl.Enum(orders[name]))
    located = pl.concat([placed, events.filter(pl.col("step").is_null())])
    located = unlabel(located.sort(place("series_id"), "night", place("event")), bad_nights)
    overlapping = _overlapping(pair(located), source, drop_bad)
    n_bad = overlapping.height + bad_nights.height
    counts["n_dropped"] += n_bad
    counts["n_labelled"] -= n_bad
    counts["n_unlabelled"] += n_bad
    return unlabel(located, overlapping).drop("line")


def _locate(
    labelled: pl.DataFrame, meta: SeriesMeta, source: str, tz: str | None, drop_bad: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(step of each event of one series in the recording's grid, which cannot be placed)."""
    step = labelled["step"].to_numpy()
    row = (step - meta.first_step).astype(np.float64)
    renumbered = meta.qc.get("n_step_mismatch", 0) > 0 or meta.qc.get("sampling_seconds", 5) != 5
    timed = labelled["timestamp"].is_not_null().to_numpy()
    between, unread = np.zeros(len(step), bool), np.zeros(len(step), bool)
    slack = 0
    if timed.any():
        where = f"{source}: series {meta.series_id!r}"
        stamps, lines = (labelled[name].filter(pl.Series(timed)) for name in ("timestamp", "line"))
        near = None if renumbered else 1000 * (meta.start + STEP_SECONDS * row[timed])
        read = lambda i: clock.parse(
            stamps[i], tz=tz, where=where, lines=lines[i], near=None if near is None else near[i]
        )[0]
        utc, unread[timed] = _each(read, len(stamps), drop_bad)
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
    bad = unread
    for text, wrong in faults.items():
        if wrong.any() and not drop_bad:
            first = labelled.row(int(wrong.argmax()), named=True)
            raise InputError(
                f"{source}, line {first['line']}: {_name_night(first)} {first['event']} (step "
                f"{first['step']}, {first['timestamp'] or 'no timestamp'}) {text}; {_REMEDY}."
            )
        bad |= wrong
    return whole.astype(np.int64) + meta.first_step, bad


def _each(
    read: Callable[[slice], np.ndarray], n: int, drop_bad: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(times of n rows, which could not be read); InputError unless ``drop_bad``.

    It is raised, too, where a whole series cannot be read: what is wrong then is no single cell.
    """
    try:
        return read(slice(0, n)), np.zeros(n, bool)
    except InputError:
        if not drop_bad:
            raise
        times, bad = np.zeros(n, np.int64), np.zeros(n, bool)
        for i in range(n):
            try:
                times[i] = read(slice(i, i + 1))[0]
            except InputError:
                bad[i] = True
        if bad.all() and n > len(EVENTS):
            raise
        return times, bad


def _typed(table: pl.DataFrame, source: str, drop_bad: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows that can be used, nights made unlabelled because of the others)."""
    empty = {"night": "", "step": ", or empty where the night is unlabelled"}
    if not drop_bad:
        events = cells.whole_number_columns(table, empty, source).cast(COLUMNS)  # type: ignore
        _check_names(events, source)
        return events, events.select("series_id", "night").clear()
    wrong = pl.any_horizontal(cells.not_whole(table, name) for name in empty)
    events = table.with_columns(cells.whole_numbers(table[name]) for name in empty)
    events = events.cast(COLUMNS).with_columns(wrong=wrong)  # type: ignore
    for fault in _faults(events).values():
        events = events.with_columns(wrong=pl.col("wrong") | fault)
    whose = pl.all_horizontal(pl.col("series_id", "night").is_not_null())
    usable = events.filter(whose & pl.col("event").is_in(EVENTS)).drop("wrong")
    nights = events.filter(pl.col("wrong")).select("series_id", "night").unique(maintain_order=True)
    return unlabel(usable, nights.filter(whose)), nights


def _faults(events: pl.DataFrame) -> dict[str, pl.Series]:
    """What can be wrong with a row, as `_check_names` says it -> bool [N]."""
    first = events.select(pl.struct("series_id", "night", "event").is_first_distinct())
    return {
        **{f"{name} is empty.": events[name].is_null() for name in ("series_id", "night", "event")},
        "event is {event!r}{near} It must be 'onset' or 'wakeup'.": (
            ~events["event"].is_in(EVENTS).fill_null(False)
        ),
        "{night} has a second {event}.": ~first["series_id"],
        "a timestamp without a step; fill in the step, or empty both to leave the night "
        "unlabelled.": events["step"].is_null() & events["timestamp"].is_not_null(),
    }


def _check_names(events: pl.DataFrame, source: str) -> None:
    """Raise InputError for the first of the `_faults`."""
    for text, fault in _faults(events).items():
        if fault.any():
            row = int(fault.arg_max() or 0)
            one = events.row(row, named=True)
            near = nearest(str(one["event"]).lower(), EVENTS)
            said = text.format(event=one["event"], near=near, night=_name_night(one))
            raise InputError(f"{source}, line {one['line']}: {said}")


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
