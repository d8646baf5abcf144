"""The shipped weights load without a run and find the nights of real and simulated people."""

import datetime

import numpy as np
import polars as pl
import pytest

import sleepjax
from sleepjax import release


@pytest.fixture(scope="module")
def small():
    return sleepjax.load("small")


def test_they_are_small_and_have_a_card():
    for name, most in (("release", release.MOST_BYTES), ("small", 100_000)):
        files = {path.name: path.stat().st_size for path in release.SHIPPED[name].iterdir()}
        assert files["model.safetensors"] <= most and files["card.md"] > 1_000, name


@pytest.mark.parametrize("name", ["shipped", "small"])
def test_nights_of_a_simulated_person(name, request):
    series, labels = sleepjax.simulate(series=1, days=4, seed=5)
    windows = request.getfixturevalue(name).windows(series).filter("main")
    for event in ("onset", "wakeup"):
        true = labels.filter(pl.col("event") == event)["step"].drop_nulls().to_numpy()
        found = windows[f"{event}_step"].to_numpy()
        nearest = np.abs(true[:, None] - found[None, :]).min(axis=1)
        assert len(true) and np.median(nearest) < 30 * 12, event


def test_seven_nights_of_a_real_week(shipped, real_recording):
    windows = shipped.windows(pl.read_parquet(real_recording, glob=False))
    assert windows["main"].all() and len(windows) == 7
    ends = [datetime.datetime.strptime(t[:16], "%Y-%m-%dT%H:%M") for t in windows["wakeup"]]
    assert [end.day for end in ends] == [15, 16, 17, 18, 19, 20, 21]
    assert all(7 <= end.hour < 9 for end in ends)  # the watch was taken off at about 8 on the last


def test_small_finds_them_too_but_for_one_end(shipped, small, real_recording):
    """A quiet day makes one of its nights long (its model card)."""
    series = pl.read_parquet(real_recording, glob=False)
    columns = ["onset_step", "wakeup_step"]
    ours, theirs = (one.windows(series).select(columns).to_numpy() for one in (small, shipped))
    assert ours.shape == theirs.shape == (7, 2)
    assert (np.abs(ours - theirs) <= 20 * 12).sum() >= 13
