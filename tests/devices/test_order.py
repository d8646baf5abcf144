"""Order of samples: duplicated and displaced pages, resets of the clock, clipping, idle sleep."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from sleepjax.devices import recordings
from tests.support import actigraph, geneactiv

START = datetime(2024, 7, 1, 21, 30)
RATE, PAGES = 60, 24
"""A page is an epoch: 300 samples in 5 s."""


@pytest.fixture(scope="module")
def arm() -> np.ndarray:
    rng = np.random.default_rng(2)
    angle = np.repeat(rng.uniform(-1, 1, PAGES), 300)
    return np.stack([np.cos(angle), 0 * angle, np.sin(angle)]) + rng.normal(
        0, 0.02, (3, len(angle))
    )


def watch(path, arm, order, shift=lambda page: timedelta(0)):
    """Pages in an order; each with its own time, shifted."""
    text = [geneactiv.header(START, RATE, len(order))]
    for page in order:
        time = START + timedelta(seconds=5 * page) + shift(page)
        text.append(geneactiv.pages(arm[:, 300 * page : 300 * page + 300], RATE, time, page))
    path.write_bytes("".join(text).replace("\n", "\r\n").encode())
    return list(recordings(path))


def test_duplicated_pages_count_once(arm, tmp_path):
    (plain,) = watch(tmp_path / "a.bin", arm, range(PAGES))
    order = [*range(10), 8, 9, *range(10, PAGES), 3]
    (one,) = watch(tmp_path / "a.bin", arm, order)
    assert one.frame.equals(plain.frame) and one.quality["duplicates"] == 900


def test_displaced_pages_are_put_back(arm, tmp_path):
    (plain,) = watch(tmp_path / "a.bin", arm, range(PAGES))
    (one,) = watch(tmp_path / "a.bin", arm, [1, 0, *range(2, 9), 12, 10, 11, 9, *range(13, PAGES)])
    assert one.frame.equals(plain.frame) and one.quality["unsorted"] > 0


@pytest.mark.parametrize("hours", [-7, -24 * 365, 24 * 31])
def test_a_reset_of_the_clock_begins_another_recording(hours, arm, tmp_path):
    shift = lambda page: timedelta(hours=hours * (page >= 12))
    first, second = watch(tmp_path / "a.bin", arm, range(PAGES), shift)
    assert [one.frame["series_id"][0] for one in (first, second)] == ["a_part1", "a_part2"]
    assert first.frame.height == second.frame.height == 12
    assert "the clock was reset: part 1 of 2" in first.quality["notes"][0]


def test_a_gap_is_no_reset(arm, tmp_path):
    shift = lambda page: timedelta(days=3 * (page >= 12))
    (one,) = watch(tmp_path / "a.bin", arm, range(PAGES), shift)
    assert one.quality["gaps"] == 1 and one.quality["gap_seconds"] == pytest.approx(259_200, abs=1)
    assert one.frame.height == PAGES and one.frame["step"][-1] == 3 * 17_280 + PAGES - 1
    assert one.nonwear is not None and one.nonwear[1000:40_000].all()


def test_clipped_epochs_are_not_used(arm, tmp_path):
    knocked = arm.copy()
    knocked[0, 600:750] = 7.9  # half of the third page
    knocked[1, 900] = -7.9
    (one,) = watch(tmp_path / "a.bin", knocked, range(PAGES))
    assert one.frame["enmo"].is_null().to_list() == [i == 2 for i in range(PAGES)]
    assert one.quality["clipped_samples"] == 151 and one.quality["epochs_clipped"] == 1
    assert one.quality["clipped_fraction"] == pytest.approx(151 / (300 * PAGES), abs=1e-6)


def test_a_clock_that_runs_wild_for_a_while(arm, tmp_path):
    """Ten pages whose times are a second apart: ten times too many samples, none of them used."""
    shift = lambda page: timedelta(seconds=-4.5 * (page - 8)) if 8 <= page < 12 else timedelta(0)
    (one,) = watch(tmp_path / "a.bin", arm, range(PAGES), shift)
    assert one.quality["epochs_too_many_samples"] >= 1
    assert one.frame["enmo"].null_count() >= 3


@pytest.mark.parametrize("layout", ["activity", "activity2"])
def test_idle_sleep_of_an_actigraph_is_missing(layout, arm, tmp_path):
    path = tmp_path / "a.gt3x"
    actigraph.write(path, arm, RATE, START, layout=layout, asleep=(30, 60))
    (one,) = recordings(path)
    nulls = one.frame["enmo"].is_null().to_list()
    assert nulls == [6 <= i < 12 for i in range(PAGES)]
    assert one.quality["gaps"] == 1 and one.quality["epochs_without_samples"] == 6


@pytest.mark.parametrize("how", ["zeros", "held"])
def test_idle_sleep_in_a_table_is_missing(how, tmp_path):
    rng = np.random.default_rng(0)
    count = 600 * 30
    xyz = np.array([[0.6], [0.0], [0.8]]) + rng.normal(0, 0.01, (3, count))
    idle = slice(120 * 30, 360 * 30)
    xyz[:, idle] = 0 if how == "zeros" else xyz[:, idle.start - 1 : idle.start]
    time = np.datetime64(START, "us") + (np.arange(count) * 1e6 / 30).astype("timedelta64[us]")
    path = tmp_path / "a.parquet"
    pl.DataFrame({"time": time, **dict(zip("xyz", xyz, strict=True))}).write_parquet(path)
    (one,) = recordings(path, tz="Europe/London")
    assert one.quality[how] == 240 * 30
    present = one.frame.drop_nulls()["step"].to_list()
    assert present == [i for i in range(120) if not 24 <= i < 72]


def test_zeros_between_samples_are_counted_and_not_averaged(tmp_path, arm):
    dropped = arm.copy()
    dropped[:, 5::10] = 0
    time = np.datetime64(START, "us") + (np.arange(arm.shape[1]) * 1e6 / RATE).astype("m8[us]")
    path = tmp_path / "a.parquet"
    pl.DataFrame({"time": time, **dict(zip("xyz", dropped, strict=True))}).write_parquet(path)
    (one,) = recordings(path, tz="Europe/London")
    assert one.quality["zeros"] == arm.shape[1] / 10 and not one.frame["enmo"].null_count()
    norm = np.maximum(np.linalg.norm(arm, axis=0) - 1, 0).reshape(-1, 10)
    wanted = norm[:, [i for i in range(10) if i != 5]].reshape(PAGES, -1).mean(axis=1)
    np.testing.assert_allclose(one.frame["enmo"], wanted, atol=1e-6)
