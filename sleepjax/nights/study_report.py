"""The report of a study: who is missing, which files failed and why, and how all people sleep."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sleepjax.figures.page import Link, bullets, page, row, table
from sleepjax.figures.palette import COLOURS, bare, picture
from sleepjax.io import write_text
from sleepjax.nights import words
from sleepjax.nights.columns import REASONS
from sleepjax.nights.nights import clean
from sleepjax.nights.person_report import made
from sleepjax.nights.reasons import NIGHT
from sleepjax.text import counted

MAX_ROWS = 300
"""Of a table in the page; the csv files hold all."""
DONE, USED = "done", ("done", "partial", "duplicate")
"""Status where nothing is to be said; those of inputs whose recordings are in the tables."""
SHOWN = {
    "onset_clock_h": "Onset of main sleep, local clock.",
    "wakeup_clock_h": "Wakeup from main sleep, local clock.",
    "spt_min": "Sleep window (SPT), hours.",
    "tst_min": "Time asleep within the window (TST), hours.",
    "maintenance_efficiency": "Time asleep over the window, %.",
    "waso_min": "Awake within the window (WASO), minutes.",
}
"""Column of nights -> words below its histogram."""
NEEDED = ("kind", REASONS, *SHOWN)
"""Columns of nights that the report is of."""
Named = Callable[[str], str | Link]
"""Person -> cell of a table, with a link where there is a page."""
SCALES = {"spt_min": 1 / 60, "tst_min": 1 / 60, "maintenance_efficiency": 100}


def write_study_report(
    path: Path,
    *,
    nights: pl.DataFrame,
    people: pl.DataFrame,
    status: pl.DataFrame,
    expected: Iterable[str],
    pages: Mapping[str, str],
    made_with: Mapping[str, Any],
) -> None:
    """Write the report of a study.

    Args:
      nights: of `nights_table`, of all recordings; the columns `NEEDED`.
      people: of `people_table`.
      status: one row for each input: ``input`` (its name), ``status`` (of `USED`, or another
        word) and ``reason`` (one line, null or empty where there is nothing to say).
      expected: people who should be there, such as those of a diary.
      pages: person -> address of their own page, where there is one.
      made_with: as of `write_person_report`.
    """
    failed = status.filter(~pl.col("status").is_in(USED))
    named = lambda person: Link(person, pages[person]) if person in pages else person
    sections = [
        ("Files that were not used, or not wholly", _files(status, failed)),
        ("People without a night that can be used", _missing(people, expected, named)),
        ("Nights that cannot be used", _unused(nights)),
        ("How people slept", _distributions(nights)),
        ("Everybody", _everybody(people, named)),
        ("How this was made", made(made_with)),
    ]
    main = nights.filter(kind="main")
    lead = (
        f"{words.warning(made_with)}<p>{counted(len(status), 'file')}, of which "
        f"<b>{len(failed)} gave no result</b>; {counted(len(people), 'person', 'people')}, "
        f"{counted(len(main), 'night')} with main sleep, of which <b>{len(clean(main))} can be "
        f"used</b>.</p><p><small>{words.LIMITS}</small></p>"
    )
    write_text(path, page("Sleep of all people", lead, sections))


def _files(status: pl.DataFrame, failed: pl.DataFrame) -> str:
    """Files that failed, then those of which something is to be said."""
    others = status.filter(pl.col("status").is_in(USED), pl.col("status") != DONE)
    told = pl.concat([failed, others])
    if told.is_empty():
        return f"<p>None: all were used ({counted(len(status), 'file')}).</p>"
    rows = [
        [row["input"], row["status"], row["reason"] or None]
        for row in told.head(MAX_ROWS).iter_rows(named=True)
    ]
    return table(["file", "status", "why"], rows, prose=True) + _more(len(told))


def _missing(people: pl.DataFrame, expected: Iterable[str], named: Named) -> str:
    """People without a recording, and those without a night that can be used."""
    absent = sorted(set(expected) - set(people["person"].to_list()))
    unused = people.filter(clean_nights=0)
    rows: list[list[Any]] = [[person, "no recording"] for person in absent]
    rows += [
        [named(row["person"]), words.spoken(row[REASONS]) or None]
        for row in unused.head(MAX_ROWS).iter_rows(named=True)
    ]
    if not rows:
        return "<p>Nobody: every person has at least one night that can be used.</p>"
    return table(["person", "why"], rows[:MAX_ROWS], prose=True) + _more(len(absent) + len(unused))


def _unused(nights: pl.DataFrame) -> str:
    """How often each reason was given, of nights without naps."""
    whole = nights.filter(pl.col("kind") != "nap")
    given = whole[REASONS].str.split(" ").explode().value_counts()
    count = dict(given.iter_rows())
    items = [
        f"<b>{counted(count[code], 'night')}</b>: {escape(text)} <small>({code})</small>"
        for code, text in NIGHT.items()
        if code in count
    ]
    if not items:
        return f"<p>None of {counted(len(whole), 'night')}.</p>"
    return (
        f"<p>{len(whole) - len(clean(whole))} of {counted(len(whole), 'night')}, the first and the "
        "last day of each recording among them. A night may have several reasons.</p>"
        + bullets(items)
    )


def _distributions(nights: pl.DataFrame) -> str:
    main = clean(nights.filter(kind="main"))
    if main.is_empty():
        return "<p>No night can be used.</p>"
    figures = {
        text: _histogram(main[name].drop_nulls().to_numpy() * SCALES.get(name, 1), name)
        for name, text in SHOWN.items()
    }
    return f"<p>{counted(len(main), 'night')} that can be used.</p>" + row(figures)


def _histogram(values: np.ndarray, name: str) -> Figure:
    """Bars; clock times are cut at the emptiest hour, so that nights are not torn apart."""
    figure = picture(4.2, 2.6)
    axis = figure.subplots()
    if name.endswith("_clock_h"):
        count = np.bincount(values.astype(int) % 24, minlength=24)
        around = np.convolve(np.tile(count, 3), np.ones(7), mode="same")[24:48]
        cut = int(around.argmin())
        values = (values - cut) % 24 + cut
        axis.xaxis.set_major_formatter(lambda x, _: words.clock(x))
    low, high = float(values.min()), float(values.max())
    bins = np.linspace(low, high if high > low else low + 1, 25).tolist()
    axis.hist(values, bins=bins, color=COLOURS["asleep"], edgecolor="white", lw=0.5)
    axis.axvline(float(np.median(values)), color=COLOURS["wakeup"], lw=1.4, ls="--")
    axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_ylabel("nights", fontsize=9)
    axis.tick_params(labelsize=8)
    bare(axis)
    return figure


def _everybody(people: pl.DataFrame, named: Named) -> str:
    head = ["person", "nights", "can be used", "onset", "wakeup", "window", "time asleep"]
    head += ["efficiency", "SRI", "social jetlag"]
    rows = [
        [
            named(row["person"]),
            row["nights"],
            row["clean_nights"],
            *(words.clock(row[f"{end}_clock_h_mean"]) for end in ("onset", "wakeup")),
            *(words.duration(row[f"{name}_mean"]) for name in ("spt_min", "tst_min")),
            words.percent(row["maintenance_efficiency_mean"]),
            None if row["sri"] is None else f"{row['sri']:.0f}",
            None if row["social_jetlag_h"] is None else f"{row['social_jetlag_h']:+.1f} h",
        ]
        for row in people.head(MAX_ROWS).iter_rows(named=True)
    ]
    return table(head, rows) + _more(len(people)) + _overlaps(people)


def _overlaps(people: pl.DataFrame) -> str:
    both = people.filter(pl.col("overlap_h") > 0)
    if both.is_empty():
        return ""
    each = [f"{escape(name)} ({hours:.1f} h)" for name, hours in both["person", "overlap_h"].rows()]
    more = f" and {len(each) - 20} more" if len(each) > 20 else ""
    return (
        f"<p>Recordings of one person that overlap: {', '.join(each[:20])}{more}. A sleep that "
        "two of them hold is counted once.</p>"
    )


def _more(n: int) -> str:
    return f"<p>{n - MAX_ROWS} more are in the csv files.</p>" if n > MAX_ROWS else ""
