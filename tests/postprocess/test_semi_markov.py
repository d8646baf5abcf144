"""Windows of a sequence against a list of all sets of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.postprocess import semi_markov
from sleepjax.postprocess.semi_markov import Evidence, best_windows, probabilities
from tests.reference import semi_markov as oracle


@st.composite
def evidences(draw):
    n, shortest = draw(st.integers(0, 9)), draw(st.integers(1, 4))
    value = st.floats(-4, 4).map(lambda x: round(x, 3)) | st.sampled_from([-900.0, 0.0, 2.0])
    values = lambda size: np.array(draw(st.lists(value, min_size=size, max_size=size)), float)
    return Evidence(values(n + 1), values(n + 1), values(n), shortest)


@given(evidences())
def test_equals_the_list_of_all_sets(evidence):
    parts = evidence.begins.tolist(), evidence.ends.tolist(), evidence.inside.tolist()
    windows = best_windows(evidence)
    assert (np.diff(windows.ravel()) >= evidence.shortest).all()
    best = oracle.best(*parts, evidence.shortest)
    assert oracle.score(windows.tolist(), *parts) == pytest.approx(best, abs=1e-9)
    for got, expected in zip(
        probabilities(evidence), oracle.probabilities(*parts, evidence.shortest), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@given(st.data())
def test_parts_solved_side_by_side_equal_the_list_of_all_sets(data):
    """Runs of frames that nobody can have slept in, as long as a part needs or one frame less."""
    shortest, value = data.draw(st.integers(1, 2)), st.floats(-2, 2)
    inside = []
    for _ in range(data.draw(st.integers(1, 2))):
        inside += data.draw(st.lists(value, max_size=3))
        inside += [-60.0] * data.draw(st.sampled_from([3 * shortest - 1, 3 * shortest]))
    inside += data.draw(st.lists(value, max_size=3))
    begins, ends = (
        data.draw(st.lists(value, min_size=n, max_size=n)) for n in 2 * [len(inside) + 1]
    )
    evidence = Evidence(np.array(begins), np.array(ends), np.array(inside), shortest)
    windows = best_windows(evidence)
    best = oracle.best(begins, ends, inside, shortest)
    assert oracle.score(windows.tolist(), begins, ends, inside) == pytest.approx(best, abs=1e-9)
    expected = oracle.probabilities(begins, ends, inside, shortest)
    for got, want in zip(probabilities(evidence), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_days_are_parts_where_nights_lie_between_hours_awake():
    night, hours_awake = [0.3] * 480, [-5.0] * 960
    inside = np.array((hours_awake + night) * 5 + hours_awake)
    flat = np.full(len(inside) + 1, -7.0)
    days = [0, 480, 1920, 3360, 4800, 6240, 7680, 8160]  # from and to the middle of the hours awake
    assert semi_markov._parts(Evidence(flat, flat, inside, 31)).tolist() == days
    unsure = Evidence(flat, flat, inside / 10, 31)
    assert semi_markov._parts(unsure).tolist() == [0, len(inside)]


def test_a_year_of_minutes_keeps_its_precision():
    """Evidence sums to millions over a year; its probabilities are still those of a single day."""
    day = np.where(np.arange(1440) < 480, 0.1, -6.9)
    begins = np.tile(np.where(np.arange(1440) == 5, -1.0, -7.0), 365)
    ends = np.tile(np.where(np.arange(1440) == 470, -1.0, -7.0), 365)
    year = Evidence(np.append(begins, -7.0), np.append(ends, -7.0), np.tile(day, 365), 30)
    assert best_windows(year).tolist() == [[1440 * d + 5, 1440 * d + 470] for d in range(365)]
    begin, end = (p[:-1].reshape(365, 1440) for p in probabilities(year))
    for each in (begin, end):
        np.testing.assert_allclose(each[1:-1], np.broadcast_to(each[1], (363, 1440)), atol=1e-5)
        np.testing.assert_allclose(each.sum(axis=1), 1, atol=1e-3)  # rarely there are two
