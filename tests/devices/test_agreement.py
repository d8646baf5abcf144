"""Agreement with independent implementations on real files: wristpy, pygt3x, scikit-digital-health.

The values were computed once by tests/reference/wristpy_values.py and skdh_values.py. enmo has one
definition, so only rounding differs. anglez differs where the arm moves: wristpy takes the angle of
every sample, GGIR and we that of medians over five seconds. Where the arm is at rest the median of
noise and its mean are the same within a fraction of a degree.
"""

import json
from functools import cache

import numpy as np
import polars as pl
import pytest

from sleepjax.devices import recordings
from sleepjax.devices.kinds import AXIVITY, GT3X
from sleepjax.devices.pieces import cut
from sleepjax.devices.samples import decode
from tests.support.devices import device_file
from tests.support.project import PROJECT

ENMO = 2e-6
"""g: sums of float32, rounded to 7 digits."""
AT_REST = 0.5
"""Degrees, where enmo is below 20 mg and the angle is within 1 degree of those beside it."""


@cache
def known() -> dict:
    return json.loads((PROJECT / "tests" / "reference" / "wristpy.json").read_text())


@cache
def axivity() -> dict:
    return json.loads((PROJECT / "tests" / "reference" / "skdh.json").read_text())


@pytest.mark.parametrize("name", sorted(known()["epochs"]))
def test_epochs_of_wristpy(name):
    theirs = pl.DataFrame(known()["epochs"][name]).rename({"enmo": "e", "anglez": "a"})
    (one,) = recordings(device_file(name))
    assert not one.quality["calibration"]["applied"]
    ours = one.frame.with_columns(time=pl.col("timestamp").str.slice(0, 19)).drop_nulls()
    both = ours.join(theirs, on="time", how="inner", maintain_order="left")
    assert both.height == ours.height  # wristpy keeps epochs of a few samples, we do not
    np.testing.assert_allclose(both["enmo"], both["e"], atol=ENMO)
    turn = np.abs(np.diff(both["a"].to_numpy(), prepend=np.nan, append=np.nan))
    with np.errstate(invalid="ignore"):
        rest = (both["enmo"] < 0.02).to_numpy() & (turn[1:] < 1) & (turn[:-1] < 1)
    apart = np.abs(both["anglez"].to_numpy() - both["a"].to_numpy())
    assert apart[rest].max(initial=0) < AT_REST and np.median(apart) < 6
    moving = {"Not_a_GENEActiv_bin_file.bin", "example_actigraph.gt3x"}
    assert rest.any() != (name in moving)


@pytest.mark.parametrize("name", sorted(known()["minutes"]))
def test_raw_samples_of_pygt3x(name, tmp_path):
    """Both layouts of records; minutes that idle sleep interrupts are filled by pygt3x."""
    theirs = known()["minutes"][name]
    (piece,) = cut(device_file(name), GT3X, False, tmp_path, lenient=False).pieces
    samples = decode(piece, tmp_path, lenient=False)
    rate = 30 if name == "small.gt3x" else 60
    minute = samples.time // 60_000_000_000
    whole = [m for m in theirs["minute"] if (minute == m).sum() == 60 * rate]
    assert len(whole) > (150 if name == "small.gt3x" else 0)
    rows = [theirs["minute"].index(m) for m in whole]
    for axis, values in zip("xyz", samples.xyz, strict=True):
        ours = [values[minute == m].mean(dtype=np.float64) for m in whole]
        np.testing.assert_allclose(ours, np.array(theirs[axis])[rows], atol=1e-3)


@pytest.mark.parametrize("name", sorted(axivity()))
def test_axivity_files_of_skdh(name, tmp_path):
    """The same samples; their times differ by a few ms, so some fall into the second beside."""
    theirs = axivity()[name]
    pieces = cut(device_file(name), AXIVITY, False, tmp_path, lenient=False).pieces
    parts = [decode(piece, tmp_path, lenient=False) for piece in pieces]
    second = np.concatenate([part.time for part in parts]) // 1_000_000_000
    assert len(second) == theirs["samples"]
    for axis, values in zip("xyz", np.concatenate([p.xyz for p in parts], axis=1), strict=True):
        ours = [values[second == s].mean(dtype=np.float64) for s in theirs["second"]]
        apart = np.abs(np.array(ours) - theirs[axis])
        assert np.median(apart) < 0.002 and apart.max() < 0.02  # g, while the arm moves


@pytest.mark.parametrize("name", sorted(axivity()))
def test_epochs_of_skdh(name):
    """Its angle is that of one median, ours the mean of those of medians that roll."""
    theirs = axivity()[name]
    (one,) = recordings(device_file(name), tz="Europe/London")
    assert not one.quality["calibration"]["applied"]
    utc = pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%z").dt.epoch("s")
    ours = one.frame.drop_nulls().select("enmo", "anglez", epoch=utc)
    both = ours.join(
        pl.DataFrame({"epoch": theirs["epoch"], "e": theirs["enmo"], "a": theirs["anglez"]}),
        on="epoch", maintain_order="left",
    )  # fmt: skip
    assert both.height == len(theirs["epoch"]) >= 20
    np.testing.assert_allclose(both["enmo"], both["e"], atol=1e-3)
    apart = np.abs((both["anglez"] - both["a"]).to_numpy())
    assert np.median(apart) < 3 and apart[both["enmo"].to_numpy() < 0.03].max() < 2
