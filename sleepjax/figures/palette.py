"""Colours, and a figure that needs no display.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color), told apart by colour-blind
readers; what differs in colour also differs in shape, dash or place.
"""

import io
from typing import Any, Literal

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

COLOURS = {"asleep": "#56B4E9", "onset": "#0072B2", "wakeup": "#D55E00"}
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""For things without a fixed colour, such as runs."""
SLEEP, NAP = "#009E73", "#CC79A7"
GREY, DARK, SHADE = "#999999", "#333333", "#E8E8E8"


class Picture(Figure):
    """A figure that is drawn without pyplot or a display, and that a notebook shows."""

    def suptitle(self, t: str, **kwargs: Any) -> Text:
        """A title as it is spelt: names of series are no formulas, and none is lost."""
        return super().suptitle(printable(t), parse_math=False, **kwargs)

    def _repr_png_(self) -> bytes:
        return png(self)


def picture(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """An empty figure of that many inches."""
    figure = Picture(figsize=(width, height), dpi=110, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def printable(text: str) -> str:
    """The text with ``\\u60a3`` for characters that the font of figures cannot draw."""
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return "".join(
        c if font.get_char_index(ord(c)) else c.encode("unicode_escape").decode() for c in text
    )


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def bare(axis: Axes, *sides: str) -> None:
    """Leave out the frame at the top, at the right and at ``sides``."""
    axis.spines[["top", "right", *sides]].set_visible(False)
