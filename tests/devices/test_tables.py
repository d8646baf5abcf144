"""Tables: columns by name, units stated or detected, epochs of GGIR and wristpy, refusals."""

import gzip
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from sleepjax.data.raw import recordings_from_frame
from sleepjax.devices import recordings
from sleepjax.types import InputError

N = 3000


def samples(scale: float = 1.0, **names: str) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    xyz = np.array([[0.6], [0.0], [0.8]]) + rng.normal(0, 0.01, (3, N))
    span = np.arange(N) * np.timedelta64(20, "ms")
    time = pl.Series(np.datetime64(datetime(2024, 7, 1, 21), "ms") + span)
    columns = {"time": time} | {axis: v * scale for axis, v in zip("xyz", xyz, strict=True)}
    return pl.DataFrame(columns).rename(names)


def read(frame: pl.DataFrame, path, tz: str | None = "Europe/London", **how):
    frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)
    (one,) = recordings(path, tz=tz, **how)
    return one


@pytest.mark.parametrize("scale, unit", [(1, "g"), (1000, "mg"), (9.80665, "m/s2")])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_units_are_detected_and_said(scale, unit, suffix, tmp_path):
    one = read(samples(scale), tmp_path / f"a{suffix}")
    assert one.quality["units"].startswith(f"{unit} (detected: the median length")
    np.testing.assert_allclose(one.frame["anglez"], 53.13, atol=0.5)
    assert one.frame.height == 12 and one.quality["rate_hz"] == 50


def test_a_value_that_no_sensor_gives_is_left_out_and_counted(tmp_path):
    x = pl.when(pl.int_range(pl.len()) == 2000).then(1e30).otherwise("x").alias("x")
    one = read(samples().with_columns(x), tmp_path / "a.csv")
    assert one.quality["nonfinite"] == 1
    np.testing.assert_allclose(one.frame["anglez"], 53.13, atol=0.5)
    assert (one.frame["enmo"].to_numpy() < 0.1).all()


def test_units_that_are_stated(tmp_path):
    named = samples(1000, time="Timestamp", x="Acc X [mg]", y="Acc Y [mg]", z="Acc Z [mg]")
    one = read(named, tmp_path / "a.csv")
    assert one.quality["units"] == "mg (from the names of the columns)"
    assert read(samples(3.0), tmp_path / "b.csv", units="g").quality["units"] == "g (given)"
    with pytest.raises(
        InputError, match=r"stated as mg, but the median length.* is 1, .*units='g'"
    ):
        read(samples(), tmp_path / "c.csv", units="mg")
    with pytest.raises(InputError, match="is 3, which is gravity in no unit"):
        read(samples(3.0), tmp_path / "c.csv")
    with pytest.raises(InputError, match="units 'lb' is not one of 'g', 'mg', 'm/s2'"):
        read(samples(), tmp_path / "c.csv", units="lb")
    mixed = samples(1, x="x (g)", y="y (mg)")
    with pytest.raises(InputError, match="the axes have different units"):
        read(mixed, tmp_path / "c.csv")


@pytest.mark.parametrize(
    "names",
    [
        dict(time="HEADER_TIMESTAMP", x="X", y="Y", z="Z"),
        dict(time="Date and time", x="Accelerometer X", y="Accelerometer Y", z="Accelerometer Z"),
        dict(time="ts", x="ax", y="ay", z="az"),
        dict(time="datetime", x="acc_x", y="acc_y", z="acc_z"),
        dict(time="timestamp", x="x-axis (g)", y="y-axis (g)", z="z-axis (g)"),
    ],
)
def test_usual_names_of_columns(names, tmp_path):
    plain = read(samples(), tmp_path / "a.csv").frame
    assert read(samples(**names), tmp_path / "a.csv").frame.equals(plain)


def test_other_names_are_given(tmp_path):
    odd = samples(x="left", y="front", z="up")
    with pytest.raises(InputError, match="its columns are time, left, front, up. A series needs"):
        read(odd, tmp_path / "a.csv")
    given = {"x": "left", "y": "front", "z": "up"}
    assert read(odd, tmp_path / "a.csv", columns=given).frame.height == 12
    with pytest.raises(
        InputError, match="column 'lefty', named for x, is missing, did you mean 'left'"
    ):
        read(odd, tmp_path / "a.csv", columns=given | {"x": "lefty"})
    with pytest.raises(InputError, match="columns: 'w' is not one of"):
        read(odd, tmp_path / "a.csv", columns={"w": "left"})
    twice = samples().with_columns(ax=pl.col("x"))
    with pytest.raises(InputError, match=r"'x' and 'ax' could both be x; say which"):
        read(twice, tmp_path / "a.csv")
    assert read(twice, tmp_path / "a.csv", columns={"x": "ax"}).frame.height == 12


def test_one_recording_of_each_series(tmp_path):
    both = pl.concat([samples().with_columns(series_id=pl.lit(name)) for name in ("a", "b")])
    both.write_parquet(tmp_path / "two.parquet")
    found = list(recordings(tmp_path / "two.parquet", tz="Europe/London"))
    assert [one.frame["series_id"][0] for one in found] == ["a", "b"]
    assert found[0].frame.drop("series_id").equals(found[1].frame.drop("series_id"))
    pl.concat([both, both]).write_parquet(tmp_path / "four.parquet")
    with pytest.raises(InputError, match="rows of series 'a' stand apart"):
        list(recordings(tmp_path / "four.parquet", tz="Europe/London"))


def epochs(mg: bool = False, **names: str) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    n = 2000
    enmo = np.round(rng.gamma(0.4, 0.05, n), 4) * (1000 if mg else 1)
    stamps = np.datetime64("2017-05-15T10:00:00") + np.arange(n) * np.timedelta64(5, "s")
    text = [f"{stamp}-0400" for stamp in np.datetime_as_string(stamps)]
    angle = rng.uniform(-80, 80, n).round(4)
    return pl.DataFrame({"timestamp": text, "anglez": angle, "ENMO": enmo}).rename(names)


def test_epochs_of_ggir_in_g_and_in_mg(tmp_path):
    g = read(epochs(), tmp_path / "p.csv", tz=None)
    assert g.nonwear is None and g.quality["units"].startswith("g (detected")
    assert g.frame["series_id"][0] == "p" and g.frame["timestamp"][0] == "2017-05-15T10:00:00-0400"
    mg = read(epochs(mg=True), tmp_path / "p.csv", tz="America/New_York")
    assert mg.quality["units"].startswith("mg (detected: 99 % of enmo are below")
    named = read(epochs(mg=True, ENMO="ENMO_mg"), tmp_path / "p.csv", tz=None)
    assert named.quality["units"] == "mg (from the name of the column)"
    acc = read(epochs(mg=True, ENMO="ACC (mg)", anglez="angle"), tmp_path / "p.csv", tz=None)
    for other in (mg, named, acc):
        assert g.frame.drop("enmo").equals(other.frame.drop("enmo"))
        np.testing.assert_allclose(g.frame["enmo"], other.frame["enmo"], atol=1e-6)
    with pytest.raises(InputError, match="stated in g, but one in a hundred"):
        read(epochs(mg=True), tmp_path / "p.csv", units="g", tz=None)
    (recording,) = recordings_from_frame(g.frame)
    assert recording.meta.n_steps == 2000


def test_epochs_of_wristpy(tmp_path):
    theirs = epochs().select(
        pl.col("ENMO").alias("enmo"),
        pl.lit("inactive").alias("enmo physical activity levels"),
        pl.col("timestamp").str.slice(0, 19).add(".000000000").alias("time"),
        "anglez",
        pl.lit(False).alias("nonwear_status"),
    )
    with pytest.raises(InputError, match="does not say in which time zone"):
        read(theirs, tmp_path / "p.csv", tz=None)
    one = read(theirs, tmp_path / "p.csv", tz="America/New_York")
    assert one.frame.equals(read(epochs(), tmp_path / "p.csv", tz=None).frame)


def test_a_table_may_be_compressed(tmp_path):
    samples().write_csv(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    plain, packed = (
        next(iter(recordings(tmp_path / name, tz="Europe/London")))
        for name in ("a.csv", "a.csv.gz")
    )
    assert plain.frame.equals(packed.frame) and plain.quality == packed.quality


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda f: f.head(0), "it has no rows"),
        (lambda f: f.with_columns(time=pl.lit("soon")), "time 'soon' cannot be read"),
        (lambda f: f.with_columns(pl.col("time").replace(f["time"][5], None)), "a time is empty"),
        (lambda f: f.with_columns(x=pl.lit("?"), y=pl.lit("?")), "hold no numbers other than 0"),
        (lambda f: f.gather_every(400), "samples per second"),
    ],
)
def test_tables_that_cannot_be_used(change, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read(change(samples()), tmp_path / "a.csv", units=None)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda f: f.with_columns(x=pl.concat_list("x", "y")), "column 'x' holds List.*numbers"),
        (lambda f: f.with_columns(x=pl.lit(b"a")), "column 'x' holds Binary; it must hold numbers"),
        (lambda f: f.with_columns(x=pl.lit("?"), y=0.0, z=0.0), "hold no numbers other than 0"),
        (lambda f: f.with_columns(pl.col("time").dt.date()), "times are Date; they must be text"),
        (lambda f: f.with_columns(pl.col("time").dt.offset_by("1000y")), "'3024.* is not between"),
        (lambda f: f.with_columns(pl.col("time").dt.offset_by("-2000y")), "'0024.* is not between"),
        (
            lambda f: f.with_columns(
                pl.col("time").dt.offset_by("-100y").dt.to_string("%Y-%m-%dT%H:%M:%S%.3f+0000")
            ),
            "'1924.* is not between 1970 and 2200; was the clock set",
        ),
        (lambda f: f.with_columns(time=-pl.col("time").dt.epoch("s")), "not seconds, ms, us or ns"),
        (lambda f: f.reverse(), "times of 2999 of 3000 samples are before the one above; sort"),
        (lambda f: f.sample(fraction=1, shuffle=True, seed=0), "sort the rows by time"),
    ],
)
def test_odd_columns_are_refused_by_name(change, said, tmp_path):
    with pytest.raises(InputError, match=said) as raised:
        read(change(samples()), tmp_path / "a.parquet", units=None)
    assert "\n" not in str(raised.value)


def test_text_in_any_form_is_read(tmp_path):
    plain = read(samples(), tmp_path / "a.csv").frame
    text = samples().with_columns(pl.all().cast(pl.String).cast(pl.Categorical))
    assert read(text, tmp_path / "a.parquet").frame.equals(plain)
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text().replace(",", ", "))
    assert next(recordings(tmp_path / "a.csv", tz="Europe/London")).frame.equals(plain)


def test_files_that_are_no_tables_say_what_they_are(tmp_path):
    packed = gzip.compress(gzip.compress(b"time,x,y,z\n"))
    for name, content, said in (
        ("a.csv", b"time,x,y,z\n1,2,\x00\x00", "text with zero bytes in it, damaged"),
        (
            "a.bin",
            b"version https://git-lfs\nsize 1\n",
            "not a device's file; it begins with b'vers",
        ),
        ("a.csv.gz", packed, "compressed twice: unpack it once"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=said):
            list(recordings(tmp_path / name))
