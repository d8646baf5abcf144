"""Sleep within a window: the stated rule, YASA's sums, and the slow reference."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.metrics import agreement
from sleepjax.nights import nights_table, scored, scoring
from sleepjax.nights.scoring import ASLEEP, AWAKE, UNKNOWN
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE
from tests.reference import nights as slow
from tests.support.nights import found, meta
from tests.support.project import PROJECT

HOUR, MINUTE = STEPS_PER_HOUR, STEPS_PER_MINUTE
GOLDEN = json.loads((PROJECT / "tests" / "reference" / "golden_sleep.json").read_text())
# Long runs, as of sleep, and short ones.
runs = st.lists(st.tuples(st.sampled_from([1, 0, -1]), st.integers(1, 30)), min_size=1, max_size=12)


def steps(epochs: str) -> np.ndarray:
    """States of 5-second steps from YASA's 30-second epochs."""
    return np.repeat([ASLEEP if epoch == "S" else AWAKE for epoch in epochs], 6)


@pytest.mark.parametrize("night", GOLDEN["nights"], ids=lambda night: f"TIB{night['TIB']:g}")
def test_sums_of_a_window_are_those_of_yasa(night):
    window = scoring.within(steps(night["epochs"].strip("W")))
    assert window["spt_min"] == pytest.approx(night["SPT"])
    assert window["tst_min"] == pytest.approx(night["TST"])
    assert window["waso_min"] == pytest.approx(night["WASO"])
    assert window["maintenance_efficiency"] == pytest.approx(night["SME"] / 100, abs=1e-6)


def test_agreement_is_that_of_yasa():
    of = GOLDEN["agreement"]
    true, late = zip(*of["pairs"], strict=True)
    table = lambda onset: pl.DataFrame(
        {
            "series_id": [f"p{i}" for i in range(len(onset))],
            "onset_step": [minutes * 12 for minutes in onset],
            "wakeup_step": [minutes * 12 + 6000 for minutes in onset],
        }
    )
    result = agreement(table(true), table(late)).differences["onset"]
    assert result.mean == pytest.approx(of["bias"])
    assert result.mean_interval == pytest.approx(of["interval"])
    assert result.limits == pytest.approx(of["limits"])


@given(runs)
def test_sums_of_a_window_are_those_of_the_reference(pieces):
    state = np.concatenate([np.full(n, value, np.int8) for value, n in pieces])
    fast, expected = scoring.within(state), slow.window(state.tolist())
    assert fast.keys() == expected.keys()
    for name, value in expected.items():
        assert fast[name] == (value if value is None else pytest.approx(value)), name


def test_awake_at_the_edge_of_a_window_is_waso_and_no_awakening():
    window = scoring.within(np.array([0] * 12 + [1] * 24 + [0] * 6 + [1] * 24 + [0] * 12))
    assert (window["waso_min"], window["awakenings"]) == (2.5, 1)
    assert window["awakening_longest_min"] == 0.5
    broken = scoring.within(np.array([1] * 12 + [0] * 6 + [-1] * 6 + [1] * 12))
    assert (broken["awakenings"], broken["unknown_min"]) == (0, 0.5)


def test_asleep_needs_a_window_the_model_and_stillness():
    of = meta("2018-08-14 15:00", 24)
    moving = [(10 * HOUR, 10 * HOUR + 30 * MINUTE)]
    recording, probs, windows = found(of, [(8 * HOUR, 16 * HOUR)], awake=moving)
    row = nights_table(scored(recording, probs, windows)).row(0, named=True)
    # The first and the last minutes beside the turns are moving or still, to five minutes.
    assert row["waso_min"] == pytest.approx(30, abs=1) and row["awakenings"] == 1
    probs = probs.copy()
    probs[12 * HOUR : 12 * HOUR + 10 * MINUTE, 0] = 0.4
    row = nights_table(scored(recording, probs, windows)).row(0, named=True)
    assert row["waso_min"] == pytest.approx(40, abs=1) and row["awakenings"] == 2
    state = scoring.states(recording, probs, [], np.ones(of.n_steps, bool))
    assert not (state == ASLEEP).any()
    state = scoring.states(recording, probs, [(0, HOUR)], np.zeros(of.n_steps, bool))
    assert (state == UNKNOWN).all()


def test_four_minutes_between_two_turns_are_awake():
    of = meta("2018-08-14 15:00", 24)
    recording, probs, windows = found(of, [(8 * HOUR, 16 * HOUR)])
    anglez = np.array(recording.signals["anglez"])
    anglez[10 * HOUR + 3 * MINUTE : 10 * HOUR + 7 * MINUTE] += 6
    turned = replace(recording, signals={**recording.signals, "anglez": anglez})
    row = nights_table(scored(turned, probs, windows)).row(0, named=True)
    assert row["waso_min"] == pytest.approx(7)  # and the three minutes before, since the last turn
