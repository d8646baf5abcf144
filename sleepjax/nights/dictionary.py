"""The data dictionary: every column of every table and every reason code, from the declarations.

``python -m sleepjax.nights.dictionary`` prints the page docs/data-dictionary.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sleepjax.nights.columns import Column
from sleepjax.nights.comparison import DIARY
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.people_columns import PEOPLE, RECORDINGS
from sleepjax.nights.reasons import DIARY as DIARY_REASONS
from sleepjax.nights.reasons import NIGHT, PERSON

TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "nights": (
        "One row for each sleep window, and one for each night without main sleep. "
        "nights_clean holds those rows whose reasons are empty.",
        NIGHTS,
    ),
    "people": (
        "One row for each person of whom there is a recording. Of several recordings, the "
        "regularity and rhythm are means weighted by the hours that each rests on.",
        PEOPLE,
    ),
    "recordings": ("One row for each recording.", RECORDINGS),
    "diary": ("One row for each row of the diary, beside the main sleep that was found.", DIARY),
}
"""Name -> (what its rows are, its columns)."""
REASONS = {"nights": NIGHT, "people": PERSON, "diary": DIARY_REASONS}
_TYPES = {
    pl.String: "text",
    pl.Int64: "whole number",
    pl.Float64: "number",
    pl.Boolean: "true or false",
}


def dictionary() -> pl.DataFrame:
    """The dictionary as a table, to be written beside the results.

    Columns: table, column, type, unit, low, high, definition, source; and a row for each reason
    code, whose type is "reason code".
    """
    rows = [
        {
            "table": table,
            "column": column.name,
            "type": _TYPES[column.dtype],
            "unit": column.unit,
            "low": column.low,
            "high": column.high,
            "definition": column.definition,
            "source": column.source,
        }
        for table, (_, columns) in TABLES.items()
        for column in columns
    ]
    rows += [
        {"table": table, "column": code, "type": "reason code", "definition": text}
        for table, codes in REASONS.items()
        for code, text in codes.items()
    ]
    schema = dict.fromkeys(rows[0], pl.String) | {"low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(pl.String).fill_null(""))


def page() -> str:
    """The dictionary as a page of the docs."""
    parts = [_HEAD]
    for name, (about, columns) in TABLES.items():
        parts.append(f"## {name}\n\n{about}\n\n| column | type | unit | bounds | definition |")
        parts.append("|---|---|---|---|---|")
        parts += [
            f"| `{c.name}` | {_TYPES[c.dtype]} | {c.unit} | {_bounds(c)} | {_definition(c)} |"
            for c in columns
        ]
        parts.append("")
    parts.append("## Reason codes\n")
    for table, codes in REASONS.items():
        parts.append(f"### of {table}\n\n| code | meaning |\n|---|---|")
        parts += [f"| `{code}` | {text} |" for code, text in codes.items()]
        parts.append("")
    return "\n".join(parts)


_HEAD = """# Data dictionary

Columns of the tables that `sleepjax process` writes; [nights](nights.md) says how to read them.
This page and `dictionary.csv`, which is written beside the results, are made from the same
declarations as the tables (`python -m sleepjax.nights.dictionary`). A value outside of its bounds
never leaves the program: it is removed, and its row gets the reason `impossible_value`. Cells are
empty where nothing can be said. Definitions without a source are this project's.
"""


def _bounds(column: Column) -> str:
    if column.low is None and column.high is None:
        return ""
    low = "" if column.low is None else f"{column.low:.4g}"
    return f"at least {low}" if column.high is None else f"{low} to {column.high:.6g}"


def _definition(column: Column) -> str:
    text = column.definition.replace("|", "\\|")
    return f"{text} *{column.source}.*" if column.source else text


if __name__ == "__main__":
    print(page(), end="")
