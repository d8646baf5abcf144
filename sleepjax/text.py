"""Text of results: counts and errors in words, tables as plain text and as markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def counted(n: int, one: str, many: str = "") -> str:
    """``1 night``, ``1,200 nights``; ``many`` where an s is not enough."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def columns(rows: list[list[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    rows = [row + [""] * (len(rows[0]) - len(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def markdown(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in markdown; a bar in a cell is escaped."""
    line = lambda cells: "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"
    return "\n".join([line(head), "|---" * len(head) + "|", *map(line, rows)])
