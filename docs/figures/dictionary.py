"""The page docs/data-dictionary.md, from the declarations of the columns.

python docs/figures/dictionary.py > docs/data-dictionary.md
"""

from __future__ import annotations

from sleepjax.nights.columns import Column
from sleepjax.nights.dictionary import REASONS, TABLES, TYPES
from sleepjax.text import markdown

HEAD = """# Data dictionary

Columns of the tables that `sleepjax process` writes; [nights](nights.md) says how to read them.
This page and `dictionary.csv`, which is written beside the results, are made from the same
declarations as the tables (`python docs/figures/dictionary.py`). A value outside of its bounds
never leaves the program: it is removed, and its row gets the reason `impossible_value`. Cells are
empty where nothing can be said. Definitions without a source are this project's.
"""


def page() -> str:
    parts = [HEAD]
    for name, (about, columns) in TABLES.items():
        rows = [(f"`{c.name}`", TYPES[c.dtype], c.unit, bounds(c), definition(c)) for c in columns]
        table = markdown(["column", "type", "unit", "bounds", "definition"], rows)
        parts.append(f"## {name}\n\n{about}\n\n{table}\n")
    parts.append("## Reason codes\n")
    for name, codes in REASONS.items():
        table = markdown(["code", "meaning"], [(f"`{code}`", text) for code, text in codes.items()])
        parts.append(f"### of {name}\n\n{table}\n")
    return "\n".join(parts)


def bounds(column: Column) -> str:
    if column.low is None and column.high is None:
        return ""
    low = "" if column.low is None else f"{column.low:.6g}"
    return f"at least {low}" if column.high is None else f"{low} to {column.high:.6g}"


def definition(column: Column) -> str:
    return f"{column.definition} *{column.source}.*" if column.source else column.definition


if __name__ == "__main__":
    print(page(), end="")
