"""Figures of a run: what a reader needs to know is on them, whatever a series is called."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sleepjax import metrics
from sleepjax.data.labels import make_labels
from sleepjax.data.recording import Recording
from sleepjax.figures import curves
from sleepjax.figures.curves import nights_figure, precision_recall_figure
from sleepjax.figures.palette import printable
from sleepjax.figures.shown import View
from sleepjax.types import STEPS_PER_DAY, SeriesMeta
from tests.reference.labels import events_frame

T = 2 * STEPS_PER_DAY
NOON = 1_514_808_000  # 2018-01-01 12:00 UTC


def nights(name="a1", offsets=((0, 0),), **more):
    found = pl.DataFrame(
        {"step": [7_000, 12_000], "event": ["onset", "wakeup"], "score": [0.9, 0.2]}
    )
    ones = np.ones(T, np.float32)
    signals = {"anglez": np.sin(np.arange(T, dtype=np.float32)), "enmo": ones}
    meta = SeriesMeta(name, T, 0, NOON, offsets, {})
    recording = Recording(meta, ones > 0, signals, ones < 0, **more)
    view = View(recording, found=found, probabilities=np.full((T, 3), 0.5, np.float32))
    return nights_figure(view, name)


def words(figure) -> list[str]:
    """Everything that is written inside the rows of a figure."""
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_rows_carry_their_date_and_the_shade_is_explained():
    figure = nights()
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["Mon 01\nJan 2018", "Tue 02\nJan 2018"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "the paler, the lower the score" in legend
    assert not words(figure)


def test_nights_without_labels_are_marked():
    known = np.ones(T, bool)
    known[20_000:] = False  # most of the second day
    known[3_000:4_000] = False  # an hour and a half is not worth a word
    figure = nights(labels=replace(make_labels(events_frame({}), T), known=known))
    assert words(figure) == ["not labelled"]
    (note,) = figure.axes[0].texts
    assert -curves.ROW < note.get_position()[1] < 0  # in the second row


def test_every_event_stands_in_the_row_of_its_day():
    """Onset 7,000 steps after noon; the wakeup 12,000 steps after it is early on the same day."""
    axis = nights().axes[0]
    points = np.concatenate([np.asarray(c.get_offsets()) for c in axis.collections])
    found = {(round(x, 3), round(y, 2)) for x, y in points.tolist()}
    assert found >= {(round(7_000 / 720, 3), 1.05), (round(12_000 / 720, 3), 1.05)}


def test_a_flight_west_past_noon_leads_to_a_row_of_the_day_before():
    """Ten hours back, an hour after noon: the clock shows three, which is in the row before."""
    axis = nights(offsets=((0, 0), (720, -36_000))).axes[0]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == ["Sun 31\nDec 2017", "Mon 01\nJan 2018", "Tue 02\nJan 2018"]
    points = np.concatenate([np.asarray(c.get_offsets()) for c in axis.collections])
    onset = (round(7_000 / 720 - 10 + 24, 3), 1.05)  # 9.7 hours after noon, less ten
    assert onset in {(round(x, 3), round(y, 2)) for x, y in points.tolist()}


def test_no_line_leads_from_one_day_to_the_next():
    (line,) = nights().axes[0].lines
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    back = np.flatnonzero(np.diff(x) < 0)
    assert len(back) == 0 and np.isnan(x).sum() == 1 and np.nanmin(y) < 0 < np.nanmax(y)


def test_of_many_series_the_first_are_drawn_and_the_titles_say_so(monkeypatch):
    monkeypatch.setattr(curves, "MOST_NIGHTS", 1)
    wave = np.arange(T, dtype=np.float32)
    signals: dict[str, Any] = {"anglez": wave, "enmo": wave}
    metas = [SeriesMeta(name, T, 0, NOON, ((0, 0),), {}) for name in ("a", "b")]
    series = [Recording(meta, np.ones(T, bool), signals, np.zeros(T, bool)) for meta in metas]
    events = pl.DataFrame(
        schema={"series_id": pl.String, "step": pl.Int64, "event": pl.String, "score": pl.Float64}
    )
    data: Any = SimpleNamespace(valid=series, solution=events)
    probabilities = dict.fromkeys("ab", np.full((T, 3), 0.5, np.float32))
    found: Any = SimpleNamespace(events=events, probabilities=probabilities)
    ((name, figure),) = curves.nights(data, found, "run")
    assert name == "nights_a" and "run, 1 of 2 series are drawn" in figure.get_suptitle()


@pytest.mark.parametrize("name, title", [("患者 1", r"\u60a3\u8005 1"), ("a$b_$^", "a$b_$^")])
def test_any_name_can_be_written_and_read(name, title, tmp_path):
    """Characters that the font lacks gave a warning (an error here), formulas a traceback."""
    figure = nights(name)
    figure.savefig(tmp_path / "nights.png")
    assert printable(name) == title == figure.get_suptitle()


def test_the_legend_of_precision_and_recall_covers_no_curve():
    solution = pl.DataFrame(
        {"series_id": ["a"] * 4, "event": ["onset", "wakeup"] * 2, "step": [100, 900, 2_000, 2_900]}
    )
    figure = precision_recall_figure(
        metrics.evaluate(solution, solution.with_columns(score=pl.Series([0.9, 0.8, 0.7, 0.6]))),
        "x",
    )
    figure.draw_without_rendering()
    for axis in figure.axes:
        legend = axis.get_legend()
        assert legend is not None
        box = legend.get_window_extent()
        assert not any(box.overlaps(other.get_window_extent()) for other in figure.axes)
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
