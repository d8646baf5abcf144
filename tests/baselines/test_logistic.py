"""Logistic regression: statistics of every minute, and weights at the minimum of the loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.baselines import logistic
from sleepjax.data.recording import Recording
from sleepjax.types import SeriesMeta
from tests.reference import baselines as reference


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.integers(-6, 3), st.integers(0, 6))
def test_window_means_equal_their_definition(x, first, length):
    found = logistic.window_mean(np.array(x), first, first + length)
    np.testing.assert_allclose(found, reference.window_mean(x, first, first + length), atol=1e-9)


def noise(x, valid=None):
    """A recording of two signals and three features, [5,T]."""
    n = x.shape[1]
    meta = SeriesMeta("a", n, 0, 0, ((0, 0),), {})
    signals = {"anglez": 35 * x[0], "enmo": x[1] / 10}
    features = {"hour_sin": x[2], "hour_cos": x[3], "repeat": x[4]}
    valid = np.ones(n, bool) if valid is None else valid
    return Recording(meta, valid, signals, features=features)


def test_statistics_move_with_the_signal_and_take_any_length():
    rng = np.random.default_rng(0)
    shift, n = 7, 4000
    long = rng.random((5, n + shift * logistic.FRAME)).astype(np.float32)
    later, earlier = logistic.statistics(noise(long)), logistic.statistics(noise(long[:, 84:]))
    inner = slice(130, 200)  # minutes that see no end
    np.testing.assert_allclose(later[137:207], earlier[inner], rtol=1e-4, atol=1e-4)
    for n in (1, 11, 12, 13, 100):
        assert logistic.statistics(noise(long[:, :n])).shape == (-(-n // 12), later.shape[1])
    assert np.isfinite(later).all()


def test_statistics_do_not_take_missing_minutes_for_rest():
    """The minutes of a gap look as active as the recording does on the whole."""
    rng = np.random.default_rng(0)
    n, first, last = 4000, 1200, 2400
    signals = rng.random((5, n)).astype(np.float32)
    valid = np.ones(n, bool)
    valid[first:last] = False
    signals[:2, first:last] = 0.0  # as a recording is filled
    found, whole = logistic.statistics(noise(signals, valid)), logistic.statistics(noise(signals))
    gap, outside = slice(first // 12, last // 12), np.r_[0:30, 280:333]
    each = 1 + 4 * len(logistic.SPANS)  # columns of one kind of activity
    for column in (0, each):  # movement and change of angle of the minute itself
        assert found[gap, column].min() == pytest.approx(found[outside, column].mean(), abs=0.1)
    assert whole[gap, each][1:].max() < -4  # what no data would pass for without `valid`
    columns = [0, each]
    np.testing.assert_allclose(found[outside][:, columns], whole[outside][:, columns], rtol=1e-6)
    none = logistic.statistics(noise(signals, np.zeros(n, bool)))
    assert np.isfinite(found).all() and np.isfinite(none).all()


def test_the_regression_is_at_the_minimum_of_its_loss():
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(500), rng.normal(size=(500, 3))])
    truth = np.array([-2.0, 1.5, 0.0, -0.7])
    y = 1 / (1 + np.exp(-x @ truth))  # soft targets whose best weights are known
    found = logistic.regress(x, y)
    np.testing.assert_allclose(found, truth, atol=0.01)  # the ridge shrinks a little
    for j in range(4):
        slope = sum(
            (1 / (1 + np.exp(-sum(found * row))) - target) * row[j]
            for row, target in zip(x, y, strict=True)
        )
        assert abs(slope / 500 + logistic.RIDGE * found[j] * (j > 0)) < 1e-6
    rare = logistic.regress(np.ones((1000, 1)), np.repeat([0.0, 1.0], [990, 10]))
    assert rare[0] == pytest.approx(np.log(0.01 / 0.99), rel=1e-4)
