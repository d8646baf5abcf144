"""Rest and activity: values known by calculation, GGIR's formulas, the slow reference."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.nights.rhythm import hourly, rhythm
from sleepjax.types import STEPS_PER_HOUR
from tests.reference import nights as slow
from tests.support.nights import found, meta
from tests.support.project import PROJECT

HOURS = np.arange(24 * 7)
GOLDEN = json.loads((PROJECT / "tests" / "reference" / "rhythm.json").read_text())


@pytest.mark.parametrize("week", GOLDEN, ids=lambda week: f"{len(week['hours'])}h")
def test_rhythm_is_that_of_pyactigraphy(week):
    """Whose variances are of samples: see rhythm_values.py, which computed them."""
    n = len(week["hours"])
    result = rhythm(np.array(week["hours"]), 0)
    sampled = {"is": 24 / 23 * (n - 1) / n, "iv": (n - 1) / n}
    for name in week.keys() - {"hours"}:
        ours = result[name]
        assert ours is not None and ours * sampled.get(name, 1) == pytest.approx(week[name]), name


def test_a_wave_of_a_day():
    """IS is 1; IV of a sine sampled hourly is 2 - 2 cos(15 degrees), but for the last hour."""
    result = rhythm(20 + 10 * np.sin(2 * np.pi * HOURS / 24), 0)
    assert result["is"] == pytest.approx(1)
    assert result["iv"] == pytest.approx(2 - 2 * math.cos(math.radians(15)), rel=0.01)
    assert (result["l5_start_h"], result["m10_start_h"]) in [(16, 1), (16, 2)]
    # Means of the wave over five hours around its valley, and ten around its peak.
    hours = lambda n: sum(math.cos(math.radians(15 * k)) for k in n) / len(n)
    assert result["l5_mg"] == pytest.approx(20 - 10 * hours([-2, -1, 0, 1, 2]))
    assert result["m10_mg"] == pytest.approx(20 + 10 * hours([k + 0.0 for k in range(-5, 5)]))


def test_noise_has_a_variability_of_two_and_hardly_any_stability():
    result = rhythm(np.random.default_rng(0).random(24 * 1000), 0)
    assert result["iv"] == pytest.approx(2, abs=0.1)
    assert result["is"] == pytest.approx(0, abs=0.01)


def test_a_day_of_blocks_by_hand():
    """Asleep from 0 to 8 at 2 mg, from 8 to 20 at 30, from 20 to 24 at 10."""
    day = np.repeat([2.0, 30.0, 10.0], [8, 12, 4])
    result = rhythm(np.tile(day, 3), 0)
    assert (result["l5_mg"], result["l5_start_h"]) == (pytest.approx(2), 0)
    assert (result["m10_mg"], result["m10_start_h"]) == (pytest.approx(30), 8)
    assert result["ra"] == pytest.approx(28 / 32) and result["is"] == pytest.approx(1)
    later = rhythm(np.roll(np.tile(day, 3), -5), 5)  # the same days, begun at 5 o'clock
    for name in ("l5_mg", "l5_start_h", "m10_mg", "m10_start_h", "ra", "is"):
        assert later[name] == pytest.approx(result[name]), name


@given(st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_whole_days_are_as_ggir_computes_them(days, seed):
    x = np.random.default_rng(seed).gamma(1, 20, 24 * days)
    stability, variability = slow.ggir_is_iv(x.tolist())
    result = rhythm(x, 0)
    assert result["is"] == pytest.approx(stability)
    assert result["iv"] == pytest.approx(variability)


@given(st.integers(30, 200), st.integers(0, 23), st.floats(0, 0.5), st.integers(0, 2**32 - 1))
def test_missing_hours_are_as_in_the_reference(n, first, missing, seed):
    random = np.random.default_rng(seed)
    x = random.gamma(1, 20, n)
    x[random.random(n) < missing] = np.nan
    expected = slow.rhythm(
        [((first + i) % 24, None if math.isnan(v) else v) for i, v in enumerate(x.tolist())]
    )
    result = rhythm(x, first)
    if expected is None:
        expected = dict.fromkeys(("is", "iv", "ra", "l5_mg", "m10_mg", "l5_start_h"))
    for name, value in expected.items():
        assert result[name] == (None if value is None else pytest.approx(value)), name
    assert result["rhythm_h"] == np.isfinite(x).sum()


def test_no_movement_has_no_rhythm():
    still = rhythm(np.zeros(24 * 3), 0)
    assert (still["is"], still["iv"], still["ra"]) == (None, None, None)
    alike = rhythm(np.full(24 * 3, 0.1), 0)
    assert (alike["is"], alike["iv"], alike["ra"]) == (None, None, pytest.approx(0))


def test_hours_are_those_of_the_clock_and_need_half_an_hour_worn():
    zone = "America/New_York"
    of = meta("2018-11-03 22:30", 6, zone)  # to 03:30, with the hour from 1 to 2 twice
    recording, _, _ = found(of, [])
    counted = replace(recording, signals={"enmo": np.arange(of.n_steps, dtype=np.float32)})
    worn = np.ones(of.n_steps, bool)
    worn[: STEPS_PER_HOUR // 2 - 359] = False
    mean, first = hourly(counted, worn)
    assert first == 22 and len(mean) == 6
    assert math.isnan(mean[0])  # less than half of it
    assert mean[1] == pytest.approx(1000 * (360 + 1079) / 2)
    assert mean[3] == pytest.approx(1000 * (1800 + 3239) / 2)  # two hours at one place
    spring = meta("2018-03-11 00:00", 4, zone)
    mean, _ = hourly(found(spring, [])[0], np.ones(spring.n_steps, bool))
    assert len(mean) == 5 and math.isnan(mean[2])
