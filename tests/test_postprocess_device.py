"""The JAX peaks against the host's."""

import numpy as np
import pytest

from sleepjax.postprocess import find_peaks
from sleepjax.postprocess.device import peak_mask
from sleepjax.types import InputError


@pytest.mark.parametrize("distance", [None, 1.5, 7, 1000])
@pytest.mark.parametrize("height", [None, 0.5])
def test_equals_the_host(height, distance):
    rng = np.random.default_rng(0)
    rough = rng.random((4, 300), np.float32)
    tied = np.round(rough * 4) / 4
    ramp = np.linspace(0, 1, 300, dtype=np.float32) + np.tile([0, 0.01], 150).astype(np.float32)
    broken = np.where(rng.random((2, 300)) < 0.1, np.nan, tied[:2]).astype(np.float32)
    x = np.concatenate([rough, tied, ramp[None], ramp[None, ::-1], broken])
    got = np.argwhere(np.asarray(peak_mask(x, height, distance)))
    np.testing.assert_array_equal(got, find_peaks(x, height, distance))


def test_one_signal_and_bad_arguments():
    x = np.array([0, 1, 1, 0, 2, 0], np.float32)
    assert np.flatnonzero(peak_mask(x, distance=4)).tolist() == [4]
    assert np.flatnonzero(peak_mask(x, distance=3)).tolist() == [1, 4]
    with pytest.raises(InputError, match="distance=0"):
        peak_mask(x, distance=0)
