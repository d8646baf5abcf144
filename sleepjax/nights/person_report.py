"""The report of one person: one HTML page with every night, what was found in it and why."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax.data import qc
from sleepjax.data.recording import Recording
from sleepjax.figures.actogram import actogram
from sleepjax.figures.night import stretch_figure
from sleepjax.figures.page import bullets, image, page, table
from sleepjax.figures.shown import View
from sleepjax.io import write_text
from sleepjax.local_time import timestamps
from sleepjax.nights import words
from sleepjax.nights.columns import REASONS
from sleepjax.nights.nights import clean, days
from sleepjax.nights.scoring import Scored
from sleepjax.text import counted
from sleepjax.types import STEPS_PER_DAY

MAX_NIGHTS = 60
"""Nights that get a picture; all of them are in the tables."""
MAX_DAYS = 60
"""Rows of the actogram."""


def write_person_report(
    path: Path,
    scored: Scored,
    *,
    nights: pl.DataFrame,
    people: pl.DataFrame,
    made_with: Mapping[str, Any],
    quality: Mapping[str, Any] | None = None,
) -> None:
    """Write the report of one recording.

    Args:
      scored: the recording and what was found in it, by `scoring.scored`.
      nights: of `nights_table`, of this recording.
      people: of `people_table`; the row of this person is shown.
      made_with: what the results depend on, such as ``sleepjax`` (version), ``weights`` (hash),
        ``simulated`` (whether the model learned from simulated people only) and ``settings``.
      quality: what the device's reader says of the file.
    """
    person = nights["person"][0]
    view = View(
        scored.recording,
        probabilities=scored.probabilities,
        found=_events(scored.windows),
        windows=scored.windows,
        nonwear=~scored.wear.worn,
    )
    row = people.filter(person=person).row(0, named=True)
    sections = [
        ("Summary", _summary(row)),
        ("All days", image(actogram(view, "", max_days=MAX_DAYS), _DAYS)),
        ("Table of nights", words.nights_html(nights)),
        ("Each night", _each_night(view, nights, scored.spans)),
        ("Quality of the recording", _quality(scored.recording, quality)),
        ("How this was made", made(made_with)),
    ]
    title = f"Sleep of {person}"
    write_text(path, page(title, _lead(scored.recording, nights, made_with), sections))


def write_summary(
    path: Path,
    *,
    nights: pl.DataFrame,
    people: pl.DataFrame,
    recordings: pl.DataFrame,
    pages: Mapping[str, str],
    made_with: Mapping[str, Any],
) -> None:
    """Write one page about a person of whom there are several ``recordings`` with ``nights``.

    ``pages`` is series id -> address of the recording's own page; the other arguments are those
    of `write_person_report`.
    """
    person = recordings["person"][0]
    row = people.filter(person=person).row(0, named=True)
    main = nights.filter(kind="main")
    lead = (
        f"{words.warning(made_with)}<p>{len(recordings)} recordings. Main sleep was found in "
        f"<b>{counted(len(main), 'night')}</b>, of which <b>{row['clean_nights']} can be used</b>."
        f"{_overlap(row)}</p><p><small>{words.LIMITS}</small></p>"
    )
    sections = [
        ("Summary", _summary(row)),
        ("Recordings", _recordings(recordings, pages)),
        ("Table of nights", words.nights_html(nights.sort("onset", nulls_last=True))),
        ("How this was made", made(made_with)),
    ]
    write_text(path, page(f"Sleep of {person}", lead, sections))


def _overlap(row: Mapping[str, Any]) -> str:
    if not row["overlap_h"]:
        return ""
    hours = f"{row['overlap_h']:.1f}"
    return f" In {hours} hours two recordings overlap; a sleep that both hold is counted once."


def _recordings(recordings: pl.DataFrame, pages: Mapping[str, str]) -> str:
    return bullets(
        f'<a href="{escape(pages[row["series_id"]])}">{escape(row["series_id"])}</a>: '
        f"{words.moment(row['begin'])} to {words.moment(row['end'])}, {row['days']:.1f} days, worn "
        f"for {row['worn_h']:.1f} hours"
        for row in recordings.sort("begin").iter_rows(named=True)
    )


def _lead(recording: Recording, nights: pl.DataFrame, made_with: Mapping[str, Any]) -> str:
    meta, main = recording.meta, nights.filter(kind="main")
    begin, end = timestamps(meta, np.array([0, meta.n_steps]))
    when = f"{words.moment(begin)} to {words.moment(end)}"
    return (
        f"{words.warning(made_with)}<p>Recording {escape(meta.series_id)}, {when}, "
        f"{_length(meta.n_steps)}. Main sleep was found in <b>{len(main)} "
        f"nights</b>, of which <b>{len(clean(main))} can be used</b>. All times are local clock "
        f"times.</p><p><small>{words.LIMITS}</small></p>"
    )


def _length(steps: int) -> str:
    days = steps / STEPS_PER_DAY
    return f"{days:.1f} days" if days >= 1 else words.duration(days * 24 * 60)


def _events(windows: pl.DataFrame) -> pl.DataFrame:
    """Ends of windows and their runners-up as events with scores."""
    frames = [
        windows.select(
            pl.lit(event).alias("event"),
            pl.col(f"{kind}{event}_step").alias("step"),
            pl.col(f"{kind}{event}_score").alias("score"),
        )
        for kind in ("", "next_")
        for event in ("onset", "wakeup")
    ]
    return pl.concat(frames).drop_nulls()


def _summary(row: Mapping[str, Any]) -> str:
    reasons = words.reasons_html(row[REASONS])
    if row["clean_nights"] == 0:
        return f"<p><b>No night of this person can be used.</b></p>{reasons}"
    return f"<p>Of the {row['clean_nights']} usable nights.</p>" + words.person_html(row)


def _each_night(view: View, nights: pl.DataFrame, spans: Sequence[tuple[int, int]]) -> str:
    day, _ = days(spans, view.meta)
    parts = []
    numbers = np.unique(day)
    for number, one in list(enumerate(numbers.tolist(), start=1))[:MAX_NIGHTS]:
        of_night = nights.filter(night=number)
        inside = np.flatnonzero(day == one)
        first = of_night.row(0, named=True)
        parts.append(f"<h3>{first['weekday']} {first['date']} (night {number})</h3>")
        parts += [f"<p>{words.night_text(row)}</p>" for row in of_night.iter_rows(named=True)]
        ends = int(inside[0]), int(inside[-1]) + 1
        picture = stretch_figure(view, *ends, "", min_score=0.01, size=(9, 4.2))
        parts.append(image(picture, _NIGHT))
    if len(numbers) > MAX_NIGHTS:
        more = counted(len(numbers) - MAX_NIGHTS, "more night is", "more nights are")
        parts.append(f"<p>{more} in the table above.</p>")
    return "\n".join(parts)


_DAYS = "Each row shows two days. A bar above a row is sleep that was found."
_NIGHT = (
    "What was recorded of the night's 24 hours. Green: main sleep, pink: nap, hatched: watch not "
    "worn or nothing measured. Dashed lines: onset and wakeup that were chosen, and fainter the "
    "runners-up."
)


def _quality(recording: Recording, quality: Mapping[str, Any] | None) -> str:
    lines = qc.summary([recording.meta]) or ["Nothing had to be repaired or masked."]
    parts = [bullets(map(escape, lines))]
    if quality:
        rows = [[key, _plain(value)] for key, value in quality.items() if key != "notes"]
        parts.append(table(["of the file", ""], rows, prose=True))
        parts.append(bullets(map(escape, quality.get("notes") or ())))
    return "".join(parts)


def _plain(value: Any) -> str | None:
    if isinstance(value, Mapping):
        known = {key: of for key, of in value.items() if of not in (None, "")}
        return ", ".join(f"{key}: {_plain(of)}" for key, of in known.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return None if value is None else str(value)


_CALLED = {"simulated": "trained on simulated people only"}
"""What a report calls a key whose name would be misunderstood."""


def made(made_with: Mapping[str, Any]) -> str:
    """HTML of what the results depend on."""
    facts = dict(made_with)
    settings = json.dumps(facts.pop("settings", {}), indent=1)
    rows = [[_CALLED.get(key, key), _plain(value)] for key, value in facts.items()]
    return table(["", ""], rows, prose=True) + f"<p>Settings</p><pre>{escape(settings)}</pre>"
