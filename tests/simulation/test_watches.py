"""Simulated watches: what a watch of each kind reports of a movement."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.simulation.movement import Motion
from sleepjax.simulation.sleepers import CALM, RESTLESS
from sleepjax.simulation.watches import draw_device, rectified, report, schmitt
from sleepjax.types import STEPS_PER_DAY
from tests.reference import simulate as oracle


@given(st.floats(-0.02, 0.02), st.floats(0.0005, 0.02))
def test_a_floor_is_the_mean_positive_part(mean, sd):
    found = float(rectified(np.array([mean]), sd)[0])
    assert found == pytest.approx(oracle.positive_part(mean, sd, 2_001), abs=1e-5)
    assert float(rectified(np.array([mean]), 0.0)[0]) == max(mean, 0)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.floats(0, 0.5))
def test_counts_with_hysteresis_stay_near(values, hysteresis):
    found = schmitt(np.array(values), hysteresis)
    assert np.abs(found - values).max() <= 0.5 + hysteresis + 1e-6
    assert np.array_equal(found, np.rint(found))
    changes = np.flatnonzero(np.diff(found))
    assert all(abs(values[row + 1] - found[row]) > 0.5 + hysteresis - 1e-6 for row in changes)


def still(n=2000):
    """A wrist that moves at row 1000 only."""
    moving = np.arange(n) == 1000
    angle = np.where(np.arange(n) < 1000, 10, 40).astype(np.float32)
    enmo = np.where(moving, 0.2, 0).astype(np.float32)
    return Motion(angle, np.ones(n, np.float32), enmo, moving)


def watch(name, **settings):
    device = draw_device(np.random.default_rng(0), RESTLESS, (name,))
    return replace(device, mount=0.0, sign=1.0, missing=0.0, **settings)


def test_floors_reach_from_nothing_to_ten_milligravities():
    rng = np.random.default_rng(0)
    floors = []
    for _ in range(200):
        device = replace(draw_device(rng, CALM), missing=0.0)
        floors.append(np.median(report(rng, device, still())[1]) * 1000)
    assert np.quantile(floors, 0.1) < 0.6 and 6 < np.quantile(floors, 0.97) < 25


@pytest.mark.parametrize("idle", ["held", "zeros"])
def test_an_idle_watch_repeats_itself_until_it_moves(idle):
    anglez, enmo = report(np.random.default_rng(1), watch("actigraph", idle=idle), still())
    assert len(set(anglez[3:1000])) == len(set(enmo[3:1000])) == 1
    assert len(set(anglez[1003:])) == 1 and anglez[1000] > 30


def test_some_watches_are_idle_with_zeros():
    anglez, enmo = report(np.random.default_rng(1), watch("actigraph", idle="zeros"), still())
    assert anglez[999] == enmo[999] == 0 != anglez[1000]


def test_a_coarse_watch_sees_few_angles():
    count = {}
    for name in ("coarse", "axivity"):
        angle = np.linspace(-60, 60, 2000, dtype=np.float32)
        motion = replace(still(), angle=angle)
        anglez, _ = report(np.random.default_rng(1), watch(name, angle_count=1e-4), motion)
        count[name] = len(set(anglez))
    assert count["coarse"] < 0.5 * count["axivity"]


def test_lost_samples_are_few_and_both_signals():
    device = replace(watch("consumer"), missing=200.0)
    anglez, enmo = report(np.random.default_rng(1), device, still(STEPS_PER_DAY))
    assert 0.01 < np.isnan(enmo).mean() < 0.99
    assert np.array_equal(np.isnan(anglez), np.isnan(enmo))
