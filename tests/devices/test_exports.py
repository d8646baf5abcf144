"""Csv files that devices' own programs export: read as they are, or refused with a remedy."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from sleepjax.devices import recordings
from sleepjax.types import InputError

START = datetime(2024, 3, 4, 21, 30)
RATE = 50
N = 60 * RATE


def rows(form: str | None = None, *, milli: str = ".", start: datetime = START) -> list[str]:
    """A minute of samples as lines, with times where their form is given."""
    rng = np.random.default_rng(0)
    xyz = np.array([0.6, 0.0, 0.8]) + rng.normal(0, 0.01, (N, 3))
    lines = []
    for i, values in enumerate(xyz):
        at = start + timedelta(seconds=i / RATE)
        time = at.strftime(form) + f"{milli}{at.microsecond // 1000:03d}," if form else ""
        lines.append(time + ",".join(f"{v:.4f}" for v in values))
    return lines


def actilife(dates="date format M/d/yyyy ", rate=f"at {RATE} Hz ", start="3/4/2024", epoch="00"):
    return [
        "------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.3 Firmware v2.5.0 "
        f"{dates}{rate} Filter Normal -----------",
        "Serial Number: NEO1C15110135", "Start Time 21:30:00", f"Start Date {start}",
        f"Epoch Period (hh:mm:ss) 00:00:{epoch}", "Download Time 10:33:39",
        f"Download Date {start}", "Current Memory Address: 0",
        "Current Battery Voltage: 4.02     Mode = 12",
        "--------------------------------------------------",
    ]  # fmt: skip


NAMES = "Accelerometer X,Accelerometer Y,Accelerometer Z"


def geneactiv(zone="GMT +00:00"):
    said = {1: "Device Type,GENEActiv", 3: "Device Unique Serial Code,012345",
            11: f"Measurement Frequency,{RATE} Hz", 12: "Start Time,2024-03-04 21:30:00:000",
            15: f"Time Zone,{zone}"}  # fmt: skip
    return [said.get(line, "") for line in range(1, 101)]


def written(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path, lines, tz: str | None = "Europe/London"):
    (one,) = recordings(written(path, lines), tz=tz)
    return one


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "p.csv"
    return read(path, ["time,x,y,z", *rows("%Y-%m-%d %H:%M:%S")]).frame


ISO, US, EUROPE = "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"
EXPORTS = {
    "actilife, no times": [*actilife(), NAMES, *rows()],
    "actilife, no times and no names": [*actilife(), *rows()],
    "actilife, a blank line": [*actilife(), "", *rows()],
    "actilife, times": [*actilife(), f"Timestamp,{NAMES}", *rows(US)],
    "actilife, day first": [
        *actilife("date format dd.MM.yyyy ", start="04.03.2024"), f"Timestamp,{NAMES}",
        *rows(EUROPE),
    ],
    "actilife, day first, no times": [
        *actilife("date format d/M/yyyy ", start="4/3/2024"), NAMES, *rows(),
    ],
    "actilife, times, no rate": [*actilife(rate=""), f"Timestamp,{NAMES}", *rows(US)],
    "geneactiv": [*geneactiv(), *(f"{row},100,0,25.6" for row in rows(ISO, milli=":"))],
    "axivity": rows(ISO),
    "axivity, temperature": [f"{row},21.5" for row in rows(ISO)],
    "biobank": ["time,x,y,z", *(
        row.replace(",", "+0000 [Europe/London],", 1) for row in rows(ISO))],
    "with a mark of UTF-8": ["\ufefftime,x,y,z", *rows(ISO)],
    "windows": [f"{line}\r" for line in [*actilife(), NAMES, *rows()]],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_the_plain_table(name, plain, tmp_path):
    one = read(tmp_path / "p.csv", EXPORTS[name])
    assert one.frame.equals(plain), one.frame
    assert one.quality["rate_hz"] == RATE and one.frame["series_id"][0] == "p"
    assert one.frame["timestamp"][0] == "2024-03-04T21:30:00+0000"


def test_what_the_header_says_of_the_device(tmp_path):
    one = read(tmp_path / "p.csv", EXPORTS["actilife, no times"])
    known = [one.quality[name] for name in ("format", "device", "serial")]
    assert known == ["ActiLife csv", "ActiGraph GT3X+", "NEO1C15110135"]
    one = read(tmp_path / "g.csv", EXPORTS["geneactiv"], tz=None)
    known = [one.quality[name] for name in ("format", "device", "serial", "tz_source")]
    assert known == ["GENEActiv csv", "GENEActiv", "012345", "header: Time Zone"]


def test_the_zone_in_a_header_of_geneactiv_is_that_of_its_times(tmp_path):
    lines = [*geneactiv("GMT +02:00"), *rows(ISO, milli=":")]
    assert read(tmp_path / "p.csv", lines, None).frame["timestamp"][0].endswith("21:30:00+0200")
    assert read(tmp_path / "p.csv", lines).frame["timestamp"][0] == "2024-03-04T19:30:00+0000"


def test_the_zone_of_actilife_must_be_named(tmp_path):
    with pytest.raises(InputError, match=r"does not say in which time zone.*--tz"):
        read(tmp_path / "p.csv", EXPORTS["actilife, no times"], None)


def test_dates_of_one_reading_need_no_statement(tmp_path):
    for start, date in (("25/3/2024", "%d/%m/%Y"), ("3/25/2024", "%m/%d/%Y")):
        begin = datetime(2024, 3, 25, 21, 30)
        lines = [*actilife("", start=start), *rows(f"{date} %H:%M:%S", start=begin)]
        one = read(tmp_path / "p.csv", lines)
        assert one.frame["timestamp"][0] == "2024-03-25T21:30:00+0000"


def test_many_batches_of_rows_without_times_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("sleepjax.tables._BATCH_ROWS", 700)
    one = read(tmp_path / "p.csv", EXPORTS["actilife, no times"])
    assert one.frame.height == 12 and one.quality["gaps"] == 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*actilife(""), *rows()], r"'Start Date 3/4/2024' can be read in two ways; add"),
        ([*actilife("date format D "), *rows()], "does not say how dates are written"),
        ([*actilife(start="25/3/2024"), *rows()], r"'25/3/2024' '21:30:00', is not a date"),
        ([*actilife(), *rows(EUROPE)], r"cannot be read; by its header it must be of the form %m/"),
        ([*actilife(rate=""), NAMES, *rows()], r"no times and its header no rate.*timestamps"),
        (
            [*actilife(epoch="10"), "Date,Time,Axis1", "3/4/2024,21:30:00,12"],
            r"counts \(epochs of 00:00:10\), which are not acceleration; export raw data",
        ),
        (actilife(), "header of ActiLife without rows"),
        (actilife()[:5], "header of ActiLife has no end"),
        ([*actilife(), *(row.replace(",", ";") for row in rows())], "separated by ';'"),
        (geneactiv(), "header of GENEActiv's software without rows"),
        (
            [*geneactiv(), *(f"{row},1,0,25,3,0.1,0.1,0.1,5" for row in rows(ISO, milli=":"))],
            "'epoch compressed' export, whose means",
        ),
        ([line.replace(",", "\t") for line in geneactiv()], r"separated by '\\t'"),
        (
            ["acceleration (mg) - 2014-05-07 13:29:50 - 2014-05-13 09:49:50 - sampleRate = 5 "
             "seconds,imputed", "20.1,0", "14.2,0"],
            "without the angle of the arm",
        ),
        (
            [row.replace(",", ";").replace(".", ",") for row in rows(ISO)],
            "write it with ',' between columns and '.' in numbers",
        ),
    ],
)  # fmt: skip
def test_exports_that_cannot_be_used_name_the_remedy(lines, message, tmp_path):
    with pytest.raises(InputError, match=message) as raised:
        read(tmp_path / "p.csv", lines)
    assert str(raised.value).startswith("p.csv: ") and "\n" not in str(raised.value)
