"""Sleep windows: the rules, a slow oracle, weak peaks, the watch off, main sleep and naps."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.postprocess import find_windows, sleep_windows
from sleepjax.postprocess.sleep_windows import main_sleep
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE, InputError, SeriesMeta
from tests.reference import semi_markov as oracle

NOON = 1_534_334_400  # 2018-08-15 12:00 UTC


def meta(n_steps, first_step=0, offsets=((0, 0),)):
    return SeriesMeta("s", n_steps, first_step, NOON, offsets, {})


def curves(hours, sleep, onsets=(), wakeups=(), asleep=0.95, awake=0.05):
    """[T,3]: P(asleep) in and out of ``sleep`` (hours), bumps (hour, height) of 5 minutes' SD."""
    n = int(hours * STEPS_PER_HOUR)
    hour = np.arange(n) / STEPS_PER_HOUR
    probs = np.zeros((n, 3))
    probs[:, 0] = awake
    for first, last in sleep:
        probs[(first <= hour) & (hour < last), 0] = asleep
    for column, events in ((1, onsets), (2, wakeups)):
        for at, height in events:
            probs[:, column] += height * np.exp(-0.5 * ((hour - at) * 12) ** 2)
    return probs


def with_worn(probs, worn):
    """[T,4] with P(worn) as the last column."""
    return np.column_stack([probs, worn])


def hours(found):
    """(onset, wakeup) of each window in hours of the recording."""
    ends = found.select("onset_step", "wakeup_step") / STEPS_PER_HOUR
    return [tuple(round(x, 2) for x in row) for row in ends.rows()]


def test_a_night():
    probs = curves(24, [(10, 18)], [(10, 0.6)], [(18, 0.5)])
    found = find_windows(probs, meta(len(probs), 100, ((0, -4 * 3600), (12_000, -5 * 3600))))
    assert found.schema == sleep_windows.SCHEMA
    (night,) = found.rows(named=True)
    assert night["onset_step"] == 7200 + 100 and night["wakeup_step"] == 12_960 + 100
    assert night["onset"] == "2018-08-15T18:00:00-0400"
    assert night["wakeup"] == "2018-08-16T01:00:00-0500"
    assert night["main"] and night["worn_fraction"] == 1
    assert min(night[name] for name in ("score", "onset_score", "wakeup_score")) > 0.9


def test_nothing_and_next_to_nothing():
    probs = curves(24, [])
    found = find_windows(probs, meta(len(probs)))
    assert found.is_empty() and found.schema == sleep_windows.SCHEMA
    for n in (1, 5, 400):
        assert find_windows(np.full((n, 3), 0.3), meta(n)).is_empty()


@pytest.mark.parametrize("onset, wakeup", [(0.5, 0), (0, 0.5), (0.02, 0.02), (0, 0)])
def test_a_weak_or_missing_peak_loses_no_night(onset, wakeup):
    probs = curves(24, [(10, 18)], [(10, onset)], [(18, wakeup)])
    (night,) = hours(find_windows(probs, meta(len(probs))))
    assert night == pytest.approx((10, 18), abs=0.02)


def test_the_peak_decides_where_asleep_does_not():
    """P(asleep) rises over two hours; the onset is where its own channel says, if only weakly."""
    probs = curves(24, [(11, 18)], [(10, 0.1)], [(18, 0.5)])
    probs[9 * STEPS_PER_HOUR : 11 * STEPS_PER_HOUR, 0] = sleep_windows.ASLEEP  # says nothing
    assert hours(find_windows(probs, meta(len(probs)))) == [(10, 18)]


def test_a_restless_night_is_one_window():
    """A night does not fall apart whose minutes are unsure, and rather awake in two of five."""
    probs = curves(24, [(10, 18)], [(10, 0.2)], [(18, 0.2)], asleep=0.6)
    minute = np.arange(len(probs)) // STEPS_PER_MINUTE
    inside = (minute >= 600) & (minute < 1080)
    probs[inside & (minute % 20 >= 12), 0] = 0.25
    (found,) = hours(find_windows(probs, meta(len(probs))))
    assert found == pytest.approx((10, 18), abs=0.02)


@pytest.mark.parametrize("minutes, n_windows", [(10, 1), (29, 1), (45, 2), (120, 2)])
def test_interruptions(minutes, n_windows):
    """Up to 30 minutes awake stay inside, whatever the peaks next to them say."""
    end = 13 + minutes / 60
    peaks = (0.1, 0.1) if n_windows == 1 else (0, 0)
    probs = curves(
        24,
        [(10, 13), (end, 18)],
        [(10, 0.5), (end, peaks[0])],
        [(18, 0.5), (13, peaks[1])],
        asleep=0.98,
        awake=0.02,
    )
    found = hours(find_windows(probs, meta(len(probs))))
    expected = {1: [(10, 18)], 2: [(10, 13), (end, 18)]}[n_windows]
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_doubtful_morning_is_no_part_of_the_night():
    """Awake on average ends a window, although some of the minutes look like sleep."""
    probs = curves(30, [(10, 20)], [(10, 0.6)], [(20, 0.5)])
    hour = np.arange(len(probs)) / STEPS_PER_HOUR
    doubtful = (hour >= 20) & (hour < 21.7)
    probs[doubtful, 0] = np.where((hour[doubtful] * 6).astype(int) % 4 == 0, 0.3, 0.08)
    probs[(hour >= 21.7) & (hour < 24), 0] = 0.75
    found = find_windows(probs, meta(len(probs)))
    assert hours(found) == [(10, 20), (21.7, 24)]


def test_the_watch_must_be_worn():
    """Somebody seems asleep for eight hours; the watch was off in the middle three of them."""
    probs = curves(24, [(10, 18)], [(10, 0.5)], [(18, 0.5)])
    off = np.ones(len(probs))
    off[12 * STEPS_PER_HOUR : 15 * STEPS_PER_HOUR] = 0
    m = meta(len(probs))
    for found in (find_windows(with_worn(probs, off), m), find_windows(probs, m, valid=off > 0)):
        assert np.allclose(hours(found), [(10, 12), (15, 18)], atol=0.02)
        assert (found["worn_fraction"] > 0.99).all()
    off[:] = 0.02
    assert find_windows(with_worn(probs, off), m).is_empty()
    brief = np.ones(len(probs))
    brief[12 * STEPS_PER_HOUR :][: 20 * STEPS_PER_MINUTE] = 0
    (night,) = find_windows(with_worn(probs, brief), m).rows(named=True)
    assert night["worn_fraction"] == pytest.approx(1 - 20 / 480)


def test_runner_up():
    probs = curves(24, [(11, 18)], [(10, 0.4), (11, 0.5)], [(18, 0.5)])
    probs[10 * STEPS_PER_HOUR : 11 * STEPS_PER_HOUR, 0] = sleep_windows.ASLEEP
    (night,) = find_windows(probs, meta(len(probs))).rows(named=True)
    assert night["onset_step"] == pytest.approx(11 * STEPS_PER_HOUR, abs=36)
    assert night["next_onset_step"] == pytest.approx(10 * STEPS_PER_HOUR, abs=36)
    assert 0.2 < night["next_onset_score"] < night["onset_score"] < 0.7
    assert night["next_onset"].startswith("2018-08-15T2")
    assert night["next_wakeup_step"] is night["next_wakeup"] is night["next_wakeup_score"] is None


def test_recordings_that_begin_and_end_in_sleep():
    probs = curves(6, [(0, 6)])
    assert hours(find_windows(probs, meta(len(probs)))) == [(0, 6)]
    assert find_windows(probs, meta(len(probs)))["wakeup_step"].item() == len(probs) - 1


def test_main_sleep_and_naps():
    nights, naps = [(11, 18), (35, 42)], [(2, 4), (29, 31)]
    probs = curves(48, nights + naps, asleep=0.99)
    found = find_windows(probs, meta(len(probs)))
    assert found["main"].to_list() == [False, True, False, True]


@pytest.mark.parametrize("start", range(0, 24, 3))
@pytest.mark.parametrize("drift", [0, 40])
def test_main_sleep_at_any_hour(start, drift):
    """Seven hours at any time of day, with a nap six hours after each: one main sleep a day."""
    day = np.arange(7)
    onset = (start * 60 + 24 * 60 * day + drift * (-1) ** day) * STEPS_PER_MINUTE
    nap = onset + 13 * STEPS_PER_HOUR
    begin = np.sort(np.r_[onset, nap])
    main = main_sleep(begin, begin + np.tile([7, 1], 7) * STEPS_PER_HOUR, meta(9 * STEPS_PER_DAY))
    assert main.tolist() == [True, False] * 7


probability = st.sampled_from([0.0, 0.02, 0.3, 0.6, 0.97, 1.0])


@settings(max_examples=60)
@given(st.data())
def test_equals_the_oracle(data):
    """Rules of two minutes in place of 30, on a few minutes, against all sets of windows."""
    n = data.draw(st.integers(1, 9 * STEPS_PER_MINUTE))
    minutes = -(-n // STEPS_PER_MINUTE)
    draw = lambda: data.draw(st.lists(probability, min_size=minutes, max_size=minutes))
    each = np.stack([draw() for _ in range(4)], axis=-1).repeat(STEPS_PER_MINUTE, axis=0)[:n]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    each = (each + 0.01 * rng.random(each.shape)).clip(0, 1)
    valid = rng.random(n) > 0.1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sleep_windows, "SHORTEST", 2)
        patch.setattr(sleep_windows, "AWAKE", 3)
        got = find_windows(each, meta(n), valid=valid, correlation=2.0)
    parts = oracle.evidence(each, valid, correlation=2.0, spread=12.5, awake=3)
    best = oracle.best(*parts, 2)
    near = (got.select("onset_step", "wakeup_step").to_numpy() + 6) // STEPS_PER_MINUTE
    last = len(parts[2])
    choices = [[(a, b), (a, last)] if b == last - 1 else [(a, b)] for a, b in near.tolist()]
    # The last row stands for the end of the recording, too.
    scores = [oracle.score(list(found), *parts) for found in product(*choices)]
    assert min(abs(s - best) for s in scores) < 1e-6


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.floats(0.02, 1), st.sampled_from([5, 40, 200]))
def test_rules_hold_whatever_the_model_says(seed, level, minutes):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30 * STEPS_PER_HOUR))
    steps = -(-n // (minutes * STEPS_PER_MINUTE))
    probs = rng.choice([0.001, 0.3, 0.7, 0.999], (steps, 3)).repeat(
        minutes * STEPS_PER_MINUTE, axis=0
    )[:n]
    worn = rng.random(-(-n // 500)).repeat(500)[:n]
    probs = with_worn(probs * [1, level, level], worn)
    found = find_windows(probs, meta(n, 50), valid=rng.random(n) < 0.9)
    onset, wakeup = (found[name].to_numpy() - 50 for name in ("onset_step", "wakeup_step"))
    assert (wakeup - onset >= 30 * STEPS_PER_MINUTE).all()
    assert (onset[1:] - wakeup[:-1] >= 30 * STEPS_PER_MINUTE).all()
    assert len(found) == 0 or (onset[0] >= 0 and wakeup[-1] < n)
    for column in (name for name in found.columns if name.endswith("score")):
        assert found[column].drop_nulls().is_between(0, 1 + 1e-9).all()
    for name, other in (("onset", onset), ("wakeup", wakeup)):
        rival = found[f"next_{name}_step"].to_numpy() - 50
        assert not (abs(rival - other) < 29 * STEPS_PER_MINUTE).any()
    assert found["next_onset_step"].is_null().equals(found["next_onset"].is_null())


def test_steps_do_not_depend_on_how_the_recording_is_cut():
    """Two nights found in the whole recording are found in halves of it."""
    probs = curves(48, [(10, 18), (34, 42)], [(10, 0.5), (34, 0.5)], [(18, 0.5), (42, 0.5)])
    whole = find_windows(probs, meta(len(probs)))
    half = len(probs) // 2
    parts = [find_windows(probs[first : first + half], meta(half, first)) for first in (0, half)]
    ends = ["onset_step", "wakeup_step"]
    assert pl.concat(parts).select(ends).equals(whole.select(ends))


@pytest.mark.parametrize(
    "change, text",
    [
        ({"probs": np.zeros((10, 2))}, r"shape \(10, 2\)"),
        ({"probs": np.full((10, 3), np.nan)}, "30 probabilities are NaN"),
        ({"correlation": 0.5}, "correlation=0.5 minutes must be at least 1"),
        ({"spread": np.inf}, "spread=inf"),
    ],
)
def test_unusable_arguments(change, text):
    with pytest.raises(InputError, match=text):
        find_windows(**({"probs": np.zeros((10, 3)), "meta": meta(10)} | change))
