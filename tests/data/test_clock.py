"""Timestamps: two readers and the standard library agree; the clock of a series is its own."""

from datetime import UTC, datetime, timedelta, timezone
from unittest import mock
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import clock
from sleepjax.types import InputError
from tests.reference.series import EASTERN, stamp

OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: quarters * 900)
MOMENTS = st.integers(0, 4_000_000_000)  # 1970 to 2096


def read(texts, tz=None):
    return clock.parse(pl.Series(texts, dtype=pl.String), tz=tz, where="file.csv: series 'a1'")


def utc_offset(moment: datetime) -> float:
    offset = moment.utcoffset()
    assert offset is not None
    return offset.total_seconds()


def expected(texts):
    moments = [datetime.fromisoformat(text) for text in texts]
    return [round(m.timestamp() * 1000) for m in moments], [utc_offset(m) for m in moments]


@given(st.lists(st.tuples(MOMENTS, OFFSETS), min_size=1, max_size=20))
def test_reading_equals_the_standard_library(pairs):
    texts = [stamp(1000 * seconds, offset) for seconds, offset in pairs]
    utc, offset = expected(texts)
    for parsed in (
        read(texts),
        clock._fixed_width(pl.Series(texts)),
        read([*texts, texts[0] + " "]),
    ):
        assert parsed is not None
        np.testing.assert_array_equal(parsed[0][: len(texts)], utc)
        np.testing.assert_array_equal(parsed[1][: len(texts)], offset)


@given(st.data())
def test_steps_with_breaks_equal_the_reading_of_each_stamp(data):
    """Runs of five-second steps: gaps, steps back, changes of the offset, midnight."""
    run = st.tuples(MOMENTS, st.integers(-2, 2), st.integers(1, 30))
    texts = []
    for moment, hours, size in data.draw(st.lists(run, min_size=1, max_size=3)):
        start = moment - moment % 86_400 - 60  # a minute before some midnight
        start += data.draw(st.integers(0, 4))
        texts += [stamp(1000 * (start + 5 * i), 3600 * hours) for i in range(size)]
    words = pl.Series(texts).cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt64, 3))
    with mock.patch.object(clock, "_RUN", 1):  # short runs are read like long ones
        parsed = clock._every_step(words.to_numpy())
    assert parsed is not None
    for got, want in zip(parsed, expected(texts), strict=True):
        np.testing.assert_array_equal(got, want)


def test_stamps_that_are_no_steps_are_left_to_another_reader():
    texts = [stamp(5000 * i + 1000 * (i % 2), 0) for i in range(50)]
    words = pl.Series(texts).cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt64, 3))
    assert clock._every_step(words.to_numpy()) is None
    np.testing.assert_array_equal(read(texts)[0], expected(texts)[0])


@pytest.mark.parametrize(
    "text",
    [
        "2018-08-14T15:30:00-04:00",
        "2018-08-14 15:30:00-0400",
        "2018-08-14T19:30:00Z",
        "2018-08-14T15:30:00.250-0400",
        "2018-08-14T15:30:00.1234567-04:00",
    ],
)
def test_other_spellings_of_iso_8601(text):
    utc, offset = read([text, text])
    want = expected([text[:23] + text[-6:] if "1234567" in text else text])
    assert (utc[1], offset[1]) == (want[0][0], want[1][0])


GOOD = "2018-08-14T15:30:00-0400"


@pytest.mark.parametrize("position", range(24))
def test_one_wrong_character_is_never_misread(position):
    for character in "0123456789 -+:TZx/.":
        text = GOOD[:position] + character + GOOD[position + 1 :]
        try:
            parsed = read([GOOD, text, GOOD])
        except InputError as error:
            assert "row 1: timestamp" in str(error)
        else:
            assert text[10] in "T "
            want = expected([text])
            assert (parsed[0][1], parsed[1][1]) == (want[0][0], want[1][0])
            assert abs(want[1][0]) <= 14 * 3600


def test_neighbours_that_differ_in_the_sign_of_the_offset():
    assert read([GOOD, GOOD.replace("-0400", "+0400")])[1].tolist() == [-14400, 14400]


@pytest.mark.parametrize(
    "text", ["2018-02-30T15:30:00-0400", "2018-08-14T24:30:00-0400", "2018-08-14T15:30:60-0400",
             "2018-08-14T15:30:00-0460", "2018-08-14T15:30:00+1500", "2018-13-14T15:30:00-0400",
             "14/08/2018 15:30:00-0400", "", 
             "yesterday, half past 3", "2018-08-14T15:3x:00-0400"]
)  # fmt: skip
def test_an_impossible_timestamp_is_named_with_its_row(text):
    with pytest.raises(
        InputError, match="file.csv: series 'a1', row 2: timestamp .* cannot be read"
    ):
        read([GOOD, GOOD, text])


def test_seconds_since_1970_in_a_csv_are_recognised():
    with pytest.raises(InputError, match=r"'1534260600' cannot be read \(it looks like seconds"):
        read(["1534260600"])


def test_an_empty_timestamp_is_named_with_its_row():
    with pytest.raises(InputError, match="row 1: the timestamp is empty"):
        read([GOOD, None])


def test_naive_timestamps_need_a_zone():
    with pytest.raises(InputError, match="no UTC offset.*name the zone.*--tz"):
        read(["2018-08-14T15:30:00"])
    with pytest.raises(InputError, match="row 1: .* has no UTC offset while others have"):
        read([GOOD, "2018-08-14T15:30:00"])
    for text in ("2018-08-14T15:30:00", GOOD):  # a zone that is not needed is no less misspelt
        with pytest.raises(InputError, match="time zone 'New York' is unknown"):
            read([text], tz="New York")


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe"])
def test_naive_timestamps_of_a_year_follow_the_zone(zone):
    """Every ten minutes of 2018, both passes through the repeated hour told apart."""
    begin = int(datetime(2018, 1, 1, tzinfo=UTC).timestamp())
    utc = np.arange(begin, begin + 365 * 86400, 600)
    moments = [datetime.fromtimestamp(int(s), ZoneInfo(zone)) for s in utc]
    found, offset = read([m.strftime("%Y-%m-%d %H:%M:%S") for m in moments], tz=zone)
    np.testing.assert_array_equal(found, utc * 1000)
    np.testing.assert_array_equal(offset, [utc_offset(m) for m in moments])


def test_a_clock_time_that_does_not_exist():
    with pytest.raises(InputError, match="does not exist in America/New_York.*Etc/GMT"):
        read(["2018-03-11T01:59:55", "2018-03-11T02:00:00"], tz="America/New_York")


def test_a_clock_that_was_not_put_back():
    """Taken at their word the hours after the change would lie one too late, behind a gap."""
    text = ["2024-10-27T01:59:55", "2024-10-27T02:00:00", "2024-10-27T02:00:05"]
    message = (
        r"row 1: the recorded time runs on to 2024-10-27 02:00:00 where clocks go back in "
        r"Europe/London.*the device kept its clock, at UTC\+01:00; name that fixed offset: tz='Etc"
    )
    with pytest.raises(InputError, match=message):
        read(text, tz="Europe/London")
    found, offset = read(text, tz="Etc/GMT-1")
    assert np.diff(found).tolist() == [5000, 5000] and set(offset) == {3600}
    read(["2024-10-27T01:30:00", "2024-10-27T02:10:00"], tz="Europe/London")  # a gap may hide it


NEW_YORK = "America/New_York"
BACK = int(datetime(2017, 11, 5, 6, tzinfo=UTC).timestamp())  # 01:59:55-0400, then 01:00:00-0500


def naive(utc, zone=NEW_YORK):
    moments = [datetime.fromtimestamp(int(s), ZoneInfo(zone)) for s in utc]
    return [m.strftime("%Y-%m-%dT%H:%M:%S") for m in moments]


@given(st.lists(st.integers(0, 2158), max_size=20), st.integers(0, 1900), st.integers(1, 300))
def test_rows_that_changed_places_do_not_move_the_clock(swaps, first, lost):
    """Three hours around the end of summer time, neighbours exchanged, then some minutes lost."""
    utc = BACK - 5400 + 5 * np.arange(2160)
    for i in swaps:
        utc[[i, i + 1]] = utc[[i + 1, i]]
    utc = np.delete(utc, slice(first, first + lost))
    found, offset = read(naive(utc), tz=NEW_YORK)
    np.testing.assert_array_equal(found, utc * 1000)
    np.testing.assert_array_equal(offset, np.where(utc < BACK, EASTERN, EASTERN - 3600))


@pytest.mark.parametrize("zone, back", [
    ("Australia/Lord_Howe", datetime(2018, 3, 31, 15, tzinfo=UTC)),  # half an hour
    ("America/Havana", datetime(2018, 11, 4, 5, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),  # from midnight to the day before
])  # fmt: skip
def test_swapped_rows_in_other_zones(zone, back):
    utc = int(back.timestamp()) - 5400 + 5 * np.arange(2160)
    for i in (100, 719, 1079, 1080, 1500, 1799):
        swapped = utc.copy()
        swapped[[i, i + 1]] = swapped[[i + 1, i]]
        np.testing.assert_array_equal(read(naive(swapped, zone), tz=zone)[0], swapped * 1000)


def test_an_hour_whose_two_passes_cannot_be_told_apart():
    utc = BACK - 5400 + 5 * np.arange(2160)
    rng = np.random.default_rng(0)
    for order in (utc[::-1], rng.permutation(utc)):
        with pytest.raises(InputError, match="no order that tells the two passes.*order of record"):
            read(naive(order), tz=NEW_YORK)


def test_a_recording_that_begins_in_the_second_pass_is_not_told_one_remedy_only():
    with pytest.raises(InputError, match="UTC-04:00; name that fixed offset.*or the recording beg"):
        read(naive(BACK + 1800 + 5 * np.arange(720)), tz=NEW_YORK)


def test_the_pass_that_is_near_is_meant():
    """As with events, which have steps and no neighbours."""
    texts = pl.Series(["2017-11-05T01:30:00"] * 2)
    near = np.array([BACK - 1790, BACK + 1750]) * 1000
    utc, _ = clock.parse(texts, tz=NEW_YORK, where="events", near=near)
    assert utc.tolist() == [(BACK - 1800) * 1000, (BACK + 1800) * 1000]


# --- a zone beside offsets -----------------------------------------------------------------------


def zulu(utc):
    return [datetime.fromtimestamp(int(s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for s in utc]


SPELLINGS = {
    "Z": lambda utc: pl.Series(zulu(utc)),
    "+0000": lambda utc: pl.Series([text[:-1] + "+0000" for text in zulu(utc)]),
    "+00:00": lambda utc: pl.Series([text[:-1] + "+00:00" for text in zulu(utc)]),
    "datetime": lambda utc: pl.Series(utc * 1000).cast(pl.Datetime("ms", "UTC")),
    "of the zone": lambda utc: pl.Series(
        [stamp(1000 * s, EASTERN - (s >= BACK) * 3600) for s in utc.tolist()]
    ),
    "datetime of the zone": lambda utc: pl.Series(utc * 1000).cast(pl.Datetime("ms", NEW_YORK)),
    "naive": lambda utc: pl.Series(naive(utc)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_named_zone_is_the_wall_clock(spelling):
    """However the same instants are written: in UTC, by the zone's offsets, or without any."""
    utc = BACK - 5400 + 60 * np.arange(180)
    found, offset = clock.parse(SPELLINGS[spelling](utc), tz=NEW_YORK, where="f.csv: series 'a'")
    np.testing.assert_array_equal(found, utc * 1000)
    np.testing.assert_array_equal(offset, np.where(utc < BACK, EASTERN, EASTERN - 3600))


def test_london_in_winter_is_no_utc_that_was_forgotten():
    texts = ["2018-10-28T01:30:00+0100", "2018-10-28T01:30:00+0000"]
    assert read(texts, tz="Europe/London")[1].tolist() == [3600, 0]
    winter = pl.Series([datetime(2018, 1, 1)]).dt.replace_time_zone("Europe/London")
    with pytest.raises(
        InputError, match=r"UTC\+00:00 \(Europe/London\), but tz='America/New_York'"
    ):
        clock.parse(winter, tz=NEW_YORK, where="frame")


@pytest.mark.parametrize("text", [GOOD, "2018-08-14T15:30:00-04:00"])
def test_an_offset_that_contradicts_the_zone_names_both(text):
    message = (
        r"row 0: timestamp '2018-08-14T15:30:00-04:?00' is at UTC-04:00, but tz='Europe/London' is "
        r"at UTC\+01:00 then; leave tz out to keep the clock that was recorded, or name the zone"
    )
    with pytest.raises(InputError, match=message):
        read([text, text], tz="Europe/London")
    with pytest.raises(
        InputError, match="row 1: .* at UTC-04:00, but tz='America/New_York' is at "
    ):
        read(["2018-11-04T01:59:55-0400", "2018-11-04T02:00:00-0400"], tz=NEW_YORK)
    assert read([text], tz=NEW_YORK)[1].tolist() == [EASTERN]


def test_polars_datetimes_are_read_like_text():
    moments = [datetime(2018, 11, 4, 5, 59, 55, tzinfo=UTC), datetime(2018, 11, 4, 6, tzinfo=UTC)]
    column = pl.Series(moments).dt.convert_time_zone("America/New_York")
    utc, offset = clock.parse(column, tz=None, where="frame")
    assert utc.tolist() == [m.timestamp() * 1000 for m in moments]
    assert offset.tolist() == [-4 * 3600, -5 * 3600]
    naive = pl.Series([datetime(2018, 8, 14, 15, 30)])
    utc, offset = clock.parse(naive, tz="America/New_York", where="frame")
    assert (utc[0], offset[0]) == tuple(x[0] for x in expected([GOOD]))
    with pytest.raises(InputError, match="no UTC offset"):
        clock.parse(naive, tz=None, where="frame")
    assert datetime.fromisoformat(GOOD).tzinfo == timezone(timedelta(hours=-4))
