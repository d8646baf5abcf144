"""Calibration by gravity: the reference, recovery of a watch's errors, and when it is skipped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.devices.autocalibration import MAX_ERROR, MIN_WINDOWS, calibrate, fit
from tests.reference import devices as reference


def postures(rng: np.random.Generator, count: int) -> np.ndarray:
    points = rng.normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.tuples(*[st.floats(0.9, 1.1)] * 3),
    offset=st.tuples(*[st.floats(-0.1, 0.1)] * 3),
)
def test_errors_of_a_watch_are_found(seed, scale, offset):
    rng = np.random.default_rng(seed)
    true = postures(rng, 300)
    still = ((true - np.array(offset)) / np.array(scale)).astype(np.float32)
    found = calibrate(still)
    assert not found.reason
    np.testing.assert_allclose(found.scale, scale, atol=2e-3)
    np.testing.assert_allclose(found.offset, offset, atol=2e-3)
    assert found.error_before is not None and found.error_after is not None
    assert found.error_after <= found.error_before and found.error_after < 1e-3
    np.testing.assert_allclose(found(still.T), true.T, atol=4e-3)


def test_fit_is_that_of_the_reference():
    rng = np.random.default_rng(0)
    still = postures(rng, 200) * 1.03 + 0.02 + rng.normal(0, 0.003, (200, 3))
    for ours, theirs in zip(fit(still), reference.calibrate(still), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_skipped_for_a_reason():
    rng = np.random.default_rng(1)
    sphere = postures(rng, 400) * 1.02
    assert "never still" in calibrate(sphere[:0]).reason
    few = calibrate(sphere[: MIN_WINDOWS - 1])
    assert f"{MIN_WINDOWS - 1} still windows" in few.reason and few.error_after is None
    assert few.error_before == pytest.approx(0.02)
    up = calibrate(np.abs(sphere))
    assert "too few postures at rest: x from 0.00" in up.reason
    noisy = calibrate(postures(rng, 400) * rng.uniform(0.9, 1.1, (400, 1)))
    assert noisy.reason and noisy.error_after is not None
    assert (noisy.scale == 1).all() and (noisy.offset == 0).all()
    assert "mg" in noisy.reason and MAX_ERROR == 0.010
    assert noisy.as_json()["applied"] is False


def test_what_is_not_applied_changes_nothing():
    xyz = np.ones((3, 4), np.float32)
    assert calibrate(np.zeros((0, 3)))(xyz) is xyz
