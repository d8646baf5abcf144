"""The bootstrap against scoring each draw from scratch."""

import numpy as np
import polars as pl
import pytest

from sleepjax.metrics import bootstrap, evaluate, event_detection_ap, paired_bootstrap
from sleepjax.metrics.bootstrap import mean_of_event, of_each_series
from sleepjax.types import TOLERANCES, InputError
from tests.reference import ap as oracle

SERIES = "abcde"


def problem(seed, noise=60):
    """Five series of ten nights with tied scores; series e has onsets only."""
    rng = np.random.default_rng(seed)
    truth, dets = [], []
    for series in SERIES:
        for event in ("onset", "wakeup")[: 1 if series == "e" else 2]:
            for night in range(10):
                step = 17_280 * night + int(rng.integers(2000))
                truth.append((series, event, step))
                if rng.random() < 0.8:
                    shift = int(rng.normal(0, noise))
                    dets.append((series, event, step + shift, int(rng.integers(5, 10)) / 10))
                dets.append((series, event, step + 4000, int(rng.integers(0, 8)) / 10))
    return truth, dets


def frames(truth, dets):
    return (
        pl.DataFrame(truth, schema=["series_id", "event", "step"], orient="row"),
        pl.DataFrame(dets, schema=["series_id", "event", "step", "score"], orient="row"),
    )


def draw(rows, series):
    """Rows of the drawn series; one drawn twice becomes two series."""
    return [
        (f"{copy}{name}", *row)
        for copy, name in enumerate(series)
        for of, *row in rows
        if of == name
    ]


def test_draws_equal_scoring_from_scratch():
    truth, dets = problem(0)
    result = bootstrap(*frames(truth, dets), n=30, seed=1)
    assert result.ap == pytest.approx(event_detection_ap(*frames(truth, dets)), abs=1e-12)
    assert len(result.table) == 2 * len(TOLERANCES)
    counts = np.random.default_rng(1).multinomial(5, np.full(5, 0.2), size=30)
    tolerances = {"onset": TOLERANCES, "wakeup": TOLERANCES}
    for sample, count in zip(result.samples, counts, strict=True):
        series = np.repeat(list(SERIES), count)
        expected = oracle.event_detection_ap(draw(truth, series), draw(dets, series), tolerances)
        assert sample == pytest.approx(expected, abs=1e-12)
    for tolerance in (12, 360):
        alone = bootstrap(*frames(truth, dets), n=30, seed=1, tolerances=(tolerance,))
        for event in tolerances:
            np.testing.assert_allclose(
                result.table[event, tolerance], mean_of_event(alone.table, event), atol=1e-12
            )
            expected = alone.interval(event=event)
            assert result.interval(event=event, tolerance=tolerance) == pytest.approx(expected)


def test_each_series_is_scored_as_if_it_were_alone():
    solution, dets = frames(*problem(2))
    alone = [event_detection_ap(solution.filter(series_id=name), dets) for name in SERIES]
    np.testing.assert_allclose(of_each_series(evaluate(solution, dets)), alone, atol=1e-12)


def test_event_that_occurs_in_some_draws_only():
    truth = [("a", "onset", 10), ("b", "wakeup", 10)]
    dets = [("a", "onset", 10, 1.0)]
    result = bootstrap(*frames(truth, dets), n=50)
    counts = np.random.default_rng(0).multinomial(2, [0.5, 0.5], size=50)
    expected = np.select([counts[:, 0] == 2, counts[:, 0] == 0], [1.0, 0.0], 0.5)
    np.testing.assert_array_equal(result.samples, expected)
    np.testing.assert_array_equal(
        np.isnan(mean_of_event(result.table, "wakeup")), counts[:, 0] == 2
    )
    assert result.interval(event="onset") == (1.0, 1.0)


def test_interval_holds_the_score_and_the_seed_decides():
    pair = frames(*problem(3))
    result = bootstrap(*pair, n=200)
    low, high = result.interval()
    inner_low, inner_high = result.interval(0.5)
    assert 0 < low < inner_low < result.ap < inner_high < high < 1
    np.testing.assert_array_equal(result.samples, bootstrap(*pair, n=200).samples)
    assert (result.samples != bootstrap(*pair, n=200, seed=1).samples).any()


def test_paired_bootstrap_sees_a_difference_that_intervals_hide():
    solution, good = frames(*problem(3, noise=10))
    worse = good.with_columns(step=pl.col("step") + 30)
    result = paired_bootstrap(solution, worse, good, n=300)
    expected = event_detection_ap(solution, good) - event_detection_ap(solution, worse)
    assert result.difference == pytest.approx(expected, abs=1e-12)
    low, high = result.interval()
    assert 0 < low <= result.difference <= high
    assert result.p == pytest.approx(2 / 301)
    assert result.interval()[0] > 0
    back = paired_bootstrap(solution, good, worse, n=300)
    np.testing.assert_allclose(back.samples, -result.samples, atol=1e-12)


def test_equal_answers_do_not_differ():
    solution, dets = frames(*problem(3))
    result = paired_bootstrap(solution, dets, dets[::-1], n=50)
    assert result.difference == 0 and result.p == 1.0 and not result.samples.any()


def test_empty_submission_and_bad_n():
    solution, dets = frames(*problem(3))
    assert not bootstrap(solution, dets.clear(), n=10).samples.any()
    with pytest.raises(InputError, match="n=0"):
        bootstrap(solution, dets, n=0)
