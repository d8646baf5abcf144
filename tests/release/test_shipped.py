"""The shipped weights load without a run and find the nights of real and simulated people."""

import datetime

import numpy as np
import polars as pl

import sleepjax
from sleepjax import release


def test_they_fit_in_four_megabytes_and_have_a_card():
    files = {path.name: path.stat().st_size for path in release.FOLDER.iterdir()}
    assert files["model.safetensors"] <= release.MOST_BYTES and files["card.md"] > 1_000


def test_nights_of_a_simulated_person(shipped):
    series, labels = sleepjax.simulate(series=1, days=4, seed=5)
    windows = shipped.windows(series).filter("main")
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
