"""Each format's timestamps: a file of known local time comes out at that local time and UTC."""

from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sleepjax.devices import recordings
from sleepjax.types import InputError
from tests.support import actigraph, axivity, geneactiv

SUMMER = datetime(2024, 7, 1, 21, 30)
RATE = 50
"""All files hold one minute: 3,000 samples."""


def minute() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([[0.6], [0.0], [0.8]]) + rng.normal(0, 0.02, (3, 60 * RATE))


def _geneactiv(path: Path, start: datetime, zone: str | None) -> Path:
    return geneactiv.write(path, [minute()], RATE, start, zone=zone or "?", n_samples=3000)


def _axivity(path: Path, start: datetime, zone: str | None) -> Path:
    minutes = -1 if zone is None else int(zone[:3]) * 60
    return axivity.write(path, minute()[:, :2960], RATE, start, minutes)


def _actigraph(path: Path, start: datetime, zone: str | None, **how) -> Path:
    said = "?" if zone is None else f"{zone}:00"
    return actigraph.write(path, minute(), RATE, start, zone=said, **how)


WRITERS = {
    "geneactiv.bin": _geneactiv,
    "axivity.cwa": _axivity,
    "actigraph.gt3x": _actigraph,
    "actigraph2.gt3x": partial(_actigraph, layout="activity2"),
    "old.gt3x": partial(_actigraph, layout="old"),
}


def first(path: Path, **zones) -> tuple[str, str]:
    (one,) = recordings(path, **zones)
    return one.frame["timestamp"][0], one.quality["tz_source"]


@pytest.mark.parametrize("name", WRITERS)
def test_the_zone_in_the_file(name, tmp_path):
    """The clock is local; without tz it is the person's too."""
    path = WRITERS[name](tmp_path / name, SUMMER, "-05:00")
    assert first(path)[0] == "2024-07-01T21:30:00-0500"
    assert "one" in first(path)[1]  # Time Zone, TimeZone, time zone
    # 21:30 at UTC-5 is 03:30 in London.
    assert first(path, tz="Europe/London")[0] == "2024-07-02T03:30:00+0100"
    # The device was set in another zone than it says.
    assert first(path, device_tz="Europe/Paris")[0] == "2024-07-01T21:30:00+0200"
    moved = first(path, tz="Europe/London", device_tz="Europe/Paris")
    assert moved == ("2024-07-01T20:30:00+0100", "device_tz 'Europe/Paris'")
    (one,) = recordings(path, device_tz="Europe/Paris")
    assert "the file says UTC-0500: device_tz was followed" in one.quality["notes"][-1]


@pytest.mark.parametrize("name", WRITERS)
def test_no_zone_in_the_file(name, tmp_path):
    path = WRITERS[name](tmp_path / name, SUMMER, None)
    with pytest.raises(
        InputError, match=r"does not say in which time zone.*21:30:00.*--tz.*device"
    ):
        first(path)
    assert first(path, tz="Europe/London")[0] == "2024-07-01T21:30:00+0100"
    with pytest.raises(InputError, match="time zone 'Europe/Lundon' is unknown"):
        first(path, tz="Europe/Lundon")


@pytest.mark.parametrize("layout", ["activity", "activity2"])
def test_an_actigraph_that_was_set_to_utc(layout, tmp_path):
    path = _actigraph(tmp_path / "a.gt3x", SUMMER, "-05:00", layout=layout, utc=True)
    assert first(path)[0] == "2024-07-01T16:30:00-0500"
    assert "UsedUtc" in first(path)[1]
    assert first(path, tz="Europe/London")[0] == "2024-07-01T22:30:00+0100"


@pytest.mark.parametrize(
    "began, last",
    [
        (datetime(2024, 3, 31, 0, 59), "2024-03-31T02:00:55+0100"),  # 01:00 is 02:00
        (datetime(2024, 10, 27, 1, 59), "2024-10-27T01:00:55+0000"),  # 02:00 is 01:00 again
    ],
)
def test_the_device_keeps_its_clock_where_daylight_saving_begins_or_ends(began, last, tmp_path):
    two = np.tile(minute(), 2)
    path = geneactiv.write(tmp_path / "a.bin", [two], RATE, began, zone="?", n_samples=6000)
    (one,) = recordings(path, tz="Europe/London")
    assert one.frame["timestamp"][-1] == last and one.frame.height == 24
    assert one.quality["gaps"] == one.quality["duplicates"] == 0


def raw(time: pl.Series, path: Path) -> Path:
    rows = np.tile(minute(), 1 + len(time) // 3000)[:, : len(time)]
    pl.DataFrame({"time": time, "x": rows[0], "y": rows[1], "z": rows[2]}).write_csv(path)
    return path


def naive(start: datetime, seconds: int) -> pl.Series:
    span = np.arange(seconds * 10) * np.timedelta64(100, "ms")
    return pl.Series(np.datetime64(start, "ms") + span)


def test_naive_times_of_a_table_are_those_of_a_clock(tmp_path):
    path = raw(naive(SUMMER, 60), tmp_path / "a.csv")
    with pytest.raises(InputError, match="--tz"):
        first(path)
    assert first(path, tz="Europe/London")[0] == "2024-07-01T21:30:00+0100"
    moved = first(path, tz="Europe/London", device_tz="Asia/Tokyo")
    assert moved[0] == "2024-07-01T13:30:00+0100"


@pytest.mark.parametrize("began", [datetime(2024, 3, 31, 0, 30), datetime(2024, 10, 27, 0, 30)])
def test_a_table_whose_clock_follows_daylight_saving(began, tmp_path):
    """The same moments, written by a clock that is changed and by one that is not."""
    utc = naive(began, 2 * 3600).dt.replace_time_zone("UTC")
    changed = utc.dt.convert_time_zone("Europe/London")
    paths = {
        "utc.csv": utc.dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ"),
        "local.csv": changed.dt.replace_time_zone(None),
        "offset.csv": changed.dt.to_string("%Y-%m-%dT%H:%M:%S%.3f%z"),
        "number.csv": utc.dt.epoch("ms"),
        "kept.csv": (utc + changed.dt.dst_offset()[0]).dt.replace_time_zone(None),
    }
    frames = []
    for name, time in paths.items():
        (one,) = recordings(raw(time, tmp_path / name), tz="Europe/London")
        assert one.quality["gaps"] == one.quality["duplicates"] == 0
        frames.append(one.frame.drop("series_id"))
    assert all(frame.equals(frames[0]) for frame in frames)
    offsets = frames[0]["timestamp"].str.slice(19)
    assert set(offsets) == {"+0000", "+0100"}
    (without,) = recordings(tmp_path / "offset.csv")
    assert without.frame["timestamp"].to_list() == frames[0]["timestamp"].to_list()


def test_seconds_since_1970_say_nothing_of_the_persons_clock(tmp_path):
    time = naive(SUMMER, 60).dt.epoch("ms") / 1000
    path = raw(time, tmp_path / "a.csv")
    with pytest.raises(InputError, match="UTC, since 1970, which says nothing of the person's"):
        first(path)
    assert first(path, tz="Europe/London")[0] == "2024-07-01T22:30:00+0100"
    with pytest.raises(InputError, match="not seconds, ms, us or ns since 1970"):
        first(raw(pl.Series(np.arange(600.0)), tmp_path / "b.csv"), tz="Europe/London")
