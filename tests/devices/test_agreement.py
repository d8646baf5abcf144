"""Agreement with independent implementations on real files: wristpy, and pygt3x for raw samples.

The values were computed once by tests/reference/wristpy_values.py. enmo has one definition, so only
rounding differs. anglez differs where the arm moves: wristpy takes the angle of every sample, GGIR
and we that of medians over five seconds. Where the arm is at rest the median of noise and its mean
are the same within a fraction of a degree.
"""

import json
from functools import cache

import numpy as np
import polars as pl
import pytest

from sleepjax.devices import recordings
from sleepjax.devices.decode import decode
from sleepjax.devices.kinds import GT3X
from sleepjax.devices.pieces import cut
from tests.support.devices import device_file
from tests.support.project import PROJECT

ENMO = 2e-6
"""g: sums of float32, rounded to 7 digits."""
AT_REST = 0.5
"""Degrees, where enmo is below 20 mg and the angle is within 1 degree of those beside it."""


@cache
def known() -> dict:
    return json.loads((PROJECT / "tests" / "reference" / "wristpy.json").read_text())


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
