"""The metric against its definition: the table of edge cases, and what a result explains."""

import math

import numpy as np
import polars as pl
import pytest

from sleepjax.metrics import evaluate, event_detection_ap
from sleepjax.types import InputError
from tests.support.metric import BASE, onset, score, solution, submission

W = ("a", "wakeup", 7200, 1.0)


# Cases 1: the worked examples of the official scorer, restated.
FOOTBALL = [("a", "pass", 0.0), ("a", "pass", 15.0)]


@pytest.mark.parametrize(
    "scores, tolerances, expected",
    [
        ((1.0, 0.5, 1.0), [1.0], 1.0),
        ((1.0, 1.5, 1.0), [1.0], 2 / 3),
        ((0.0, 0.5, 1.0), [1.0], 5 / 6),
        ((0.0, 0.5, 1.0), [0.1, 0.2, 1.0], 7 / 18),
    ],
)
def test_official_examples(scores, tolerances, expected):
    dets = [("a", "pass", t, s) for t, s in zip((0, 10, 14.5), scores, strict=True)]
    got = score([(s, e, float(t), p) for s, e, t, p in dets], FOOTBALL, tolerances=tolerances)
    assert got == pytest.approx(expected, abs=1e-12)


def test_official_example_with_two_classes_and_series():
    truth = [("a", "pass", 0), ("a", "challenge", 15), ("b", "pass", 0)]
    dets = [(*row, 0.5 if row[1] == "challenge" else 1.0) for row in truth]
    tolerances = {"pass": [0.5, 1.0], "challenge": [0.25, 0.50]}
    assert score(dets, truth, tolerances=tolerances) == 1.0


TWO_ONSETS = [*BASE, ("a", "onset", 20_000)]
LOW_FPS = [onset(50_000 + 1000 * i, 0.1) for i in range(50)]
CASES = {
    "2: off by 11": ([onset(1211), W], BASE, 1.0),
    "2: off by 12": ([onset(1212), W], BASE, 0.95),
    "2: off by 35": ([onset(1235), W], BASE, 0.95),
    "2: off by 36": ([onset(1236), W], BASE, 0.90),
    "2: off by 359": ([onset(1559), W], BASE, 0.55),
    "2: off by 360": ([onset(1560), W], BASE, 0.50),
    "3: no onset detection": ([W], BASE, 0.5),
    "4: lower-scored duplicate": ([onset(1200), onset(1201, 0.5), W], BASE, 1.0),
    "5: false positive first": ([onset(5000, 1.0), onset(1200, 0.5), W], BASE, 0.75),
    "6: tied false positive": ([onset(5000, 0.5), onset(1200, 0.5), W], BASE, 0.75),
    "6: tied, other order": ([onset(1200, 0.5), onset(5000, 0.5), W], BASE, 0.75),
    "7: series without ground truth": ([onset(1200), W, onset(9, 2.0, "z")], BASE, 1.0),
    "8: series without this class": (
        [onset(1200), W, onset(300, 1.0, "b"), ("b", "wakeup", 9000, 2.0)],
        [*BASE, ("b", "onset", 300)],
        0.75,
    ),
    "9: one of two onsets": ([onset(1200), W], TWO_ONSETS, 0.75),
    "9: and 50 lower false positives": ([onset(1200), W, *LOW_FPS], TWO_ONSETS, 0.75),
    "10: second one after 50 false positives": (
        [onset(1200), W, *LOW_FPS, onset(20_000, 0.05)],
        TWO_ONSETS,
        0.5 * (0.5 + 0.5 * 2 / 52) + 0.5,
    ),
    "11: all false positives": ([onset(90_000), ("a", "wakeup", 90_000, 1.0)], BASE, 0.0),
    "12: the greedy one steals": (
        [onset(1009, 0.9), onset(995, 0.8), W],
        [("a", "onset", 1000), ("a", "onset", 1020), ("a", "wakeup", 7200)],
        0.975,
    ),
    "13: negative scores": ([onset(5000, -1.0), onset(1200, -2.0), W], BASE, 0.75),
    "13: scores above 1": ([onset(5000, 9.0), onset(1200, 3.0), W], BASE, 0.75),
    "17: duplicate ground-truth row": (
        [onset(1200), onset(1201, 0.9), W],
        [*BASE, ("a", "onset", 1200)],
        0.75,
    ),
    "19: unknown event label": ([onset(1200), W, ("a", "nap", 1200, 5.0)], BASE, 1.0),
    "20: reserved events": ([onset(1200), W], [*BASE, ("a", "start", 0), ("a", "end", 9)], 1.0),
    "21: fractional step in reach": ([onset(1211.75), W], BASE, 1.0),
    "21: fractional step, strict": ([onset(1212.0), W], BASE, 0.95),
    "23: ties within a series go by step": (
        [onset(1009, 0.8), onset(995, 0.8), W],
        [("a", "onset", 1000), ("a", "onset", 1020), ("a", "wakeup", 7200)],
        1.0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_edge_case(case):
    detections, truth, expected = CASES[case]
    as_float = [(s, e, float(t), p) for s, e, t, p in detections]
    assert score(as_float, truth) == pytest.approx(expected, abs=1e-12)
    assert score(as_float[::-1], truth[::-1]) == pytest.approx(expected, abs=1e-12)


def test_case_10_has_the_published_number():
    detections, truth, expected = CASES["10: second one after 50 false positives"]
    assert expected == pytest.approx(0.759615, abs=1e-6)
    assert str(score([onset(90_000)])) == "0.0"  # case 11: and not -0.0


@pytest.mark.parametrize("missing", [None, math.nan])
def test_case_14_unlabelled_rows_do_not_count(missing):
    rows = [("a", "onset", 1200.0), ("a", "wakeup", 7200.0), ("c", "onset", missing)]
    result = evaluate(
        pl.DataFrame(rows, schema=["series_id", "event", "step"], orient="row"),
        submission([onset(1200), W, onset(10, 0.95, "c")]),
    )
    assert result.ap == 1.0
    assert result.n_series == 1
    assert result.ignored == {
        "unlabelled solution rows (no step)": 1,
        "detections of series without events": 1,
    }


@pytest.mark.parametrize("column", ["series_id", "step", "event", "score", "night", "comment"])
def test_case_15_detection_with_a_missing_value_is_dropped(column):
    frame = submission([onset(1200), W]).with_columns(night=pl.lit(1.0), comment=pl.lit("x"))
    value = pl.when(pl.col("event") == "onset").then(None).otherwise(pl.col(column))
    frame = frame.with_columns(value.alias(column))
    result = evaluate(solution(BASE), frame)
    assert result.ap == 0.5
    assert result.ignored == {"detections with a missing value": 1}


@pytest.mark.parametrize("column", ["step", "score", "night"])
def test_case_15_detection_with_nan_is_dropped(column):
    frame = submission([onset(1200), W]).with_columns(night=pl.lit(1.0))
    value = pl.when(pl.col("event") == "onset").then(math.nan).otherwise(pl.col(column))
    assert evaluate(solution(BASE), frame.with_columns(value.alias(column))).ap == 0.5


def test_case_16_extra_solution_columns_are_not_read():
    truth = solution(TWO_ONSETS).with_columns(night=pl.lit(math.nan), timestamp=pl.lit(None))
    dets = submission([onset(1200), onset(1201, 0.9), W])
    assert event_detection_ap(truth, dets) == 0.75


def test_case_18_empty_submission_scores_zero():
    empty = submission([onset(1200)]).clear()
    untyped = pl.DataFrame({"series_id": [], "step": [], "event": [], "score": []})
    for frame in (empty, untyped):
        result = evaluate(solution(BASE), frame)
        assert (result.ap, result.n_detections) == (0.0, 0)
        assert math.isnan(result.errors["onset"].median)
        assert result.matches.is_empty()
    assert event_detection_ap(solution(BASE), empty) == 0.0


@pytest.mark.parametrize("dtype", [pl.UInt32, pl.UInt16, pl.Int64, pl.Float32])
def test_case_22_unsigned_steps(dtype):
    late = solution([("a", "onset", 1200), ("a", "onset", 2000)])
    dets = submission([onset(1195), onset(1990)]).with_columns(pl.col("step").cast(dtype))
    truth = late.with_columns(pl.col("step").cast(dtype))
    assert event_detection_ap(truth, dets, [12]) == 1.0


def test_types_of_identifiers_do_not_matter():
    truth = solution(BASE).with_columns(series_id=pl.lit(7))
    dets = submission([onset(1200), W]).with_columns(
        series_id=pl.lit("7"), event=pl.col("event").cast(pl.Categorical)
    )
    assert event_detection_ap(truth, dets) == 1.0


def test_infinite_scores_rank_and_infinite_steps_never_match():
    assert score([onset(5000.0, math.inf), onset(1200.0, 0.5), W]) == 0.75
    assert score([onset(math.inf, 2.0), onset(1200.0, 0.5), W]) == 0.75


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda t, d: (t.drop("event"), d), "solution: column 'event' is missing"),
        (lambda t, d: (t, d.drop("score")), "submission: column 'score' is missing"),
        (lambda t, d: (t, d.rename({"series_id": "serie_id"})), "did you mean 'serie_id'"),
        (lambda t, d: (t, d.with_columns(pl.col("step").cast(pl.String))), "must hold numbers"),
        (lambda t, d: (t.with_columns(pl.col("step").cast(pl.String)), d), "must hold numbers"),
        (lambda t, d: (t.clear(), d), "solution has no events"),
        (lambda t, d: (t.with_columns(step=None), d), "2 have no step"),
        (lambda t, d: (t.with_columns(series_id=pl.lit(None)), d), "without a series_id"),
        (lambda t, d: (t.with_columns(step=pl.lit(math.inf)), d), "a finite step"),
    ],
)
def test_unusable_frames(change, text):
    truth, dets = change(solution(BASE), submission([onset(1200), W]))
    with pytest.raises(InputError, match=text):
        event_detection_ap(truth, dets)


@pytest.mark.parametrize("tolerances", [[], [12, 12], [0, 12], [math.nan], [-1]])
def test_unusable_tolerances(tolerances):
    with pytest.raises(InputError, match="distinct positive numbers"):
        score([W], tolerances=tolerances)


def test_tolerances_per_event():
    with pytest.raises(InputError, match=r"also has events \['wakeup'\]"):
        score([W], tolerances={"onset": [12]})
    tolerances = {"onset": [36, 12], "wakeup": [1.5], "nap": [5]}
    result = evaluate(solution(BASE), submission([onset(1212), W]), tolerances)
    assert result.table == {("onset", 12): 0.0, ("onset", 36): 1.0, ("wakeup", 1.5): 1.0}
    assert result.per_event == {"onset": 0.5, "wakeup": 1.0}
    assert result.ap == 0.75


@pytest.mark.parametrize("flip", [1, -1])
def test_second_choice_lies_beyond_the_nearest_event(flip):
    """The lower detection finds its nearest event taken and reaches the next one, 310 steps off."""
    at = 10_000
    truth = [("a", "onset", at), ("a", "onset", at + flip * 600)]
    dets = [onset(at + flip * 250, 0.9), onset(at + flip * 290, 0.8)]
    assert score(dets, truth, tolerances=[360]) == 1.0
    assert score(dets, truth, tolerances=[310]) == 0.5


def test_result_explains_the_score():
    truth = [*TWO_ONSETS, ("b", "onset", 300)]
    dets = [onset(1212, 0.9), onset(19_994, 0.8), onset(70_000, 0.7), W, onset(1, 3.0, "z")]
    result = evaluate(solution(truth), submission(dets))
    assert result.n_events == {"onset": 3, "wakeup": 1}
    assert (result.n_series, result.n_detections) == (2, 4)
    assert result.ignored == {"detections of series without events": 1}

    widest = result.matches.filter(event="onset", tolerance=360)
    assert widest.rows() == [
        ("a", "onset", 360.0, 1200.0, 1212.0, 0.9, 12.0),
        ("a", "onset", 360.0, 20_000.0, 19_994.0, 0.8, -6.0),
    ]
    assert len(result.matches.filter(event="onset", tolerance=12)) == 1
    errors = result.errors["onset"]
    assert (errors.n, errors.median, errors.bias) == (2, 0.75, 0.25)
    assert errors.quantiles[0.25] == 0.625

    curve = result.curves["onset", 36]
    np.testing.assert_array_equal(curve.score, [0.9, 0.8, 0.7])
    np.testing.assert_allclose(curve.precision, [1, 1, 2 / 3])
    np.testing.assert_allclose(curve.recall, [1 / 3, 2 / 3, 2 / 3])
    for (event, tolerance), ap in result.table.items():
        curve = result.curves[event, tolerance]
        area = np.sum(np.diff(curve.recall, prepend=0) * curve.precision)
        assert ap == pytest.approx(area, abs=1e-12)


def test_worked_example_of_the_documentation():
    day, minute = 17_280, 12
    truth = [("a", "onset", night * day) for night in (1, 2, 3, 4)]
    dets = [
        onset(1 * day + 2 * minute, 0.9),
        onset(2 * day - minute // 2, 0.8),
        onset(1 * day + minute // 2, 0.7),
        onset(4 * day - 20 * 60 * minute, 0.6),
        onset(3 * day + 10 * minute, 0.5),
    ]
    result = evaluate(solution(truth), submission(dets))
    expected = [(1 / 2 + 2 / 3) / 4] + 4 * [2 / 4] + 5 * [(1 + 1 + 3 / 5) / 4]
    assert list(result.table.values()) == pytest.approx(expected, abs=1e-12)
    assert result.ap == pytest.approx(0.5542, abs=5e-5)
    without_06 = evaluate(solution(truth), submission([d for d in dets if d[3] != 0.6]))
    assert without_06.table["onset", 360] == pytest.approx((1 + 1 + 3 / 4) / 4, abs=1e-12)
