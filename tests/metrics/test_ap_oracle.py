"""The metric against the slow oracle, and under changes that must not move it.

Steps in a small range make ground truth dense (20 events in 800 steps at the usual tolerances), few
distinct scores make ties heavy, quarters make steps fractional.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.metrics import evaluate, event_detection_ap
from sleepjax.types import TOLERANCES
from tests.reference import ap as oracle
from tests.support.metric import onset, score, solution, submission


@st.composite
def problems(draw):
    step_range = draw(st.sampled_from([40, 800, 20_000]))
    unit = draw(st.sampled_from([1, 4]))
    steps = st.integers(0, step_range * unit).map(lambda i: i / unit)
    series, events = st.sampled_from("abcd"), st.sampled_from(["onset", "wakeup"])
    levels = draw(st.sampled_from([2, 5, 1000]))
    scores = st.integers(-levels, levels).map(lambda i: i / levels)
    truth = draw(st.lists(st.tuples(series, events, steps), min_size=1, max_size=40))
    dets = draw(st.lists(st.tuples(series, events, steps, scores), max_size=60))
    values = st.floats(0.25, 400) | st.sampled_from(TOLERANCES)
    some = st.lists(values, min_size=1, max_size=4, unique=True)
    tolerances = draw(st.just(TOLERANCES) | some)
    return truth, dets, {"onset": tolerances, "wakeup": tolerances}


@settings(max_examples=300, deadline=None)
@given(problems())
def test_equals_the_oracle(problem):
    truth, dets, tolerances = problem
    frame = submission(dets) if dets else submission([onset(1.0)]).clear()
    result = evaluate(solution(truth), frame, tolerances)
    expected = oracle.event_detection_ap(truth, dets, tolerances)
    assert result.ap == pytest.approx(expected, abs=1e-12)
    assert event_detection_ap(solution(truth), frame, tolerances) == result.ap


def random_problem(seed, n_truth=20, n_dets=120, n_steps=800, n_scores=30):
    rng = np.random.default_rng(seed)
    truth = [
        (series, event, int(step))
        for series in "abc"
        for event in ("onset", "wakeup")
        for step in rng.choice(n_steps, n_truth, replace=False)
    ]
    dets = [
        (str(rng.choice(list("abc"))), event, int(step), float(value))
        for event in ("onset", "wakeup")
        for step, value in zip(
            rng.integers(0, n_steps, n_dets), rng.integers(0, n_scores, n_dets), strict=True
        )
    ]
    return truth, dets


@pytest.mark.parametrize("seed", range(3))
def test_dense_ground_truth_equals_the_oracle_match_by_match(seed):
    truth, dets = random_problem(seed)
    tolerances = {"onset": TOLERANCES, "wakeup": TOLERANCES}
    result = evaluate(solution(truth), submission(dets))
    assert result.ap == pytest.approx(oracle.event_detection_ap(truth, dets, tolerances), abs=1e-12)
    for series in "abc":
        for tolerance in (12, 90, 360):
            expected = oracle.match_series(
                [t for s, e, t in truth if (s, e) == (series, "onset")],
                [(t, p) for s, e, t, p in dets if (s, e) == (series, "onset")],
                tolerance,
            )
            got = result.matches.filter(series_id=series, event="onset", tolerance=tolerance)
            assert sorted((d, p, t) for d, p, t in expected if t is not None) == sorted(
                got.select("detection", "score", "step").iter_rows()
            )


@pytest.mark.parametrize("n_steps", [800, 100_000])
def test_invariances(n_steps):
    truth, dets = random_problem(5, n_steps=n_steps)
    expected = score(dets, truth)
    assert 0 < expected < 1
    rng = np.random.default_rng(0)

    shuffled = [dets[i] for i in rng.permutation(len(dets))]
    assert score(shuffled, truth[::-1]) == expected
    renamed = {"a": "z", "b": "m", "c": "c"}
    assert score(
        [(renamed[s], *row) for s, *row in dets], [(renamed[s], *row) for s, *row in truth]
    ) == pytest.approx(expected, abs=1e-12)
    monotone = [(s, e, t, math.exp(p / 3) - 100) for s, e, t, p in dets]
    assert score(monotone, truth) == expected
    later = [(s, e, t + 10_000, p) for s, e, t, p in dets]
    assert score(later, [(s, e, t + 10_000) for s, e, t in truth]) == expected
    trailing = [("a", "onset", 10**6 + i, -1.0) for i in range(20)]
    assert score(dets + trailing, truth) == expected


def test_perfect_and_reversed_answers():
    truth, _ = random_problem(1)
    perfect = [(s, e, t, 0.5) for s, e, t in truth]
    assert score(perfect, truth) == 1.0
    swapped = [(s, "wakeup" if e == "onset" else "onset", t, p) for s, e, t, p in perfect]
    assert score(swapped, truth, tolerances=[0.5]) < 0.1
