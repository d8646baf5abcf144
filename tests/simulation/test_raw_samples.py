"""Raw samples of a simulated arm become the recording that they were made from."""

import numpy as np
import polars as pl
import pytest

from sleepjax.commands.simulate import main
from sleepjax.devices import recordings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("raw") / "cohort"
    assert main(["--out", str(out), "--series", "1", "--days", "1", "--raw_hz", "10"]) == 0
    return out


def test_the_way_back(folder):
    paths = sorted((folder / "raw").iterdir())
    assert len(paths) == 3
    made = pl.read_parquet(folder / "test_series.parquet")
    (one,) = recordings(paths[0])
    given = made.filter(series_id=paths[0].stem)
    both = one.frame.join(given, on="timestamp", suffix="_made")
    assert both.height == given.height  # the same moments, daylight saving or not
    calibration = one.quality["calibration"]
    assert calibration["applied"] and calibration["error_after_g"] < 0.002
    np.testing.assert_allclose(calibration["scale"], [1.02, 0.985, 1.01], atol=2e-3)
    np.testing.assert_allclose(calibration["offset_g"], [0.02, -0.015, 0.03], atol=2e-3)
    apart = {n: np.abs((both[n] - both[f"{n}_made"]).to_numpy()) for n in ("anglez", "enmo")}
    assert (
        np.median(apart["anglez"]) < 1.5
    )  # the arm turns at once in the one, over 5 s in the other
    noise = 0.002  # 3 mg of noise, cut at 0
    assert np.quantile(apart["enmo"], 0.9) < 0.004 + noise
    assert np.corrcoef(both["enmo"], both["enmo_made"])[0, 1] > 0.97  # 50 samples of a vibration


def test_a_rate_that_no_watch_has(folder, capsys):
    command = ["--out", str(folder), "--series", "1", "--days", "1", "--raw_hz", "1000"]
    assert main(command) == 2
    assert "raw_hz=1000 must be between 5 and 200" in capsys.readouterr().err
