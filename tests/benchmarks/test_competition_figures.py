"""The cohort resembles the competition's recordings, and is as hard: figures and tolerances."""

import polars as pl
import pytest

from benchmarks.competition_figures import PUBLISHED, measure
from sleepjax.metrics import event_detection_ap
from sleepjax.simulation import simulate_series
from sleepjax.simulation.cohort_files import EVENT_SCHEMA, TRUTH_SCHEMA
from sleepjax.types import EVENTS

SERIES = 60

DIFFICULTY = {12: 0.45, 36: 0.75, 60: 0.85, 360: 0.95}
"""AP that the latent truth, submitted as an answer, should reach at each tolerance in steps."""


@pytest.fixture(scope="module")
def simulated():
    """Figures of a cohort, its events and its latent truth; recordings are not kept."""
    events, truth = [], []

    def recordings():
        for index in range(SERIES):
            recording = simulate_series(0, index)
            events.extend(recording.event_rows())
            truth.extend(recording.truth_rows())
            yield recording

    figures = measure(recordings())
    solution = pl.DataFrame(events, EVENT_SCHEMA).select("series_id", "event", "step")
    return figures, solution, pl.DataFrame(truth, TRUTH_SCHEMA).with_columns(score=pl.lit(1.0))


@pytest.mark.parametrize("name", PUBLISHED)
def test_figure_is_near_the_published_one(simulated, name):
    published, tolerance = PUBLISHED[name]
    assert simulated[0][name] == pytest.approx(published, abs=tolerance)


@pytest.mark.parametrize("tolerance", DIFFICULTY)
@pytest.mark.parametrize("event", EVENTS)
def test_the_latent_truth_is_no_perfect_answer(simulated, event, tolerance):
    _, solution, truth = simulated
    of_event = pl.col("event") == event
    score = event_detection_ap(solution.filter(of_event), truth.filter(of_event), [tolerance])
    assert score == pytest.approx(DIFFICULTY[tolerance], abs=0.07)


def test_nearest_events_of_a_class_stay_apart(simulated):
    gaps = simulated[1].drop_nulls().sort("series_id", "event", "step")
    gaps = gaps.select(pl.col("step").cast(pl.Int64).diff().over("series_id", "event")).drop_nulls()
    assert gaps["step"].min() > 5000  # 8,232 steps in the competition
