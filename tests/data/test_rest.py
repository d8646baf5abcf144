"""A watch whose arm never turns for hours was not worn; time without data is no stillness."""

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sleepjax.data import raw
from tests.reference import series as reference
from tests.reference.series import rows, with_value


def read(frame):
    (recording,) = raw.recordings_from_frame(frame)
    return recording


STRETCHES = st.tuples(st.sampled_from(["moves", "rests", "turns"]), st.integers(1, 4000))
MISSING = st.tuples(st.just("missing"), st.integers(1, 130) | st.integers(1, 4000))


@given(st.lists(STRETCHES | MISSING, min_size=1, max_size=8))
@example([("rests", 4000), ("missing", 60), ("rests", 4000)])
@example([("rests", 4000), ("missing", 61), ("rests", 4000)])
@example([("rests", 3600), ("missing", 1), ("turns", 3600)])
def test_a_watch_at_rest_for_hours_was_not_worn(stretches):
    """Rows that are missing are not there at all; a turn may happen while one is."""
    stretches = [("moves", 20), *stretches, ("moves", 20)]
    kinds = np.concatenate([np.full(length, kind) for kind, length in stretches])
    angles = {"moves": 40.0 + 10 * (np.arange(len(kinds)) % 2), "rests": 20.0, "turns": 60.0}
    anglez = np.select([kinds == kind for kind in angles], list(angles.values()), np.nan)
    lost = kinds == "missing"
    frame = rows(len(kinds)).with_columns(anglez=anglez.astype(np.float32))
    recording = read(frame.filter(~pl.Series(lost)))
    known = [None if missing else angle for angle, missing in zip(anglez, lost, strict=True)]
    expected = reference.not_worn(known, degrees=5.0, at_least=6 * 720, bridged=60)
    assert recording.meta.qc["n_not_worn"] == sum(expected)
    assert (~recording.frame["valid"]).to_list() == (np.array(expected) | lost).tolist()


def still(hours, angle=20.0):
    return np.full(round(hours * 720), angle, np.float32)


@pytest.mark.parametrize("null", [False, True])
def test_time_without_data_is_not_stillness(null):
    """A night of 6 hours without data, and quiet sleep beside it, is no watch on a table."""
    moving = rows(2000)["anglez"].to_numpy()
    anglez = np.concatenate([moving, still(0.5), still(6), still(0.6), moving])
    gap = np.zeros(len(anglez), bool)
    gap[2360 : 2360 + 4320] = True
    frame = rows(len(anglez), anglez=anglez)
    frame = frame.with_columns(anglez=pl.when(~pl.Series(gap)).then("anglez")) if null else (
        frame.filter(~pl.Series(gap)))  # fmt: skip
    recording = read(frame)
    assert recording.meta.qc["n_not_worn"] == 0
    assert (~recording.frame["valid"]).sum() == gap.sum()


def test_a_turn_during_a_sample_that_is_missing():
    anglez = np.concatenate([still(5, 20), still(5, 60)])
    frame = with_value(rows(len(anglez), anglez=anglez), "anglez", 3600, None)
    assert read(frame).meta.qc["n_not_worn"] == 0
    frame = with_value(rows(len(anglez), anglez=still(10)), "anglez", 3600, None)
    frame = with_value(frame, "anglez", 0, 60.0)  # not constant throughout
    assert read(frame).meta.qc["n_not_worn"] == len(anglez) - 2
