"""Tables: the stored results of all inputs put together, some of them in memory at a time."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import polars.selectors as cs

from sleepjax.data.store_files import folder_name
from sleepjax.io import replacing, write_table
from sleepjax.metrics.agreement_text import as_text
from sleepjax.nights import clean, compare_diary, people_table, write_study_report
from sleepjax.nights.columns import schema
from sleepjax.nights.dictionary import FILE, STATUS, dictionary
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.overlaps import once
from sleepjax.nights.people import NEEDED
from sleepjax.nights.people_columns import RECORDINGS
from sleepjax.nights.people_file import named
from sleepjax.nights.person_report import write_summary
from sleepjax.nights.study_report import NEEDED as STUDY_NEEDS
from sleepjax.processing import results
from sleepjax.processing.results import DUPLICATE, Outcome
from sleepjax.processing.worker import NIGHTS_FILE, RECORDINGS_FILE
from sleepjax.stdio import warn
from sleepjax.types import InputError

AT_ONCE = 500
"""Inputs whose tables are held in memory together."""
DIGITS = 4
"""Behind the point, in csv files."""
REPORTS, PEOPLE, DIARY = "reports", "people", "diary.csv"


def write(
    out: Path,
    outcomes: Sequence[Outcome],
    made_with: Mapping[str, Any],
    *,
    diary: pl.DataFrame | None = None,
    people: pl.DataFrame | None = None,
) -> list[Outcome]:
    """Write all tables of a folder of results, status.csv last; returns the final outcomes.

    Rows are in the order of the inputs' names, not in that of their processing. An input
    with the content of an earlier one is a duplicate of it and gives no rows. A series id that
    several inputs have is completed by the input's name. ``people`` (of `read_people`) says whose
    each recording is, ``diary`` (of `read_diary`) what they wrote.
    """
    outcomes = list(unique(sorted(outcomes, key=lambda one: one.name)))
    ids = Counter(series_id for one in outcomes for series_id in set(one.series))
    shared = frozenset(series_id for series_id, inputs in ids.items() if inputs > 1)
    outcomes = [_told(one, shared) for one in outcomes]
    used = [one for one in outcomes if one.key and one.state != DUPLICATE]
    with tempfile.TemporaryDirectory(prefix=".tables-", dir=out) as place:
        parts = Path(place)
        for number in range(0, max(1, len(used)), AT_ONCE):
            some = used[number : number + AT_ONCE]
            for name, table in _tables(out, some, shared, people).items():
                (parts / name).mkdir(exist_ok=True)
                write_table(parts / name / f"{number:06}.parquet", table)
        recordings = pl.read_parquet(sorted((parts / "recordings").iterdir()))
        nights = once(pl.scan_parquet(sorted((parts / "nights").iterdir())), recordings)
        persons = people_table(nights.select(NEEDED).collect(), recordings)
        for table, files in (
            (nights, ("nights.parquet", "nights.csv")),
            (clean(nights), ("nights_clean.csv",)),
            (recordings.lazy(), ("recordings.csv",)),
            (persons.lazy(), ("people.parquet", "people.csv")),
        ):
            for file in files:
                _sink(table, out / file)
        pages = _link_reports(out, used, shared, parts / REPORTS)
        _person_pages(nights, recordings, persons, pages, made_with, parts / REPORTS)
        _replace_folder(parts / REPORTS, out / REPORTS)
    addresses = _addresses(recordings, pages)
    status = status_table(outcomes)
    _check_people(people, recordings)
    _study(out, status, made_with, addresses, diary, people)
    write_table(out / "dictionary.csv", dictionary())
    write_table(out / "status.csv", status)
    return outcomes


def _tables(
    out: Path, some: Sequence[Outcome], shared: frozenset[str], people: pl.DataFrame | None
) -> dict[str, pl.DataFrame]:
    """The tables of some inputs; with their columns, where there are none."""
    result = {}
    for name, file, columns in (
        ("nights", NIGHTS_FILE, NIGHTS),
        ("recordings", RECORDINGS_FILE, RECORDINGS),
    ):
        empty = pl.DataFrame(schema=schema((*columns, FILE)))
        table = pl.concat([empty, *(_read(out, one, file, shared) for one in some)])
        result[name] = table if people is None else named(table, people)
    return result


def _check_people(people: pl.DataFrame | None, recordings: pl.DataFrame) -> None:
    """Say what a file of people and the recordings do not have in common."""
    if people is None:
        return
    key = people.columns[0]
    alone = recordings.join(people, on=key, how="anti")
    named_so = pl.col("person").is_in(people["person"].unique().implode())
    for missing, words in (
        (people.join(recordings, on=key, how="anti"), "in the file of people that none has"),
        (alone.filter(~named_so), "not in it, so that each is a person"),
        (alone.filter(named_so), "not in it, and taken for that of the person of the same name"),
    ):
        if len(missing):
            first = ", ".join(missing[key].sort().head(5)) + (" ..." if len(missing) > 5 else "")
            warn(f"{key} {words} ({len(missing)}): {first}")


def _study(
    out: Path,
    status: pl.DataFrame,
    made_with: Mapping[str, Any],
    pages: Mapping[str, str],
    diary: pl.DataFrame | None,
    people: pl.DataFrame | None,
) -> None:
    """The report of all people, and their nights beside the diary."""
    (out / DIARY).unlink(missing_ok=True)
    if diary is not None:
        compared = compare_diary(pl.read_parquet(out / "nights.parquet"), diary)
        write_table(out / DIARY, compared.nights.with_columns(cs.float().round(DIGITS)))
        if compared.agreement is not None:
            print(as_text({"found, against the diary": compared.agreement}))
    expected = [table["person"] for table in (diary, people) if table is not None]
    with replacing(out / "study.html") as partial:
        write_study_report(
            partial,
            nights=pl.read_parquet(out / "nights.parquet", columns=[*STUDY_NEEDS]),
            people=pl.read_parquet(out / "people.parquet"),
            status=status.select("reason", input="path", status="state"),
            expected=pl.concat(expected).unique() if expected else (),
            pages=pages,
            made_with=made_with,
        )


def unique(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes, those with the content of an earlier one marked as duplicates of it."""
    first: dict[str, str] = {}
    for one in outcomes:
        before = first.setdefault(one.sha256, one.name) if one.key else one.name
        if before != one.name:
            one = replace(one, state=DUPLICATE, reason=f"the same content as {before}")
            one = replace(one, series=(), nights=0, days=0.0, reports=())
        yield one


def status_table(outcomes: Iterable[Outcome]) -> pl.DataFrame:
    """One row for each input."""
    rows = [vars(one) | {"path": one.name, "series": len(one.series)} for one in outcomes]
    table = pl.DataFrame(rows, schema=schema(STATUS))
    return table.with_columns(pl.col("reason", "sha256").replace("", None))


def _told(one: Outcome, shared: frozenset[str]) -> Outcome:
    """The outcome, with a word on series whose id is completed."""
    mine = [name for name in one.series if name in shared]
    if not mine:
        return one
    more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
    said = f"other files have series {mine[0]!r}{more}, too: called {_full(one, mine[0])!r} here"
    return replace(one, reason="; ".join(filter(None, (one.reason, said))))


def _full(one: Outcome, series_id: str) -> str:
    return f"{one.name}:{series_id}"


def _read(out: Path, one: Outcome, name: str, shared: frozenset[str]) -> pl.DataFrame:
    """One table of one input, with the file's name in it and series ids that are unique."""
    path = results.folder(out, one.key) / name
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        raise InputError(
            f"{path}, the stored result of {one.name}, is damaged; remove its folder, and run the "
            "same command again."
        ) from None
    called = {series_id: _full(one, series_id) for series_id in one.series if series_id in shared}
    if called:
        table = table.with_columns(pl.col("series_id", "person").replace(called))
    return table.with_columns(pl.lit(one.name).alias(FILE.name))


def _sink(table: pl.LazyFrame, target: Path) -> None:
    """Write a table, some of it in memory at a time; numbers in csv are for people to read."""
    with replacing(target) as partial:
        if target.suffix == ".parquet":
            table.sink_parquet(partial)
        else:
            table.with_columns(cs.float().round(DIGITS)).sink_csv(partial)


def _link_reports(
    out: Path, used: Iterable[Outcome], shared: frozenset[str], new: Path
) -> dict[str, str]:
    """Fill a folder of reports: each is the file of its result under the series' name.

    Returns series id -> name of the file.
    """
    new.mkdir()
    pages = {}
    for one in used:
        for series_id, report in zip(one.series, one.reports, strict=False):
            name = _full(one, series_id) if series_id in shared else series_id
            source = results.folder(out, one.key) / report
            pages[name] = f"{folder_name(name)}.html"
            try:
                os.link(source, new / pages[name])
            except OSError:  # a file system without links
                shutil.copyfile(source, new / pages[name])
    return pages


def _person_pages(
    nights: pl.LazyFrame,
    recordings: pl.DataFrame,
    people: pl.DataFrame,
    pages: Mapping[str, str],
    made_with: Mapping[str, Any],
    new: Path,
) -> None:
    """A page for each person of whom there are several recordings, which leads to theirs."""
    several = people.filter(pl.col("recordings") > 1)
    if several.is_empty() or not pages:
        return
    (new / PEOPLE).mkdir()
    for person in several["person"]:
        write_summary(
            new / PEOPLE / f"{folder_name(person)}.html",
            nights=nights.filter(person=person).collect(),
            people=several,
            recordings=recordings.filter(person=person),
            pages={name: f"../{quote(page)}" for name, page in pages.items()},
            made_with=made_with,
        )


def _addresses(recordings: pl.DataFrame, pages: Mapping[str, str]) -> dict[str, str]:
    """Person -> address of their page, from the folder of the results; none without reports."""
    found: dict[str, str] = {}
    for person, series_id in recordings["person", "series_id"].rows() if pages else ():
        page = pages[series_id] if person not in found else f"{PEOPLE}/{folder_name(person)}.html"
        found[person] = f"{REPORTS}/{quote(page)}"
    return found


def _replace_folder(new: Path, old: Path) -> None:
    """Put a folder in the place of another one; an empty one only takes it away."""
    if old.exists():
        old.rename(new.with_name("old"))
    if any(new.iterdir()):
        new.rename(old)
