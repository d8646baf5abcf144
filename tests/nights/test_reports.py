"""Reports: one file, no network, no script; everything found, missing or failed is said."""

import re
from html import escape
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from sleepjax.figures.night import stretch_figure
from sleepjax.figures.shown import View
from sleepjax.nights import (
    nights_table,
    people_table,
    recordings_table,
    scored,
    words,
    write_person_report,
    write_study_report,
)
from sleepjax.nights.reasons import DIARY, NIGHT, PERSON
from tests.support.nights import HOUR, found, meta, row_of

MADE = {"sleepjax": "0.1.0", "weights": "ab12" * 16, "simulated": True, "settings": {"tz": None}}


class Page(HTMLParser):
    """Counts tags, and fails on one that is not closed."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(path):
    """Text of a page that is whole, offline and without a script."""
    text = path.read_text()
    page = Page()
    page.feed(text)
    assert not page.open and "script" not in page.tags
    assert all(link.startswith(("data:", "#")) for link in page.links)
    return text, page


@pytest.fixture(scope="module")
def person():
    """Two nights, a nap, and hours without the watch, across a change of the clock."""
    of = meta("2018-10-27 16:00", 56, name="<b>&person")
    ends = [("2018-10-27 23:00", "2018-10-28 07:00"), ("2018-10-28 14:00", "2018-10-28 15:00")]
    ends.append(("2018-10-28 23:00", "2018-10-29 06:00"))
    worn = np.ones(of.n_steps)
    worn[row_of(of, "2018-10-29 10:00") :] = 0
    sleeps = [(row_of(of, a), row_of(of, b)) for a, b in ends]
    one = scored(*found(of, sleeps, worn=worn))
    nights = nights_table(one)
    return one, nights, people_table(nights, recordings_table(one))


@pytest.fixture(scope="module")
def report(person, tmp_path_factory):
    """The page of this person."""
    one, nights, people = person
    path = tmp_path_factory.mktemp("report") / "p.html"
    quality = {"format": "gt3x", "calibration": {"applied": True}, "notes": ["2 pages <twice>"]}
    write_person_report(path, one, nights=nights, people=people, quality=quality, made_with=MADE)
    return path


def test_the_report_of_a_person(person, report):
    nights = person[1]
    text, page = parsed(report)
    assert page.tags.count("img") == 1 + nights["night"].n_unique()
    assert "&lt;b&gt;&amp;person" in text and "<b>&person" not in text
    for said in (
        "Main sleep from 23:00 to 07:00", "Nap from 14:00 to 15:00", "9 h 00 min",
        "The clock was changed by -1 h", "Main sleep was found in <b>2 nights</b>",
        words.SIMULATED, words.LIMITS, "ab12" * 16, "0.1.0", "2 pages &lt;twice&gt;", "gt3x",
    ):  # fmt: skip
        assert said in text, said
    for code in set(" ".join(nights["reasons"]).split()):
        assert escape(PERSON[code]) in text


def test_nobody_is_told_stages_of_sleep(report):
    text = re.sub(r'"data:image[^"]*"', "", report.read_text())
    assert not re.search(r"\b(REM|NREM|N1|N2|N3|deep sleep|light sleep)\b", text)
    assert "Stages of sleep cannot be told" in text


@pytest.mark.parametrize("hours", [1, 1 / 720])
def test_a_report_of_a_recording_without_sleep(hours, tmp_path):
    one = scored(*found(meta("2018-08-14 20:00", hours), []))
    nights = nights_table(one)
    people = people_table(nights, recordings_table(one))
    write_person_report(tmp_path / "p.html", one, nights=nights, people=people, made_with=MADE)
    text, _ = parsed(tmp_path / "p.html")
    assert "No night of this person can be used" in text and PERSON["no_clean_night"] in text


def test_the_report_of_a_study(person, tmp_path):
    *_, nights, people = person
    status = pl.DataFrame(
        {
            "input": ["a.gt3x", "b<.bin", "c.csv"],
            "status": ["done", "failed", "partial"],
            "reason": [None, "b<.bin: the file is empty (0 bytes)", "series '2' is damaged"],
        }
    )
    path = tmp_path / "study.html"
    write_study_report(
        path, nights=nights, people=people, status=status, expected=["p09"], pages={},
        made_with=MADE,
    )  # fmt: skip
    text, page = parsed(path)
    assert page.tags.count("img") == 6
    for said in (
        "3 files, of which <b>1 gave no result</b>", "series &#x27;2&#x27; is damaged",
        "b&lt;.bin: the file is empty (0 bytes)",
        "p09", "no recording", "People without a night", "trained on simulated people only",
        escape(NIGHT["recording_too_short"]), "1 person, 2 nights",
    ):  # fmt: skip
        assert said in text, said


def test_the_report_of_a_study_of_which_nothing_is_left(tmp_path):
    one = scored(*found(meta("2018-08-14 20:00", 1), []))
    nights = nights_table(one).head(0)
    people = people_table(nights, recordings_table(one).head(0))
    status = pl.DataFrame({"input": ["a"], "status": ["failed"], "reason": ["it is damaged"]})
    write_study_report(
        tmp_path / "s.html", nights=nights, people=people, status=status, expected=(), pages={},
        made_with=MADE,
    )  # fmt: skip
    text, _ = parsed(tmp_path / "s.html")
    assert "No night can be used" in text and "it is damaged" in text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.duration(425.4), "7 h 05 min"), (words.duration(59.6), "1 h 00 min"),
        (words.duration(3), "3 min"), (words.duration(5 / 60), "5 s"), (words.duration(0), "0 min"),
        (words.duration(None), "-"),
        (words.clock(22.2), "22:12"), (words.clock(23.9999), "00:00"), (words.clock(None), "-"),
        (words.percent(0.954), "95 %"), (words.percent(None), "-"),
    ],
)  # fmt: skip
def test_numbers_in_words(shown, expected):
    assert shown == expected


@pytest.mark.parametrize(
    ("hours", "ticks"), [(1 / 60, ["20:00", "20:01"]), (1, 13), (8, 9), (24, 13)]
)
def test_a_picture_of_any_length_has_a_clock(hours, ticks):
    recording, probs, _ = found(meta("2018-08-14 20:00", hours), [])
    view = View(recording, probabilities=probs)
    figure = stretch_figure(view, 0, recording.meta.n_steps, "")
    labels = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert ticks in (labels, len(labels))


def test_time_awake_at_the_ends_of_a_window_is_in_no_awakening():
    """Half an hour before the arm comes to rest, and ten minutes in the middle of sleep."""
    of = meta("2018-08-14 12:00", 24)
    awake = [(11 * HOUR, 11 * HOUR + 360), (15 * HOUR, 15 * HOUR + 120)]
    nights = nights_table(scored(*found(of, [(11 * HOUR, 19 * HOUR)], awake=awake)))
    text = words.night_text(nights.filter(kind="main").row(0, named=True))
    assert "and awake 40 min (10 min of it in 1 awakening)." in text
    assert "Of this night's 24 hours 21 h 00 min lie in the recording, 21 h 00 min of them" in text


def test_every_code_is_a_sentence():
    for code, text in {**PERSON, **DIARY}.items():
        assert text[0].isupper() and text.endswith("."), code
