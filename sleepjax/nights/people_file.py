"""File of people: whose each recording is, where several may belong to one person.

Columns: ``person``, and either ``series_id`` (as in the table of nights) or ``file`` (as in
status.csv). A recording that the file does not name is a person of its own.
"""

from pathlib import Path

import polars as pl

from sleepjax.data.cells import present, read_typed
from sleepjax.tables import require_columns
from sleepjax.types import InputError

KEYS = ("series_id", "file")


def read_people(path: str | Path) -> pl.DataFrame:
    """Read a file of people, csv or parquet.

    Returns two columns: ``series_id`` or ``file``, each value once, and ``person``.
    Raises InputError, naming file, line and remedy, where it has neither or both of the former,
    where a cell is empty, and where one recording belongs to two people.
    """
    path = Path(path)
    table, lines = read_typed(path)
    require_columns(table.columns, ("person",), path.name)
    keys = [name for name in KEYS if name in table.columns]
    if len(keys) != 1:
        raise InputError(
            f"{path.name}: it has {' and '.join(keys) or 'no column of recordings'}; it needs "
            "person, and either series_id (as in nights.csv) or file (as path in status.csv)."
        )
    (key,) = keys
    table = table.select(present(table[name]) for name in (key, "person"))
    for name in (key, "person"):
        if table[name].null_count():
            line = lines.filter(table[name].is_null())[0]
            raise InputError(f"{path.name}, line {line}: {name} is empty; fill it, or remove it.")
    table = table.unique(maintain_order=True)
    twice = table.filter(pl.col(key).is_duplicated())
    if len(twice):
        name, people = twice[key][0], twice.filter(pl.col(key) == twice[key][0])["person"]
        raise InputError(
            f"{path.name}: {key} {name!r} belongs to {people[0]!r} and {people[1]!r}; keep one."
        )
    return table


def named(table: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A table of nights or recordings with the person that a file of people gives to each row."""
    key = people.columns[0]
    whose = people.rename({"person": "_person"})
    joined = table.join(whose, on=key, how="left", maintain_order="left")
    return joined.with_columns(person=pl.coalesce("_person", "person")).drop("_person")
