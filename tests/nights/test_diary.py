"""Diaries are read in one way or refused; their nights stand beside those that were found."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from sleepjax.nights import compare_diary, nights_table, read_diary, scored
from sleepjax.nights.columns import REASONS, checked
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.types import InputError
from tests.nights.test_scoring import GOLDEN, steps
from tests.nights.test_scoring import scoring as sleep_scoring
from tests.support.nights import found, meta, row_of


@pytest.fixture
def read(tmp_path):
    """Text of a diary -> what was read."""

    def reads(text, dates: Any = "evening"):
        path = tmp_path / "diary.csv"
        path.write_text(text)
        return read_diary(path, dates=dates)

    return reads


def times(diary, row=0):
    """bed, onset, wakeup and rise as text."""
    return [
        None if diary[name][row] is None else str(np.datetime64(diary[name][row], "s"))[5:16]
        for name in ("bed", "onset", "wakeup", "rise")
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("22:15,22:40,06:50,07:05", ["08-14T22:15", "08-14T22:40", "08-15T06:50", "08-15T07:05"]),
        ("00:30,1:05,09:00,", ["08-15T00:30", "08-15T01:05", "08-15T09:00", None]),
        ("10:15 pm,10:40PM,6:50 a.m.,", ["08-14T22:15", "08-14T22:40", "08-15T06:50", None]),
        ("12:10 am,,12:05 PM,", ["08-15T00:10", None, "08-15T12:05", None]),
        ("23:50,00:20,07:00:30,", ["08-14T23:50", "08-15T00:20", "08-15T07:00", None]),
        (",,06:50,", [None, None, "08-15T06:50", None]),
        (",,17:30,", [None, None, "08-15T17:30", None]),
        (",22:40,,NA", [None, "08-14T22:40", None, None]),
        (",2018-08-15 08:30,2018-08-15T15:30,16:00",
         [None, "08-15T08:30", "08-15T15:30", "08-15T16:00"]),
        (",14 Aug 2018 10:40 pm,7:00,", [None, "08-14T22:40", "08-15T07:00", None]),
        ("10pm,11 PM,6 a.m.,", ["08-14T22:00", "08-14T23:00", "08-15T06:00", None]),
        (",,,", [None] * 4),
    ],
)  # fmt: skip
def test_times_are_placed_by_the_evening(read, cells, expected):
    diary = read(f"person,date,bed,onset,wakeup,rise\np,2018-08-14,{cells}\n")
    assert times(diary) == expected and diary["date"][0] == "2018-08-14"
    morning = read(f"person,date,bed,onset,wakeup,rise\np,2018-08-15,{cells}\n", "morning")
    assert times(morning) == expected and morning["date"][0] == "2018-08-14"


DATES = ["2018-08-14", "14.08.2018", "14 Aug 2018", "14-Aug-2018"]
DATES += ["2018-08-14 00:00:00", "2018-08-14T00:00:00.000000"]  # of spreadsheets and data frames


@pytest.mark.parametrize("date", DATES)
def test_dates_that_can_be_read_in_one_way(read, date):
    assert times(read(f"Person,Date,Onset\np,{date},23:00\n"))[1] == "08-14T23:00"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "person,date,onset\np,14/08/2018,23:00",
            "date '14/08/2018': day and month cannot",
        ),
        ("person,date,onset\np,2018-08-14,7", "onset '7' is not a clock time"),
        ("person,date,Date,onset\np,2018-08-14,,7 pm", "two columns are called 'date'; keep one"),
        (
            "person,date,onset\n\np,2018-08-14,24:30\n,,\np,2018-08-15,23:00\np,x,23:00\np,y,23:00",
            "line 3: onset '24:30' is not .* Lines that cannot be read either \\(2\\): 6, 7",
        ),
        ("person,date,onset\np,today,23:00", "line 2: date 'today': it is not a date; write"),
        ("person,date,onset\np,2018-08-14,2300", "line 2: onset '2300' is not a clock time; write"),
        (
            "person,date,onset\np,2018-08-14,24:00",
            "onset '24:00' is not a clock.*midnight is 00",
        ),
        ("person,date,onset\np,2018-08-14,13:00 pm", "onset '13:00 pm' is not a clock time"),
        ("person,date,onset\np,,23:00", "line 2: the date is empty and onset '23:00' has none"),
        ("person,date,onset\n,2018-08-14,23:00", "line 2: the person is empty"),
        ("person,date,onset\np,2018-08-14,2018-08-14T23:00:00Z", "has a UTC offset; write what"),
        ("person,date,onset\np,2018-08-14,2018-08-14T23:00:00-0400", "has a UTC offset; write"),
        ("person,date,sleep\np,2018-08-14,23:00", "neither a column 'onset' nor 'wakeup'"),
        ("date,onset\n2018-08-14,23:00", "column 'person' is missing"),
        ("person;date;onset\np;2018-08-14;23:00", "columns are separated by ';'"),
        (
            "person,date,bed,onset\np,2018-08-14,23:00,22:30",
            "bed 23:00, onset 22:30 span more than 20 hours; are two of them swapped",
        ),
        (
            "person,date,onset,wakeup\np,2018-08-14,23:00,2018-08-14 07:00",
            "wakeup '2018-08-14 07:00' is not after onset '23:00'",
        ),
        (
            "person,date,onset,wakeup\np,2018-08-14,23:00,07:00\np,2018-08-14,22:00,06:00",
            "lines 3 and 2: two rows of person 'p' are about the same time",
        ),
    ],
)
def test_what_can_be_understood_in_two_ways_is_refused(read, text, match):
    with pytest.raises(InputError, match=match):
        read(text + "\n")


def test_the_meaning_of_dates_must_be_said(read):
    with pytest.raises(InputError, match="dates='noon' must be 'evening'"):
        read("person,date,onset\np,2018-08-14,23:00\n", "noon")


def nights_of_p(of, sleeps):
    """Table of the nights of somebody called p."""
    return nights_table(scored(*found(of, sleeps))).with_columns(person=pl.lit("p"))


@pytest.fixture(scope="module")
def nights():
    """Three nights from 23:00 to 07:00 of p."""
    of = meta("2018-08-14 15:00", 72)
    sleeps = [
        (row_of(of, f"2018-08-{d} 23:00"), row_of(of, f"2018-08-{d + 1} 07:00"))
        for d in (14, 15, 16)
    ]
    return nights_of_p(of, sleeps)


def test_nights_stand_beside_those_of_the_diary(read, nights):
    compared = compare_diary(
        nights,
        read(
            "person,date,bed,onset,wakeup,rise\n"
            "p,2018-08-14,22:30,22:50,07:04,07:30\n"
            "p,2018-08-15,,23:20,,\n"
            "p,2018-08-16,23:10,,06:40,06:50\n"
            "p,2018-08-20,22:00,22:30,07:00,08:00\n"
            "p,2018-08-21,,,,\n"
            "q,2018-08-14,,23:00,07:00,\n"
        ),
    )
    table = compared.nights
    assert table["onset_error_min"].to_list() == [10, -20, None, None, None, None]
    assert table["wakeup_error_min"].to_list() == [-4, None, 20, None, None, None]
    assert table["duration_error_min"].to_list() == [-14, *[None] * 5]
    assert table["midpoint_error_min"].to_list() == [3, *[None] * 5]
    assert table["time_in_bed_min"].to_list()[:3] == [540, None, 460]
    assert table["sleep_latency_min"].to_list()[:3] == [30, None, None]
    tst = nights.filter(kind="main")["tst_min"][0]
    assert table["sleep_efficiency"].to_list()[:3] == [pytest.approx(tst / 540), None, None]
    assert table[REASONS].to_list() == [
        "", "", "asleep_before_bed awake_after_rise", "no_night_found", "no_time_given",
        "no_recording",
    ]  # fmt: skip
    result = compared.agreement
    assert result is not None and (result.n_truth, result.missed) == (2, 1)
    assert result.differences["onset"].mean == 10 and result.differences["wakeup"].mean == -4


def test_a_diary_without_whole_rows_or_known_people(read, nights):
    one_sided = compare_diary(nights, read("person,date,wakeup\np,2018-08-14,07:10\n"))
    assert one_sided.agreement is None and one_sided.nights["wakeup_error_min"][0] == -10
    nobody = compare_diary(nights, read("person,date,onset,wakeup\nx,2018-08-14,23:00,07:10\n"))
    assert nobody.agreement is None and nobody.nights[REASONS][0] == "no_recording"
    nothing = nights.filter(kind="none")
    empty = compare_diary(nothing, read("person,date,onset,wakeup\np,2018-08-14,23:00,07:10\n"))
    assert empty.nights[REASONS][0] == "no_recording"


def test_a_person_in_whom_no_sleep_was_found(read):
    nights = nights_of_p(meta("2018-08-14 15:00", 24), [])
    compared = compare_diary(nights, read("person,date,onset,wakeup\np,2018-08-14,23:00,07:00\n"))
    assert compared.nights[REASONS][0] == "no_night_found"
    assert compared.agreement is not None and compared.agreement.missed == 1


def test_the_codes_of_the_night_are_those_of_the_row_too(read):
    of = meta("2018-08-14 20:00", 13)
    nights = nights_of_p(of, [(3 * 720, 11 * 720)])
    compared = compare_diary(nights, read("person,date,onset,wakeup\np,2018-08-14,23:00,07:00\n"))
    assert compared.nights[REASONS][0] == "recording_too_short"


def test_sleep_that_is_there_from_another_recording_belongs_to_no_row(read):
    nights = nights_of_p(meta("2018-08-14 15:00", 24), [(8 * 720, 16 * 720)])
    twice = nights.with_columns(pl.lit("not_worn recorded_twice").alias(REASONS))
    diary = read("person,date,onset,wakeup\np,2018-08-14,23:00,07:00\n")
    compared = compare_diary(pl.concat([twice, nights]), diary)
    assert compared.nights[REASONS].to_list() == [""]
    assert compared.agreement is not None and compared.agreement.extra == 0
    assert compare_diary(twice, diary).nights[REASONS].to_list() == ["no_night_found"]


@pytest.mark.parametrize(
    "change", [("2018-11-03", "2018-11-04", 10), ("2018-03-10", "2018-03-11", 8)]
)
def test_time_in_bed_is_time_that_passed(read, change):
    evening, morning, hours = change
    zone = "America/New_York"
    of = meta(f"{evening} 15:00", 24, zone)
    sleep = (row_of(of, f"{evening} 23:00", zone), row_of(of, f"{morning} 07:00", zone))
    nights = nights_of_p(of, [sleep])
    header = "person,date,bed,onset,wakeup,rise\n"
    row = compare_diary(nights, read(f"{header}p,{evening},22:30,23:00,07:00,07:30\n")).nights
    assert row["time_in_bed_min"][0] == 60 * hours
    assert (row["onset_error_min"][0], row["duration_error_min"][0]) == (0, 0)


@pytest.mark.parametrize("night", GOLDEN["nights"], ids=lambda night: f"TIB{night['TIB']:g}")
def test_efficiency_and_latency_are_those_of_yasa(read, night):
    epochs = night["epochs"]
    slept = sleep_scoring.within(steps(epochs.strip("W")))
    clock = lambda epoch: str(np.datetime64("2018-08-14T22:00") + np.timedelta64(30 * epoch, "s"))
    row = {
        "series_id": "s", "person": "p", "night": 1, "kind": "main", REASONS: "",
        "onset": clock(epochs.index("S")) + "+0000",
        "wakeup": clock(epochs.rindex("S") + 1) + "+0000",
    }  # fmt: skip
    cells = f"{clock(0)},{clock(0)},{clock(len(epochs))},{clock(len(epochs))}".replace("T", " ")
    diary = read(f"person,date,bed,onset,wakeup,rise\np,,{cells}\n")
    table = compare_diary(checked([row | slept], NIGHTS), diary).nights
    assert table["time_in_bed_min"][0] == pytest.approx(night["TIB"])
    assert table["sleep_efficiency"][0] == pytest.approx(night["SE"] / 100, abs=1e-6)
    assert table["sleep_latency_min"][0] == pytest.approx(night["SOL"])


def test_sleep_that_ends_before_it_begins_by_the_clock_belongs_to_no_row(read):
    of = meta("2018-08-14 15:00", 24)
    west = of.__class__("s", of.n_steps, 0, of.start, ((0, 3600), (12 * 720, -8 * 3600)), {})
    nights = nights_of_p(west, [(8 * 720, 16 * 720)])
    assert nights.filter(kind="main")["clock_change_h"].to_list() == [-9]
    header = "person,date,onset,wakeup\n"
    compared = compare_diary(nights, read(f"{header}p,2018-08-14,23:00,07:00\n"))
    assert compared.nights[REASONS].to_list() == ["no_night_found"]


def test_a_reference_with_many_people(read, nights):
    """Whoever has no diary is left out, and nobody's nights are given to somebody else."""
    others = [nights.with_columns(person=pl.lit(name)) for name in ("q", "r")]
    rows = "".join(
        f"{who},2018-08-{d},23:0{i},07:00\n" for i, who in enumerate("qp") for d in (14, 15)
    )
    compared = compare_diary(
        pl.concat([nights, *others]), read(f"person,date,onset,wakeup\n{rows}")
    )
    assert compared.nights["onset_error_min"].to_list() == [0, 0, -1, -1]
