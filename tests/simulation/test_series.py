"""One simulated recording: the clock, the annotation rules, copies of days, reproducibility."""

import hashlib
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.simulation import simulate_series
from sleepjax.simulation.annotation import (
    HALF_HOUR,
    MINUTE_COUNTS,
    Window,
    minute_preference,
    sleep_windows,
    true_windows,
)
from sleepjax.simulation.nonwear import fill_with_copies
from sleepjax.simulation.recording_clock import make_clock
from sleepjax.simulation.series import series_id
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_MINUTE
from tests.reference import simulate as oracle

COMPETITION = "8c0079abdcbc109d566c1a44c428a973e854db1d77d9498befc418cde4d22ff5"
SPRING = datetime(2018, 3, 10, 20, 30)
AUTUMN = datetime(2018, 11, 3, 20, 30)


@pytest.fixture(scope="module")
def recordings():
    return [simulate_series(3, index, 10) for index in range(12)]


@pytest.mark.parametrize("start", [SPRING, AUTUMN, datetime(2018, 7, 1, 0, 0)])
def test_timestamps_follow_the_local_clock_across_its_changes(start):
    clock = make_clock(start, 9000)
    assert len(clock.offsets) == (1 if start.month == 7 else 2)
    assert clock.timestamps().to_list() == oracle.timestamps(clock.start, 9000)
    assert [clock.timestamp(row) for row in (0, 4000, 8999)] == [
        clock.timestamps()[row] for row in (0, 4000, 8999)
    ]


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_rows_at_inverts_the_local_clock(start):
    clock = make_clock(start, 9000)
    rows = clock.rows_at(clock.local_seconds())
    # The repeated hour of autumn names its second pass.
    wrong = rows != np.arange(9000)
    assert wrong.sum() == (720 if start is AUTUMN else 0)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 900)), min_size=1, max_size=12),
)
def test_windows_equal_the_slow_reading_of_the_rules(runs):
    asleep = np.repeat([kind for kind, _ in runs], [length for _, length in runs])
    # The recording lies within one night, so that no window is dropped for its hour.
    clock = make_clock(datetime(2018, 7, 1, 20, 0), len(asleep))
    expected = oracle.windows(asleep, HALF_HOUR, HALF_HOUR)
    late = 13.5 * 720  # rows after which a window may lie in the forenoon
    found = [(w.onset, w.wakeup) for w in sleep_windows(asleep, clock)]
    assert [w for w in found if w[1] < late] == [w for w in expected if w[1] < late]


def test_a_nap_belongs_to_no_night():
    clock = make_clock(datetime(2018, 7, 1, 12, 0), STEPS_PER_DAY)
    asleep = np.zeros(STEPS_PER_DAY, dtype=bool)
    asleep[720:2160] = True  # 13:00 to 15:00
    assert sleep_windows(asleep, clock) == []
    asleep[7200:12000] = True
    assert [window.night for window in sleep_windows(asleep, clock)] == [1]


def test_only_the_longest_window_of_a_night_counts_and_only_if_recorded_whole():
    worn = np.ones(60_000, dtype=bool)
    short, long, equal = Window(1, 7000, 8000), Window(1, 9000, 12_000), Window(1, 13_000, 16_000)
    other = Window(2, 25_000, 26_000)
    assert true_windows([short, long, equal, other], worn) == [long, other]
    worn[11_000] = False
    assert true_windows([short, long, equal, other], worn) == [other]
    cut = [Window(1, 0, 4000), Window(3, 50_000, 60_000)]
    assert true_windows(cut, np.ones(60_000, dtype=bool)) == []


@pytest.mark.parametrize("event", ["onset", "wakeup"])
def test_annotated_minutes_solve_for_the_published_preference(event):
    weights = minute_preference(event)
    counts = np.array(MINUTE_COUNTS[event])
    assert weights.shape == (15,) and (weights > 0).all()
    assert np.argmin(weights) == np.argmin(counts)


def test_same_key_same_recording_other_key_another(recordings):
    again = simulate_series(3, 5, 10)
    assert np.array_equal(again.anglez, recordings[5].anglez)
    assert np.array_equal(again.enmo, recordings[5].enmo)
    assert again.labels == recordings[5].labels and again.truth == recordings[5].truth
    assert again.participant == recordings[5].participant
    for other in (simulate_series(3, 6, 10), simulate_series(4, 5, 10)):
        assert other.series_id != again.series_id
        assert other.participant != again.participant


def test_the_competition_is_what_it_was_byte_for_byte():
    """Runs and scores of earlier versions stay comparable: a change here needs a new VERSION."""
    digest = hashlib.sha256()
    for index in range(4):
        one = simulate_series(0, index, 4)
        frame = one.frame()
        for part in (one.series_id, *frame["timestamp"][[0, -1]], one.event_rows()):
            digest.update(str(part).encode())
        digest.update(str(one.truth_rows()).encode())
        digest.update(frame["anglez"].to_numpy().tobytes())
        digest.update(frame["enmo"].to_numpy().tobytes())
    assert digest.hexdigest() == COMPETITION


def test_length_does_not_change_who_the_participant_is():
    assert simulate_series(3, 5, 2).participant == simulate_series(3, 5).participant


def test_ids_are_twelve_characters_and_unique():
    ids = {series_id(0, index) for index in range(20_000)}
    assert len(ids) == 20_000
    assert all(len(name) == 12 and name.startswith("sim") for name in ids)


def test_signals_keep_the_published_ranges(recordings):
    for recording in recordings:
        assert recording.anglez.dtype == recording.enmo.dtype == np.float32
        assert len(recording.anglez) == len(recording.enmo) == 10 * STEPS_PER_DAY
        assert np.abs(recording.anglez).max() <= 90
        assert recording.enmo.min() >= 0 and recording.enmo.max() <= 12
        assert np.allclose(recording.enmo * 1e4, np.rint(recording.enmo * 1e4), atol=0.02)


def test_labels_follow_the_rules(recordings):
    for recording in recordings:
        nights = [label.night for label in recording.labels]
        assert nights == list(range(1, len(nights) + 1))
        for label in recording.labels:
            events = [step for step in (label.onset, label.wakeup) if step is not None]
            assert all(step % STEPS_PER_MINUTE == 0 for step in events)
            assert all(0 <= step < recording.clock.n_steps for step in events)
            assert (np.diff(events) >= HALF_HOUR).all()
        for window in recording.truth:
            assert recording.behaviour.mode[window.onset] == 0  # asleep
            assert recording.behaviour.mode[window.onset - 1] != 0
            for start, end in recording.nonwear:
                assert end <= window.onset or start >= window.wakeup


def test_nonwear_is_a_copy_of_another_day(recordings):
    checked = 0
    for recording in recordings:
        for start, end in recording.nonwear:
            if start < 4 * STEPS_PER_DAY or end - start > STEPS_PER_DAY:
                continue
            here = recording.anglez[start:end]
            lags = [lag * STEPS_PER_DAY for lag in range(1, 5)]
            assert any(np.array_equal(here, recording.anglez[start - k : end - k]) for k in lags)
            checked += 1
    assert checked >= 3


def test_a_long_stretch_repeats_one_day():
    day = STEPS_PER_DAY
    values = np.arange(6 * day, dtype=np.float32)
    fill_with_copies(np.random.default_rng(0), (values,), [(2 * day, 6 * day)])
    template = values[2 * day : 3 * day]
    assert any(np.array_equal(template, np.arange(k * day, (k + 1) * day)) for k in (0, 1))
    for k in (3, 4, 5):
        assert np.array_equal(values[k * day : (k + 1) * day], template)


def test_the_first_day_copies_the_day_after():
    day = STEPS_PER_DAY
    values = np.arange(3 * day, dtype=np.float32)
    fill_with_copies(np.random.default_rng(0), (values,), [(0, 900)])
    assert np.array_equal(values[:900], np.arange(day, day + 900))


def test_a_single_day_can_be_unworn_throughout():
    values = np.arange(STEPS_PER_DAY, dtype=np.float32)
    fill_with_copies(np.random.default_rng(0), (values,), [(0, STEPS_PER_DAY)])
    assert np.array_equal(values, np.arange(STEPS_PER_DAY))
