"""anglez and enmo against the reference, for odd rates, gaps, jitter and any cut into pieces."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.devices import pieces, recordings
from sleepjax.devices.kinds import GENEACTIV
from tests.reference import devices as reference
from tests.support import geneactiv

START = datetime(2024, 3, 5, 22, 0, 3, 500_000)
START_NS = int(np.datetime64(START, "ns").astype(np.int64))


def arm(rng: np.random.Generator, seconds: float, rate: float):
    """(ns, g [3,N]) of an arm that turns and vibrates."""
    time = START_NS + np.round(np.arange(int(seconds * rate)) * 1e9 / rate).astype(np.int64)
    second = (time - START_NS) / 1e9
    knots = np.arange(0, seconds + 10, 4.0)
    angle = np.interp(second, knots, rng.uniform(-1.5, 1.5, len(knots)))
    turn = np.interp(second, knots, rng.uniform(-3, 3, len(knots)))
    gravity = [np.cos(angle) * np.cos(turn), np.cos(angle) * np.sin(turn), np.sin(angle)]
    return time, np.stack(gravity) * rng.normal(1, 0.08, len(time)) + rng.normal(0, 0.01, (3, 1))


def expect(frame: pl.DataFrame, time, xyz, rate) -> None:
    found = reference.epochs(time, xyz, rate)
    first, last = min(found), max(found)
    assert frame["step"].to_list() == list(range(last - first + 1))
    nan = (np.nan, np.nan)
    wanted = np.array([found.get(epoch, nan) for epoch in range(first, last + 1)])
    measured = frame.select(pl.col("anglez", "enmo").fill_null(np.nan)).to_numpy()
    np.testing.assert_allclose(measured[:, 0], wanted[:, 0], atol=2e-4)
    np.testing.assert_allclose(measured[:, 1], wanted[:, 1], atol=2e-6)


def table(path, time, xyz) -> None:
    columns = {"time": time.astype("datetime64[ns]"), "x": xyz[0], "y": xyz[1], "z": xyz[2]}
    pl.DataFrame(columns).write_parquet(path)


@settings(max_examples=10)
@given(
    rate=st.sampled_from([6.25, 10.0, 12.8, 30.0, 50.0, 66.7, 85.7, 100.0, 100.65]),
    seed=st.integers(0, 2**32 - 1),
    gap=st.tuples(st.floats(3, 20), st.floats(0, 12)),
    jitter=st.sampled_from([0.0, 0.3]),
)
def test_any_rate_any_gap(tmp_path_factory, rate, seed, gap, jitter):
    """Not at 12.5 Hz: 62.5 samples in 5 s are a tie, which the rounded ``rate_hz`` may decide."""
    rng = np.random.default_rng(seed)
    time, xyz = arm(rng, 30, rate)
    time = time + np.round(rng.uniform(0, jitter, len(time)) * 1e9 / rate).astype(np.int64)
    time = time // 1_000_000 * 1_000_000  # tables hold ms
    xyz = xyz.astype(np.float32)
    second = (time - START_NS) / 1e9
    keep = (second < gap[0]) | (second >= sum(gap))
    path = tmp_path_factory.mktemp("raw") / "arm.parquet"
    table(path, time[keep], xyz[:, keep])
    (one,) = recordings(path, tz="UTC", units="g")
    assert one.quality["rate_hz"] == pytest.approx(rate, rel=0.06)
    expect(one.frame, time[keep], xyz[:, keep], one.quality["rate_hz"])


@pytest.mark.parametrize("rate, jobs", [(10.0, 1), (66.7, 1), (100.0, 2)])  # a process takes 1 s
def test_a_cut_into_pieces_changes_nothing(rate, jobs, tmp_path, monkeypatch):
    """Not the last bit of a sum either, but the order of a float32 sum."""
    rng = np.random.default_rng(5)
    pages = int(180 * rate) // 300
    _, xyz = arm(rng, 180, rate)
    path = tmp_path / "watch.bin"
    geneactiv.write(path, [xyz[:, : 300 * pages]], rate, START, n_samples=300 * pages)
    (whole,) = recordings(path)
    monkeypatch.setitem(pieces.PIECE_BYTES, GENEACTIV, 12_000)
    (cut,) = recordings(path)
    (helped,) = recordings(path, jobs=jobs)
    assert cut.frame.equals(helped.frame) and cut.quality == helped.quality
    assert whole.frame.drop("anglez", "enmo").equals(cut.frame.drop("anglez", "enmo"))
    for name in ("anglez", "enmo"):
        np.testing.assert_allclose(whole.frame[name], cut.frame[name], rtol=2e-6, atol=1e-6)
    ignored = {"calibration"}  # stillness is looked for inside a piece
    assert {k: v for k, v in whole.quality.items() if k not in ignored} == {
        k: v for k, v in cut.quality.items() if k not in ignored
    }


def test_geneactiv_against_the_reference(tmp_path):
    rng = np.random.default_rng(6)
    _, xyz = arm(rng, 40, 85.7)
    count = 3300
    path = geneactiv.write(tmp_path / "w.bin", [xyz[:, :count]], 85.7, START, n_samples=count)
    import actfast

    table = actfast.read(path)["timeseries"]["high_frequency"]
    acceleration = table.get("acceleration")
    assert acceleration is not None
    (one,) = recordings(path)
    expect(one.frame, table["datetime"], acceleration.T, 85.7)


def test_the_median_ignores_what_lasts_less_than_half_of_it(tmp_path):
    time, _ = arm(np.random.default_rng(0), 30, 50)
    xyz = np.tile(np.array([[0.6], [0.0], [0.8]]), len(time))
    second = (time - START_NS) / 1e9
    xyz[:, (second > 10) & (second < 12)] = np.array([[1.0], [0.0], [0.0]])
    table(tmp_path / "a.parquet", time, xyz)
    (one,) = recordings(tmp_path / "a.parquet", tz="UTC")
    np.testing.assert_allclose(one.frame["anglez"], np.degrees(np.arcsin(0.8)), atol=1e-4)


def test_enmo_is_cut_before_it_is_averaged(tmp_path):
    time, _ = arm(np.random.default_rng(0), 20, 50)
    xyz = np.zeros((3, len(time)))
    xyz[2] = np.where(np.arange(len(time)) % 2, 1.1, 0.9)
    table(tmp_path / "a.parquet", time, xyz)
    (one,) = recordings(tmp_path / "a.parquet", tz="UTC")
    np.testing.assert_allclose(one.frame["enmo"][:3], 0.05, atol=1e-6)
