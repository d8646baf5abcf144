"""Rules on the angle equal their definition at any length and clock; a regression that fits."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax import baselines, metrics
from sleepjax.baselines import angle, constant, logistic
from sleepjax.data.recording import Recording
from sleepjax.data.source import open_training_data
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, InputError, SeriesMeta
from tests.reference import baselines as reference

NOTHING = float("nan")
"""Of a stretch in which no angle was measured."""


def arm(stretches, seed=0):
    """Angles of stretches (steps, degrees that the arm moves by per step, or `NOTHING`)."""
    rng = np.random.default_rng(seed)
    moves = [np.clip(rng.laplace(0, np.nan_to_num(size), n), -30, 30) for n, size in stretches]
    measured = np.concatenate([np.full(n, size == size) for n, size in stretches])
    return np.where(measured, 90 * np.sin(np.cumsum(np.concatenate(moves)) / 90), np.nan)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(1, 900), st.sampled_from([0.0, 0.02, 0.2, 0.6, 5.0, NOTHING])),
        max_size=6,
    ),
    st.integers(0, 9),
)
def test_the_longest_rest_equals_its_definition(stretches, seed):
    anglez = arm([(1, 1.0), *stretches], seed)
    held = reference.held(anglez.tolist())
    np.testing.assert_array_equal(angle.held(anglez), held)
    expected = reference.median_of_changes(held)
    np.testing.assert_allclose(angle.rolling_median(np.array(held)), expected, atol=1e-12)
    assert angle.longest_rest(anglez) == reference.longest_rest(anglez.tolist())


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(1, 130), st.sampled_from([0.0, 1.0, 20.0, NOTHING])), max_size=9
    ),
    st.integers(0, 9),
)
def test_sustained_inactivity_equals_its_definition(stretches, seed):
    anglez = arm([(1, 1.0), *stretches], seed)
    found = [tuple(bout) for bout in angle.sustained_inactivity(anglez).tolist()]
    assert found == reference.sustained_inactivity(anglez.tolist())


def recording(start, hours, *, zone="UTC"):
    """(angles, meta): awake but for the stretches of (hour of beginning, hours of rest)."""
    begin = dt.datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    total, rests = hours
    n_steps = int(total * STEPS_PER_HOUR)
    resting = np.zeros(n_steps, bool)
    for first, length in rests:
        resting[int(first * STEPS_PER_HOUR) : int((first + length) * STEPS_PER_HOUR)] = True
    rng = np.random.default_rng(5)
    jumps = rng.laplace(0, 5, n_steps) * np.where(resting, rng.random(n_steps) < 0.01, 1)
    anglez = np.clip(90 * np.sin(np.cumsum(jumps) / 90), -90, 90)
    utc = int(begin.timestamp())
    at = lambda row: dt.datetime.fromtimestamp(utc + 5 * row, ZoneInfo(zone))
    offsets = [
        (at(row).utcoffset() or dt.timedelta()).total_seconds() for row in range(0, n_steps, 60)
    ]
    changes = [0, *(np.flatnonzero(np.diff(offsets)) + 1).tolist()]
    pairs = tuple((60 * i, int(offsets[i])) for i in changes)
    return anglez, SeriesMeta("a", n_steps, 0, utc, pairs, {})


RECORDINGS = {
    "two nights from the afternoon": ("2018-05-01T15:30", (40.003, [(7, 8), (31, 5)])),
    "starts asleep at midnight, ends asleep": ("2018-05-01T00:00", (30.2, [(0, 7), (24, 6.2)])),
    "day sleeper": ("2018-05-01T10:00", (53, [(20, 9), (45, 7)])),
    "day sleeper of the last day": ("2018-05-01T18:00", (20, [(12, 8)])),
    "long break": ("2018-05-01T18:00", (18, [(2, 3), (5.9, 2), (8.95, 3)])),
    "clock goes back": ("2018-11-03T12:00", (25, [(10, 9)]), "America/New_York"),
    "clock goes forward": ("2018-03-10T12:00", (49, [(10, 9), (34, 13.5)]), "America/New_York"),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_periods_of_a_recording_equal_their_definition(name):
    start, hours, *zone = RECORDINGS[name]
    anglez, meta = recording(start, hours, zone=zone[0] if zone else "UTC")
    assert len(meta.offsets) == 1 + ("clock" in name)
    for find, expected in (
        (angle.hdcza, reference.hdcza(anglez.tolist(), meta)),
        (angle.van_hees_2015, reference.van_hees_2015(anglez.tolist(), meta)),
    ):
        found = find(anglez, meta)
        assert found.dtype == np.int64 and found.shape == (len(expected), 2)
        assert len(expected) > 0
        np.testing.assert_array_equal(found, expected)


def test_day_sleep_across_noon_is_found_whole_and_once():
    start, hours = RECORDINGS["day sleeper"]
    anglez, meta = recording(start, hours)
    (first, *_) = angle.hdcza(anglez, meta)
    assert np.abs(first / STEPS_PER_HOUR - [20, 29]).max() < 0.2  # 06:00 to 15:00


@pytest.mark.parametrize("missing", [(11, 17), (1, 5), (0, 9)])
def test_time_without_data_is_no_rest(missing):
    """A night asleep from 22:00 to 07:00 of which hours are missing; the day before is whole."""
    anglez, meta = recording("2018-05-01T12:00", (48, [(10, 9), (34, 9)]))
    first, last = (int(hour * STEPS_PER_HOUR) for hour in missing)
    anglez[first:last] = np.nan
    for find, oracle in (
        (angle.hdcza, reference.hdcza), (angle.van_hees_2015, reference.van_hees_2015),
    ):  # fmt: skip
        found = find(anglez, meta)
        np.testing.assert_array_equal(found, oracle(anglez.tolist(), meta))
        assert len(found) == 2
        for onset, wakeup in found:
            assert wakeup <= first or onset >= last  # no period reaches into the gap
    anglez[: 24 * STEPS_PER_HOUR] = np.nan
    assert len(angle.hdcza(anglez, meta)) == 1
    anglez[:] = np.nan
    assert len(angle.hdcza(anglez, meta)) == len(angle.van_hees_2015(anglez, meta)) == 0


@pytest.mark.parametrize("n_steps", [1, 2, 59, 60, 61, 1000])
@pytest.mark.parametrize("find", [angle.hdcza, angle.van_hees_2015])
def test_recordings_without_a_night(find, n_steps):
    meta = SeriesMeta("a", n_steps, 0, 0, ((0, 0),), {})
    assert find(arm([(n_steps, 5.0)]), meta).shape == (0, 2)
    assert find(np.zeros(n_steps), meta).shape == (0, 2)


def test_a_watch_on_the_table_has_no_events():
    meta = SeriesMeta("a", 3 * STEPS_PER_DAY + 5, 0, 1_500_000_000, ((0, 0),), {})
    for find in (angle.hdcza, angle.van_hees_2015):
        assert len(find(np.full(meta.n_steps, 12.5), meta)) == 0


# ---- the common interface


@pytest.fixture(scope="module")
def data(tiny_config):
    config = tiny_config()
    model = open_training_data(config.data, config.simulate)
    mine = open_training_data(config.data.to_dict() | {"features": baselines.FEATURES}, {})
    ids = lambda part: [one.meta.series_id for one in part]
    assert (ids(model.train), ids(model.valid)) == (ids(mine.train), ids(mine.valid))
    return mine


def test_a_period_becomes_peaks_whose_score_is_the_share_worn():
    n_steps = 1000
    meta = SeriesMeta("a", n_steps, 100, 0, ((0, 0),), {})
    periods = np.array([[0, 100], [300, 500], [900, 1000]])
    copied = np.zeros(n_steps, bool)
    copied[400:500] = True
    valid = np.ones(n_steps, bool)
    valid[:25] = False
    one = Recording(meta, valid, {"anglez": np.zeros(n_steps, np.float32)}, copied)
    predict = baselines.rule(lambda anglez, meta: periods)([], 0)
    probs = predict(one)
    assert probs.dtype == np.float32
    assert {int(t): p for t, p in enumerate(probs[:, 1]) if p} == {300: 0.5, 900: 1.0}
    assert {int(t): p for t, p in enumerate(probs[:, 2]) if p} == {100: 0.75, 500: 0.5}
    np.testing.assert_array_equal(probs[[50, 200, 350, 950], 0], [0.75, 0, 0.5, 1])
    found = baselines.find_events(predict, [one], {"height": 0.001, "distance": 10})
    assert found.select("step", "event", "score").rows() == [
        (200, "wakeup", 0.75), (400, "onset", 0.5), (600, "wakeup", 0.5), (1000, "onset", 1.0),
    ]  # fmt: skip


def test_every_baseline_beats_chance_on_held_out_participants(data, tiny_config, monkeypatch):
    monkeypatch.setattr(logistic, "MAX_FRAMES", 5000)
    post = tiny_config().post
    scores = {}
    for name, fit in baselines.BASELINES.items():
        events = baselines.find_events(fit(data.train, 0), data.valid, post)
        scores[name] = metrics.event_detection_ap(data.solution, events)
    assert min(scores.values()) > 0.1, scores


def test_rules_on_a_real_recording(real_recording):
    """Against estimates by another implementation of HDCZA, which are not truth."""
    from sleepjax.data.raw import recordings_from_frame
    from tests.support.real_recording import ONSETS, WAKEUPS

    (real,) = recordings_from_frame(pl.read_parquet(real_recording))
    clock = real.frame["clock"]
    for name, bound in (("hdcza", 1.5), ("vanhees2015", 17)):
        events = baselines.find_events(baselines.BASELINES[name]([], 0), [real], {})
        for event, estimates in (("onset", ONSETS), ("wakeup", WAKEUPS)):
            rows = events.filter(event=event)["step"].to_numpy() - real.meta.first_step
            found = [clock[int(row)] for row in rows]
            for text, time in zip(estimates, found, strict=False):
                expected = dt.datetime.strptime(f"2013-11-{text}", "%Y-%m-%d %H:%M")
                assert abs(time - expected) <= dt.timedelta(minutes=bound), (name, event, time)


def test_regression_needs_labels(data):
    unlabelled = [replace(one, valid=np.zeros(one.meta.n_steps, bool)) for one in data.train[:1]]
    with pytest.raises(ValueError, match="needs more than 0 labelled minutes"):
        logistic.fit(unlabelled, 0)


def test_constant_clock_time():
    """Medians on the circle of the day, then the same two times every night of a recording."""
    assert constant.time_of_day(np.array([23.5, 24.5, 47.9]) * 3600) == pytest.approx(23.9 * 3600)
    offsets = ((0, 7200),)
    recorded = SeriesMeta("a", 2 * STEPS_PER_DAY, 10, 1_534_334_400, offsets, {})  # from 14:00
    truth = pl.DataFrame(
        {"series_id": ["a", "a", "b"], "onset": [6490, 23_770, 5], "wakeup": [12_250, 29_530, 9]}
    )
    times = constant.fit(truth, {"a": recorded})
    assert times == (23 * 3600, 7 * 3600)
    rows = constant.periods(times, recorded)
    assert rows.tolist() == [[6480, 12_240], [23_760, 29_520]]
    short = SeriesMeta("a", 1000, 0, 1_534_334_400 + 11 * 3600, offsets, {})  # from 1:00
    assert constant.periods(times, short).tolist() == [[0, 1000]]
    with pytest.raises(InputError, match="none of the 2 series of the truth is among"):
        constant.fit(truth, {"c": recorded})
