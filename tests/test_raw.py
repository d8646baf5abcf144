"""Reading series: one test for every way in which a file can be wrong (docs/data.md)."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import features, raw
from sleepjax.types import InputError
from tests.reference import series as reference
from tests.reference.series import EASTERN, START, rows, stamp, write_cohort


def read(frame, **kwargs):
    (recording,) = raw.recordings_from_frame(frame, **kwargs)
    return recording


def with_value(frame, column, row, value):
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame[column].dtype))


def test_a_clean_series_is_unchanged():
    frame = rows(500)
    recording = read(frame)
    assert recording.meta.n_steps == 500
    assert recording.meta.first_step == 0
    assert recording.meta.start == START.timestamp()
    assert recording.meta.offsets == ((0, EASTERN),)
    assert recording.frame["valid"].all()
    assert recording.frame["anglez"].equals(frame["anglez"])
    assert recording.frame["enmo"].equals(frame["enmo"])
    assert recording.frame["clock"][0] == datetime(2018, 8, 14, 11, 30)
    counts = {k: v for k, v in recording.meta.qc.items() if k.startswith("n_") and k != "n_rows"}
    assert not any(counts.values()), counts


# --- files ---------------------------------------------------------------------------------------


def test_corrupt_or_truncated_parquet(tmp_path):
    path = tmp_path / "test_series.parquet"
    rows(5000).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="^test_series.parquet: the parquet file is cut short"):
        list(raw.iter_recordings(path))
    path.write_bytes(whole[:100] + bytes(len(whole) - 200) + whole[-100:])
    with pytest.raises(InputError, match="^test_series.parquet: the file cannot be read") as caught:
        list(raw.iter_recordings(path))
    assert "\n" not in str(caught.value)


def test_truncated_csv(tmp_path):
    path = tmp_path / "test_series.csv"
    rows(100).write_csv(path)
    text = path.read_text()
    path.write_text(text[: text.rfind(":")])
    with pytest.raises(InputError, match="row 99: timestamp '2018-08-14T11:38' cannot be read"):
        list(raw.iter_recordings(path))
    path.write_text(text.strip() + ",1,2,3\n")
    with pytest.raises(InputError, match="^test_series.csv: the file cannot be read"):
        list(raw.iter_recordings(path))


def test_wrong_suffix_or_content(tmp_path):
    path = tmp_path / "series.gt3x"
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match="series.gt3x: the name must end in .parquet or .csv"):
        list(raw.iter_recordings(path))
    path = tmp_path / "series.parquet"
    rows(10).write_csv(path)
    with pytest.raises(InputError, match="series.parquet: it is not a parquet file.*b'seri'"):
        list(raw.iter_recordings(path))
    path = tmp_path / "binary.csv"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match="^binary.csv: "):
        list(raw.iter_recordings(path))


def test_empty_file_and_zero_rows(tmp_path):
    for suffix, write in ((".parquet", "write_parquet"), (".csv", "write_csv")):
        path = tmp_path / f"test_series{suffix}"
        path.touch()
        with pytest.raises(InputError, match=r"the file is empty \(0 bytes\)"):
            list(raw.iter_recordings(path))
        getattr(rows(1).clear(), write)(path)
        with pytest.raises(InputError, match="it has no rows"):
            list(raw.iter_recordings(path))
    with pytest.raises(InputError, match="the given frame: it has no rows"):
        raw.recordings_from_frame(rows(1).clear())


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(InputError, match="nowhere.csv: the file does not exist"):
        list(raw.iter_recordings(tmp_path / "nowhere.csv"))
    (tmp_path / "test_series.parquet").mkdir()
    with pytest.raises(InputError, match="test_series.parquet: it is a folder"):
        list(raw.iter_recordings(tmp_path / "test_series.parquet"))


def test_find_files_says_what_is_there(tmp_path):
    with pytest.raises(InputError, match="does not exist; it must be a folder"):
        raw.find_files(tmp_path / "none", "train")
    with pytest.raises(InputError, match="no test_series.parquet.*It holds: nothing"):
        raw.find_files(tmp_path, "test")
    with pytest.raises(InputError, match="phase 'valid' is unknown"):
        raw.find_files(tmp_path, "valid")
    rows(5).write_parquet(tmp_path / "tset_series.parquet")
    with pytest.raises(InputError, match="did you mean 'tset_series.parquet'"):
        raw.find_files(tmp_path, "test")
    rows(5).write_parquet(tmp_path / "train_series.parquet")
    with pytest.raises(InputError, match="train_events.csv: the events .* are missing.*'test'"):
        raw.find_files(tmp_path, "train")
    (tmp_path / "train_events.csv").touch()
    (tmp_path / "simulation.json").touch()
    found = raw.find_files(tmp_path, "train")
    assert (found.series[0].name, found.simulated) == ("train_series.parquet", True)
    rows(5).write_csv(tmp_path / "train_series.csv")
    with pytest.raises(InputError, match="the same series in two formats"):
        raw.find_files(tmp_path, "train")


# --- columns -------------------------------------------------------------------------------------


def test_missing_column_names_the_nearest(tmp_path):
    frame = rows(10).rename({"anglez": "angle_z"})
    frame.write_parquet(tmp_path / "test_series.parquet")
    with pytest.raises(InputError, match="'anglez' is missing, did you mean 'angle_z'.*it needs"):
        list(raw.iter_recordings(tmp_path / "test_series.parquet"))
    with pytest.raises(InputError, match=r"'enmo' is missing. It has: series_id, step"):
        raw.recordings_from_frame(rows(10).drop("enmo"))


@pytest.mark.parametrize(
    ("name", "dtype", "found"),
    [
        ("anglez", pl.Boolean, "Boolean"),
        ("enmo", pl.Date, "Date"),
        ("step", pl.Float64, "Float64"),
        ("timestamp", pl.Int64, "Int64"),
        ("series_id", pl.Float32, "Float32"),
    ],
)
def test_wrong_type_of_column(name, dtype, found):
    frame = rows(10).with_columns(pl.lit(None).cast(dtype).alias(name))
    with pytest.raises(InputError, match=f"column '{name}' is {found}; it must be .*cast"):
        raw.recordings_from_frame(frame)


def test_text_in_a_number_column_names_the_row(tmp_path):
    path = tmp_path / "test_series.csv"
    frame = rows(20).with_columns(pl.col("anglez").cast(pl.String))
    with_value(frame, "anglez", 7, "12,5").write_csv(path)
    with pytest.raises(InputError, match=r"row 7 \(series 'a1'\): anglez is '12,5'; .* a number"):
        list(raw.iter_recordings(path))
    with pytest.raises(InputError, match="row 3: step is empty"):
        raw.recordings_from_frame(with_value(rows(10), "step", 3, None))
    with pytest.raises(InputError, match="row 3: series_id is empty"):
        raw.recordings_from_frame(with_value(rows(10), "series_id", 3, None))


def test_harmless_other_types_are_accepted():
    frame = rows(50)
    want = read(frame)
    other = frame.with_columns(
        pl.col("series_id").cast(pl.Categorical),
        pl.col("step").cast(pl.Int16),
        pl.col("anglez", "enmo").cast(pl.Float64),
        extra=pl.lit(1),
    )
    got = read(other)
    assert got.meta == want.meta
    assert got.frame.equals(want.frame)
    whole = frame.with_columns(pl.lit(7).alias("series_id"), pl.col("anglez").round().cast(int))
    assert read(whole).meta.series_id == "7"


# --- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", ["anglez", "enmo"])
def test_null_nan_inf_are_masked_and_counted(column, value):
    recording = read(with_value(rows(100), column, 30, value))
    assert recording.meta.qc["n_nonfinite"] == 1
    assert recording.meta.qc["n_invalid"] == 1
    assert recording.frame["valid"].arg_min() == 30
    x = features.compute(recording, ("anglez", "enmo"))
    assert np.isfinite(x).all()
    np.testing.assert_array_equal(x[30], 0)


def test_more_than_half_nonfinite_is_an_error():
    frame = rows(100)
    nan = lambda n: (
        pl.when(pl.int_range(100) < n).then(float("nan")).otherwise("enmo").alias("enmo")
    )
    assert read(frame.with_columns(nan(50))).meta.qc["n_nonfinite"] == 50
    with pytest.raises(InputError, match="series 'a1': 51 of 100 rows have an empty.*51%.*50%"):
        read(frame.with_columns(nan(51)))


@pytest.mark.parametrize(
    ("column", "value"), [("enmo", -0.5), ("enmo", 14.0), ("anglez", 91.0), ("anglez", -91.0)]
)
def test_out_of_range_is_masked_and_counted(column, value):
    recording = read(with_value(rows(300), column, 30, value))
    assert recording.meta.qc["n_out_of_range"] == 1
    assert recording.frame["valid"].arg_min() == 30
    assert recording.meta.qc["n_nonfinite"] == 0


def test_the_edge_of_the_range_is_inside():
    frame = with_value(with_value(rows(300), "anglez", 3, 90.0), "anglez", 4, -90.0)
    assert read(with_value(frame, "enmo", 5, 0.0)).frame["valid"].all()


def test_units_mg_instead_of_g():
    frame = rows(1000).with_columns(pl.col("enmo") * 1000)
    with pytest.raises(InputError, match=r"values of enmo are outside 0 to 13 g.*units\? mg vs g"):
        read(frame)
    with pytest.raises(InputError, match="anglez are outside -90 to 90 degrees.*at most 1%"):
        read(rows(1000).with_columns(pl.col("anglez") * 3))
    with pytest.raises(InputError, match="ENMO is cut at 0"):
        read(rows(1000).with_columns(pl.col("enmo") - 0.1))


def test_constant_signal_is_masked_throughout():
    for column in ("anglez", "enmo"):
        recording = read(rows(1000).with_columns(pl.lit(0.5, pl.Float32).alias(column)))
        assert recording.meta.qc["constant_signal"] == 1
        assert not recording.frame["valid"].any()
    assert read(rows(1000)).meta.qc["constant_signal"] == 0


# --- rows in time --------------------------------------------------------------------------------


def test_duplicate_timestamps_keep_the_first():
    frame = rows(200)
    again = frame[50:53].with_columns(anglez=pl.lit(1.0, pl.Float32))
    recording = read(pl.concat([frame[:53], again, frame[53:]]))
    assert recording.meta.qc["n_duplicates"] == 3
    assert recording.meta.n_steps == 200
    assert recording.frame["anglez"].equals(frame["anglez"])


def test_a_tenth_duplicated_is_an_error():
    frame = rows(100)
    with pytest.raises(InputError, match="100 of 200 rows repeat a timestamp.*two recordings"):
        raw.recordings_from_frame(pl.concat([frame, frame]))


def test_unsorted_rows_are_sorted():
    frame = rows(300)
    recording = read(pl.concat([frame[200:], frame[:200]]))
    assert recording.meta.qc["n_unsorted"] == 200
    assert recording.frame.equals(read(frame).frame)
    assert recording.meta.first_step == 0


def test_gap_is_filled_and_masked():
    frame = rows(1000)
    recording = read(pl.concat([frame[:100], frame[220:]]))
    assert recording.meta.n_steps == 1000
    assert recording.meta.qc["n_gap_steps"] == recording.meta.qc["longest_gap_steps"] == 120
    assert recording.meta.qc["n_step_mismatch"] == 0
    valid = recording.frame["valid"].to_numpy()
    np.testing.assert_array_equal(np.flatnonzero(~valid), np.arange(100, 220))
    whole = read(frame)
    assert recording.frame["clock"].equals(whole.frame["clock"])
    clock = ("hour_sin", "minute_cos", "month_sin", "step")
    np.testing.assert_array_equal(
        features.compute(recording, clock), features.compute(whole, clock)
    )


def test_gap_with_steps_renumbered_is_placed_by_time():
    frame = pl.concat([rows(1000)[:100], rows(1000)[220:]])
    recording = read(frame.with_columns(step=pl.int_range(880, dtype=pl.UInt32)))
    assert recording.meta.n_steps == 1000
    assert recording.meta.qc["n_step_mismatch"] == 780


def test_gap_of_months_is_an_error():
    early = rows(10, start=datetime(2000, 1, 1, tzinfo=UTC))
    with pytest.raises(InputError, match="nothing from 2000-01-01T00:00:45 to 2018-08-14.*reset"):
        raw.recordings_from_frame(pl.concat([early, rows(500)]))


def test_steps_may_start_anywhere():
    recording = read(rows(50).with_columns(pl.col("step") + 1200))
    assert recording.meta.first_step == 1200
    assert recording.meta.qc["n_step_mismatch"] == 0


@pytest.mark.parametrize("seconds", [15, 30, 60])
def test_sampling_too_coarse_is_an_error(seconds):
    with pytest.raises(InputError, match=f"one row every {seconds} s.*export the recording with"):
        read(rows(100, seconds=seconds))


@pytest.mark.parametrize("seconds", [0.5, 1, 2.5])
def test_finer_sampling_is_averaged(seconds):
    frame = rows(1000, seconds=seconds)
    recording = read(frame)
    k = round(5 / seconds)
    want = frame["anglez"].to_numpy().reshape(-1, k).mean(axis=1)
    np.testing.assert_allclose(recording.frame["anglez"].to_numpy(), want, rtol=1e-5, atol=1e-5)
    assert recording.meta.qc["sampling_seconds"] == seconds
    assert recording.meta.qc["n_gap_steps"] == 0
    assert recording.frame["valid"].all()


def test_ten_second_sampling_is_held():
    frame = rows(100, seconds=10)
    recording = read(frame)
    assert recording.meta.n_steps == 199
    assert recording.frame["valid"].all()
    np.testing.assert_array_equal(recording.frame["anglez"][::2], frame["anglez"])
    np.testing.assert_array_equal(recording.frame["anglez"][1::2], frame["anglez"][:-1])


def timed_rows(times):
    utc = [int(START.timestamp() * 1000) + ms for ms in times]
    return rows(len(times), timestamp=[stamp(ms, EASTERN) for ms in utc]), utc


def test_whole_second_stamps_of_a_faster_device_are_an_error():
    frame, _ = timed_rows([500 * i // 1000 * 1000 for i in range(100)])
    with pytest.raises(InputError, match="50 of 100 rows repeat a timestamp"):
        read(frame)


@given(
    st.sampled_from([5000, 5000, 7000, 10_000]),
    st.lists(st.tuples(st.integers(-2400, 2400), st.booleans()), min_size=8, max_size=40),
)
def test_jitter_and_gaps_equal_a_slow_reference(cadence, noise):
    times = [i * cadence + jitter for i, (jitter, lost) in enumerate(noise) if not (lost and i % 3)]
    times = sorted(set(times))
    frame, utc = timed_rows([t - times[0] for t in times])
    cadence = float(np.median(np.diff(utc))) if len(utc) > 1 else 5000.0
    if not 4500 <= cadence <= 10_000:
        return
    recording = read(frame)
    taken = reference.place(utc, cadence)
    want = [None if i is None else frame["anglez"][i] for i in taken]
    got = recording.frame.select(pl.when("valid").then("anglez"))["anglez"].to_list()
    assert got == want
    assert recording.meta.qc["n_gap_steps"] == taken.count(None)
    assert recording.meta.qc["n_surplus"] == len(utc) - len({i for i in taken if i is not None})


@given(
    st.sampled_from([500, 1000, 1700, 2500, 4000]),
    st.lists(st.sampled_from(["keep", "keep", "keep", "lose", "nan"]), min_size=12, max_size=90),
)
def test_averaging_equals_a_slow_reference(cadence, fates):
    times = [i * cadence for i, fate in enumerate(fates) if fate != "lose"]
    if len(times) < 2 or fates.count("nan") > len(times) / 2:
        return
    frame, utc = timed_rows(times)
    nan = [fate == "nan" for fate in fates if fate != "lose"]
    frame = frame.with_columns(
        anglez=pl.when(pl.Series(nan)).then(float("nan")).otherwise("anglez").cast(pl.Float32)
    )
    usual = float(np.median(np.diff(utc)))
    if usual >= 4500:
        return
    recording = read(frame)
    want = reference.average(utc, frame["anglez"].to_list(), usual)
    got = recording.frame.select(pl.when("valid").then("anglez"))["anglez"].to_list()
    assert [g is None for g in got] == [w is None for w in want]
    np.testing.assert_allclose(
        [g for g in got if g is not None], [w for w in want if w is not None], rtol=1e-4, atol=1e-4
    )


# --- clocks --------------------------------------------------------------------------------------


def across_dst(n=1440):
    """One hour before to one hour after 2018-11-04 06:00 UTC, when -0400 became -0500."""
    start = datetime(2018, 11, 4, 5, 0, tzinfo=UTC)
    turn = datetime(2018, 11, 4, 6, 0, tzinfo=UTC).timestamp()
    utc = [int(start.timestamp()) + 5 * i for i in range(n)]
    text = [stamp(1000 * s, EASTERN if s < turn else EASTERN - 3600) for s in utc]
    return rows(n, start=start, timestamp=text)


def test_dst_inside_a_series():
    recording = read(across_dst())
    assert recording.meta.n_steps == 1440
    assert recording.meta.offsets == ((0, EASTERN), (720, EASTERN - 3600))
    assert recording.meta.qc["n_clock_changes"] == 1
    assert recording.meta.qc["n_gap_steps"] == recording.meta.qc["n_unsorted"] == 0
    clock = recording.frame["clock"]
    assert (clock[719], clock[720]) == (
        datetime(2018, 11, 4, 1, 59, 55),
        datetime(2018, 11, 4, 1, 0),
    )


def test_naive_timestamps_with_tz_equal_offsets():
    frame = across_dst()
    naive = frame.with_columns(pl.col("timestamp").str.slice(0, 19))
    with pytest.raises(InputError, match="series 'a1', row 0: .*no UTC offset"):
        read(naive)
    recording = read(naive, tz="America/New_York")
    assert recording.meta == read(frame).meta
    assert recording.frame.equals(read(frame).frame)


def test_mixed_offsets_between_series():
    there = rows(10, "b2", offset=9 * 3600)
    first, second = raw.recordings_from_frame(pl.concat([rows(10), there]))
    assert first.meta.start == second.meta.start
    assert second.meta.offsets == ((0, 9 * 3600),)
    assert (second.frame["clock"][0] - first.frame["clock"][0]).total_seconds() == 13 * 3600


def test_start_at_midnight():
    start = datetime(2018, 8, 14, 4, 0, tzinfo=UTC)
    recording = read(rows(20, start=start))
    assert recording.frame["clock"][0] == datetime(2018, 8, 14)
    x = features.compute(recording, ("hour_sin", "hour_cos"))
    np.testing.assert_allclose(x[0], [0, 1], atol=1e-7)


# --- lengths and files of several series ---------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7])
def test_tiny_series(n):
    recording = read(rows(n))
    assert recording.meta.n_steps == n
    assert recording.frame["valid"].all()
    assert features.compute(recording, features.DEFAULT_FEATURES).shape == (n, 11)


def test_interleaved_series(tmp_path):
    frame = pl.concat([rows(4), rows(4, "b2", seed=1), rows(8)[4:]])
    in_memory = raw.recordings_from_frame(frame)
    assert [r.meta.n_steps for r in in_memory] == [8, 4]
    frame.write_parquet(tmp_path / "test_series.parquet")
    with pytest.raises(
        InputError, match="series 'a1' stand apart: they begin again.*sort the file"
    ):
        list(raw.iter_recordings(tmp_path / "test_series.parquet"))


def test_several_files_and_the_same_series_in_two(tmp_path):
    rows(5).write_parquet(tmp_path / "test_series_1.parquet")
    rows(5, "b2").write_csv(tmp_path / "test_series_2.csv")
    files = raw.find_files(tmp_path, "test").series
    assert [r.meta.series_id for r in raw.iter_recordings(files)] == ["a1", "b2"]
    rows(5).write_parquet(tmp_path / "test_series_3.parquet")
    files = raw.find_files(tmp_path, "test").series
    with pytest.raises(InputError, match="series_3.parquet: .*'a1'.* and in test_series_1.parquet"):
        list(raw.iter_recordings(files))


@pytest.mark.parametrize("batch", [7, 64, 100_000])
def test_csv_equals_parquet_whatever_the_batches(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(raw, "_BATCH_ROWS", batch)
    frames = [rows(90), with_value(rows(41, "b2", seed=3), "enmo", 3, None), rows(1, "c3")]
    write_cohort(tmp_path, frames)
    write_cohort(tmp_path, frames, suffix=".csv")
    binary = list(raw.iter_recordings(tmp_path / "test_series.parquet"))
    text = list(raw.iter_recordings(tmp_path / "test_series.csv"))
    memory = raw.recordings_from_frame(pl.concat(frames))
    assert len(binary) == 3
    for a, b, c in zip(binary, text, memory, strict=True):
        assert a.meta == b.meta == c.meta
        assert a.frame.equals(b.frame)
        assert a.frame.equals(c.frame)


def test_the_real_recording(real_recording):
    (recording,) = raw.iter_recordings(real_recording)
    assert recording.meta.n_steps == 137_513
    assert recording.meta.qc["n_nonfinite"] == recording.meta.qc["n_invalid"] == 1
    assert recording.frame["valid"].arg_min() == 137_512
    assert recording.meta.offsets == ((0, 0),)
