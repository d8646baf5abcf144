"""One self-contained HTML page: text, tables and pictures in a single file that opens offline."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from matplotlib.figure import Figure

from sleepjax.figures.palette import png

STYLE = """
:root { color-scheme: light }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; line-height: 1.45; color: #222;
  background: #fff; font: 1rem/1.45 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: .3rem 0; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; margin: 2rem 0 .4rem; border-bottom: 1px solid #ccc }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
img { max-width: 100%; height: auto; display: block }
.row { display: flex; flex-wrap: wrap; gap: 0 1rem } .row figure { flex: 1 1 16rem }
figure { margin: .6rem 0 1.4rem } .wide img { min-width: 34rem }
figcaption { color: #555; font-size: .9rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem; margin: .6rem 0 }
td, th { padding: .2rem .4rem; text-align: right; white-space: nowrap }
th:last-child, .prose td:last-child { white-space: normal }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 9rem }
td:first-child, th:first-child, .prose td:last-child, .prose th:last-child { text-align: left }
thead th { border-bottom: 1px solid #888 }
tbody tr:nth-child(even) { background: #f4f4f4 } small { color: #555 }
.big { font-size: 2.2rem; font-weight: bold }
.warning { background: #fff3cd; border-left: .4rem solid #d55e00; padding: .5rem .8rem }
pre { overflow-x: auto; background: #f4f4f4; padding: .6rem; font-size: .85rem }
@media (max-width: 34rem) { td, th { white-space: normal; padding: .15rem .3rem } }
nav a { margin-right: .8rem; display: inline-block; padding: .2rem 0 }
"""


@dataclass(frozen=True)
class Link:
    """A cell of a table that leads to another page."""

    text: str
    address: str


def cell(value: Any) -> str:
    """HTML of a cell; None is shown as a dash."""
    if isinstance(value, Link):
        return f'<a href="{escape(value.address)}">{escape(value.text)}</a>'
    return "-" if value is None else escape(str(value))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, prose: bool = False) -> str:
    """A table that scrolls by itself where the screen is narrow.

    ``prose``: the last column holds words, not numbers.
    """
    heads = "".join(f"<th>{cell(name)}</th>" for name in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell(value)}</td>' for value in row)}</tr>\n" for row in rows
    )
    kind = ' class="prose"' if prose else ""
    return (
        f'<div class="wide"><table{kind}><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody>'
        "</table></div>"
    )


def bullets(items: Iterable[str]) -> str:
    """A list of HTML items; nothing without any."""
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""


def image(picture: Figure | bytes, words: str) -> str:
    """A picture with words below, which also stand in for it where it cannot be seen.

    On a narrow screen a wide picture keeps a width at which its words can be read, and scrolls.
    """
    data = picture if isinstance(picture, bytes) else png(picture)
    code = base64.b64encode(data).decode()
    return (
        f'<figure><div class="wide"><img alt="{escape(words)}" '
        f'src="data:image/png;base64,{code}"></div>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def row(pictures: Mapping[str, Figure]) -> str:
    """Small pictures beside each other, or below each other where the screen is narrow."""
    images = "".join(image(picture, words) for words, picture in pictures.items())
    images = images.replace('<div class="wide">', "<div>")
    return f'<div class="row">{images}</div>'


def page(title: str, lead: str, sections: Sequence[tuple[str, str]]) -> str:
    """The whole document from (heading, HTML) pairs; ``lead`` is HTML above them."""
    links = "".join(
        f'<a href="#part{i}">{escape(name)}</a>' for i, (name, _) in enumerate(sections)
    )
    parts = "\n".join(
        f'<h2 id="part{i}">{escape(name)}</h2>\n{body}' for i, (name, body) in enumerate(sections)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"</head>\n<body><h1>{escape(title)}</h1>\n{lead}\n<nav>{links}</nav>\n{parts}\n"
        "</body></html>\n"
    )
