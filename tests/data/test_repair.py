"""Repairing samples, times and clocks: one test for every fault (docs/data.md)."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sleepjax.data import features, raw
from sleepjax.types import InputError
from tests.reference import series as reference
from tests.reference.series import EASTERN, START, rows, stamp, with_value


def read(frame, **kwargs):
    (recording,) = raw.recordings_from_frame(frame, **kwargs)
    return recording


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


@pytest.mark.parametrize("name", ["", " "])
def test_a_recording_without_a_name(name):
    with pytest.raises(InputError, match="the series_id is empty; give every recording a name"):
        raw.recordings_from_frame(rows(5, name))


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


def test_signals_that_changed_places():
    frame = rows(1000).select("series_id", "step", "timestamp", anglez="enmo", enmo="anglez")
    with pytest.raises(InputError, match=r"outside 0 to 13 g.*; are anglez and enmo swapped\?"):
        read(frame)


def test_radians_instead_of_degrees():
    frame = rows(17_280).with_columns(pl.col("anglez").radians().cast(pl.Float32))
    with pytest.raises(InputError, match="between -1.40 and 1.40; units. degrees vs radians"):
        read(frame)
    lying_flat = rows(17_280).with_columns(pl.col("anglez") / 800)
    assert read(lying_flat).meta.qc["n_not_worn"] == 17_280  # no error, but nobody wears it


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
    st.lists(
        st.tuples(st.integers(-2500, 2500) | st.sampled_from([-2500, 2500]), st.booleans()),
        min_size=8,
        max_size=40,
    ),
)
@example(5000, [(0, False)] * 2 + [(2500, False)] + [(0, False)] * 5)
def test_jitter_and_gaps_equal_a_slow_reference(cadence, noise):
    times = [i * cadence + jitter for i, (jitter, lost) in enumerate(noise) if not (lost and i % 3)]
    times = sorted(set(times))
    frame, utc = timed_rows([t - times[0] for t in times])
    cadence = float(np.median(np.diff(utc))) if len(utc) > 1 else 5000.0
    assume(4500 <= cadence <= 10_000)
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
    assume(len(times) >= 2 and fates.count("nan") <= len(times) / 2)
    frame, utc = timed_rows(times)
    nan = [fate == "nan" for fate in fates if fate != "lose"]
    frame = frame.with_columns(
        anglez=pl.when(pl.Series(nan)).then(float("nan")).otherwise("anglez").cast(pl.Float32)
    )
    usual = float(np.median(np.diff(utc)))
    assume(usual < 4500)
    recording = read(frame)
    want = reference.average(utc, frame["anglez"].to_list(), usual)
    got = recording.frame.select(pl.when("valid").then("anglez"))["anglez"].to_list()
    assert [g is None for g in got] == [w is None for w in want]
    np.testing.assert_allclose(
        [g for g in got if g is not None], [w for w in want if w is not None], rtol=1e-4, atol=1e-4
    )
