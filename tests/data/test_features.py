"""Features: each equals its definition in plain Python, and follows the local clock."""

import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import features, raw
from sleepjax.data.derived import with_features
from sleepjax.data.recording import Recording
from sleepjax.types import STEPS_PER_HOUR, InputError, SeriesMeta
from tests.reference.features import by_device
from tests.reference.repeats import DAY, repeat_share
from tests.reference.series import rows, stamp


def recording(frame):
    return raw.recordings_from_frame(frame)[0]


def by_definition(anglez, enmo, clock, row, n):
    """Every feature of one sample that needs no other sample, from the words in the docs."""
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    day = 2 * math.pi * seconds / 86_400
    hour = 2 * math.pi * (seconds % 3600) / 3600
    since_1970 = (clock - datetime(1970, 1, 1)).total_seconds()
    year = 2 * math.pi * (since_1970 / (365.2425 * 86_400))
    return {
        "anglez": (anglez + 8.810476) / 35.521877,
        "enmo": (min(enmo, 1.0) - 0.041315) / 0.101829,
        "anglez_sin": math.sin(math.radians(anglez)),
        "anglez_cos": math.cos(math.radians(anglez)),
        "hour_sin": math.sin(day),
        "hour_cos": math.cos(day),
        "minute_sin": math.sin(hour),
        "minute_cos": math.cos(hour),
        "month_sin": math.sin(year),
        "month_cos": math.cos(year),
        "repeat": 0.0,
        "step": row / n,
    }


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1)).map(
        lambda m: m.replace(microsecond=0)
    ),
    st.integers(-48, 56).map(lambda quarters: quarters * 900),
    st.floats(-90, 90, width=32),
    st.floats(0, 12, width=32),
)
def test_every_feature_equals_its_definition(start, offset, anglez, enmo):
    frame = rows(3, start=start.replace(tzinfo=UTC), offset=offset, anglez=[anglez, 0, 1])
    frame = frame.with_columns(pl.col("anglez").cast(pl.Float32), enmo=pl.Series([enmo, 0, 2.0]))
    found = recording(frame)
    x = features.compute(found, features.DEFAULT_FEATURES)
    signals = [found.frame[name].to_list() for name in ("anglez", "enmo", "valid")]
    wide = by_device(*signals)
    for i, row in enumerate(found.frame.iter_rows(named=True)):
        want = by_definition(row["anglez"], row["enmo"], row["clock"], i, 3)
        want |= {name: values[i] for name, values in wide.items()}
        assert tuple(want) == features.DEFAULT_FEATURES
        np.testing.assert_allclose(x[i], list(want.values()), atol=2e-6, rtol=2e-6)
        local = datetime.fromisoformat(frame["timestamp"][i]).replace(tzinfo=None)
        assert row["clock"] == local


def test_all_float32_finite_and_in_order():
    found = recording(rows(200))
    names = ("enmo", "hour_cos", "anglez")
    x = features.compute(found, names)
    assert (x.dtype, x.shape) == (np.float32, (200, 3))
    everything = features.compute(found, features.DEFAULT_FEATURES)
    assert np.isfinite(everything).all()
    for f, name in enumerate(names):
        assert features.frame(found, names)[name].dtype == pl.Float32
        at = features.DEFAULT_FEATURES.index(name)
        np.testing.assert_array_equal(x[:, f], everything[:, at])
    made = with_features(found, features.DEFAULT_FEATURES).features
    assert tuple(made) == features.DEFAULT_FEATURES
    np.testing.assert_array_equal(np.stack(list(made.values()), axis=-1), everything)


def test_the_hour_is_continuous_and_local_across_dst():
    """No staircase: neighbours differ by 5 s of angle, except where the clock itself jumps."""
    start = datetime(2018, 11, 4, 5, 0, tzinfo=UTC)
    utc = [int(start.timestamp()) + 5 * i for i in range(1440)]
    text = [stamp(1000 * s, -4 * 3600 if i < 720 else -5 * 3600) for i, s in enumerate(utc)]
    x = features.compute(
        recording(rows(1440, start=start, timestamp=text)), ("hour_sin", "hour_cos")
    )
    angle = np.arctan2(x[:, 0], x[:, 1]) * 86_400 / (2 * math.pi)
    steps = np.diff(angle)
    np.testing.assert_allclose(np.delete(steps, 719), 5, atol=0.1)
    np.testing.assert_allclose(steps[719], 5 - 3600, atol=0.1)
    np.testing.assert_allclose(angle[0], 3600, atol=0.1)  # 01:00 on the wall, 05:00 in UTC


def test_invalid_samples_are_exactly_neutral():
    frame = rows(50, enmo=[float("nan")] + [0.1] * 49)
    x = features.compute(recording(frame), ("anglez", "enmo"))
    np.testing.assert_array_equal(x[0], 0)
    assert (x[1:] != 0).all()


def test_enmo_is_clipped_at_1_g():
    frame = rows(500, enmo=[0.1] * 497 + [1.0, 1.5, 11.0])
    x = features.compute(recording(frame), ("enmo",))
    assert x[-1] == x[-2] == x[-3]
    np.testing.assert_allclose(x[-1], (1 - 0.041315) / 0.101829, rtol=1e-5)


def test_unknown_and_repeated_names():
    found = recording(rows(5))
    with pytest.raises(InputError, match="'hour_sine' is unknown, did you mean 'hour_sin'.*Known"):
        features.compute(found, ("hour_sine",))
    with pytest.raises(InputError, match="each only once"):
        features.compute(found, ("enmo", "enmo"))
    with pytest.raises(InputError, match="at least one"):
        features.compute(found, ())


def test_definitions_follow_every_constant_and_option(monkeypatch):
    names = ("enmo", "repeat", "hour_sin")
    before = features.definitions(names)
    assert before == features.definitions(names) and len(set(before.values())) == 3
    edited = {
        "enmo": features._zscore("enmo", pl.col("enmo").clip(upper_bound=2.0)),
        "repeat": pl.col("valid").rolling_mean(window_size=719),
        "hour_sin": features._phase(24 * 3600 + 1).sin(),
    }
    for name, expression in edited.items():
        monkeypatch.setitem(features.FEATURES, name, expression)
    after = features.definitions(names)
    assert all(after[name] != before[name] for name in names)
    monkeypatch.setitem(features.FEATURES, "repeat", pl.col("valid").rolling_mean(window_size=720))
    assert features.definitions(names)["repeat"] != after["repeat"]


@pytest.mark.parametrize("lag", [1, 3])
def test_repeat_finds_copies_of_other_days(lag):
    rng = np.random.default_rng(lag)
    n = (lag + 1) * DAY + 900
    anglez = rng.normal(0, 30, n).clip(-90, 90).astype(np.float32)
    enmo = rng.gamma(0.3, 0.1, n).astype(np.float32)
    start = lag * DAY + 2_000
    for signal in (anglez, enmo):
        signal[start : start + 3_000] = signal[start - lag * DAY : start + 3_000 - lag * DAY]
    enmo[start + 5_000 : start + 6_000] = enmo[
        start + 5_000 - lag * DAY : start + 6_000 - lag * DAY
    ]
    found = recording(rows(n, anglez=anglez, enmo=enmo))
    share = features.compute(found, ("repeat",))[:, 0]
    slow = repeat_share(anglez.tolist(), enmo.tolist(), [True] * n)
    np.testing.assert_allclose(share, slow, atol=1e-5)
    assert (share[start + 400 : start + 2_600] == 1).all()
    assert share[: start - 400].max() == 0
    assert share[start + 5_300 : start + 5_700].max() == 0  # one signal alone may agree by chance


def test_repeat_is_no_copy_where_nothing_was_measured():
    found = recording(rows(2 * DAY, anglez=[None] * 400 + [1.0, 2.0] * (DAY - 200)))
    assert (features.compute(found, ("repeat",))[:30, 0] == 0).all()


# ---- features that look alike on every watch

ALIKE = ("movement", "movement_5min", "turn", "turn_5min", "turn_range", "anglez_abs")


def of_arrays(anglez, enmo, valid=None):
    """A recording on the grid, as repair leaves it."""
    n = len(anglez)
    valid = np.ones(n, bool) if valid is None else np.asarray(valid)
    signals = {
        "anglez": np.where(valid, anglez, -8.8).astype(np.float32),
        "enmo": np.where(valid, enmo, 0.04).astype(np.float32),
    }
    return Recording(SeriesMeta("s", n, 0, 0, ((0, 0),), {}), valid, signals)


def signals(n, seed, coarse):
    """Angle and enmo of rest and turns in turn; degrees and g."""
    rng = np.random.default_rng(seed)
    active = np.repeat(rng.random(n // 40 + 1) < 0.4, 40)[:n]
    angle = np.cumsum(np.where(active, rng.normal(0, 20, n), 0)) + rng.normal(0, 0.02, n)
    angle = (angle + 90) % 180 - 90
    enmo = np.where(active, rng.gamma(1, 0.05, n), rng.gamma(1, 0.0005, n))
    if coarse:
        angle, enmo = np.round(angle / coarse) * coarse, np.round(enmo / 0.004) * 0.004
    return angle.clip(-90, 90).astype(np.float32), enmo.astype(np.float32)


@given(
    st.integers(1, 200),
    st.integers(0, 99),
    st.sampled_from([0, 0.5, 2.0]),
    st.sampled_from([0, 0.3, 1]),
)
def test_features_alike_on_every_watch_equal_their_definition(n, seed, coarse, missing):
    anglez, enmo = signals(n, seed, coarse)
    valid = np.random.default_rng(seed).random(n) >= missing
    found = of_arrays(anglez, enmo, valid)
    x = features.compute(found, ALIKE)
    slow = by_device(found.frame["anglez"].to_list(), found.frame["enmo"].to_list(), valid.tolist())
    assert tuple(slow) == ALIKE
    np.testing.assert_allclose(x, np.stack(list(slow.values()), axis=-1), atol=1e-4)
    assert (x[~valid] == 0).all() and np.isfinite(x).all()


@given(st.integers(1, 400), st.integers(0, 99), st.sampled_from([0, 1.0]))
def test_they_are_the_same_in_reversed_time(n, seed, coarse):
    anglez, enmo = signals(n, seed, coarse)
    valid = np.random.default_rng(seed).random(n) < 0.9
    forwards = features.compute(of_arrays(anglez, enmo, valid), ALIKE)
    back = features.compute(of_arrays(anglez[::-1], enmo[::-1], valid[::-1]), ALIKE)
    np.testing.assert_allclose(back[::-1], forwards, atol=1e-5)


def test_a_noise_floor_changes_no_movement_and_a_flipped_watch_nothing_but_the_sign():
    anglez, enmo = signals(5000, 0, 0)
    plain = features.compute(of_arrays(anglez, enmo), ALIKE)
    raised = features.compute(of_arrays(-anglez, enmo + 0.006), ALIKE)
    np.testing.assert_allclose(raised, plain, atol=2e-3)


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
def test_a_coarse_watch_at_rest_and_in_motion_looks_like_a_fine_one(resolution):
    fine = features.compute(of_arrays(*signals(20_000, 1, 0)), ALIKE)
    coarse = features.compute(of_arrays(*signals(20_000, 1, resolution)), ALIKE)
    # Rounding moves a mean by half a unit at most: by 2 mg of 4, and a range by one unit.
    bounds = {
        "movement_5min": math.log(1 + 2) / 1.6,
        "turn_range": math.log(1 + resolution) / 1.4,
        "anglez_abs": resolution / 2 / 21,
    }
    for name, worst in bounds.items():
        k = ALIKE.index(name)
        assert np.abs(coarse[:, k] - fine[:, k]).max() <= worst + 1e-3, name
    turned = fine[:, ALIKE.index("turn")] > 1  # where degrees were turned, they are the same
    assert np.abs(coarse - fine)[turned, ALIKE.index("turn")].mean() < 0.05


def test_an_hour_without_rest_loses_at_most_15_mg():
    x = features.compute(of_arrays(np.zeros(720), np.full(720, 0.2)), ("movement",))
    np.testing.assert_allclose(x, (np.log(1 + 185) - 2.3) / 1.7, rtol=1e-5)


def repeated_days(name):
    """(a recording of equal days, a row, feature of a frame at that row)."""
    before, after = features.REACH[name]
    n, at = before + after + 201, before + 100
    frame = recording(rows(n)).frame
    day = frame.with_row_index().with_columns(pl.col("index") % DAY)
    frame = day.select(pl.col("anglez", "enmo").gather(pl.col("index")), "clock", "valid")
    return frame, at, lambda frame: frame.select(features.FEATURES[name])[at, 0]


@pytest.mark.parametrize("name", features.REACH)
def test_a_feature_looks_as_far_as_it_says_and_no_further(name):
    before, after = features.REACH[name]
    frame, at, value = repeated_days(name)

    def changed(row):
        other = pl.int_range(pl.len()) == row
        signals = [pl.when(other).then(value).otherwise(pl.col(name)).cast(pl.Float32).alias(name)
                   for name, value in (("anglez", 1.5), ("enmo", 0.7))]  # fmt: skip
        clock = pl.when(other).then(pl.col("clock") + pl.duration(minutes=50)).otherwise("clock")
        return value(frame.with_columns(*signals, clock.alias("clock")))

    assert changed(at - before - 1) == value(frame) == changed(at + after + 1)
    assert changed(at + after) != value(frame)


def test_repeat_sees_a_source_seven_days_back_of_the_first_step_of_its_hour():
    """The wrong half of the hour, or a lag more, would be seen."""
    frame, at, value = repeated_days("repeat")
    only = frame.with_columns(pl.col("enmo") + 1e-3 * (pl.int_range(pl.len()) // DAY))
    first, source = at - STEPS_PER_HOUR // 2, at - features.REACH["repeat"][0]
    copied = only.with_columns(
        pl.when(pl.int_range(pl.len()) == first)
        .then(pl.col(c).gather(source))
        .otherwise(c)
        .alias(c)
        for c in ("anglez", "enmo")
    )
    assert value(copied) > value(only) == 0
