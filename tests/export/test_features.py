"""What a program computes of signals is what sleepjax computes of recordings."""

from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.data import features, rest
from sleepjax.data.repair import filled
from sleepjax.data.windows import eval_starts
from sleepjax.export import features as exported
from sleepjax.export import program
from sleepjax.inference import Windowing
from sleepjax.postprocess.stitch import latest, stitch
from sleepjax.types import STEPS_PER_DAY, SeriesMeta

START = 1_700_000_000
T = STEPS_PER_DAY + 3000


def signals_of(seed: int, steps: int) -> np.ndarray:
    """anglez and enmo float32 [2,T] with rest, turns, gaps, and a day that repeats in places."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(-80, 80, steps // 60 + 1), 60)[:steps]
    still = np.repeat(rng.random(steps // 3000 + 1) < 0.4, 3000)[:steps]
    anglez = np.where(still, level[0], level) + rng.normal(0, 0.5, steps)
    enmo = rng.exponential(np.where(still, 0.002, 0.05))
    both = np.stack([anglez, enmo]).astype(np.float32).round(rng.integers(1, 4))
    both[:, rng.random(steps) < 0.01] = np.nan
    first = int(rng.integers(0, max(steps - 200, 1)))
    both[rng.integers(0, 2), first : first + int(rng.integers(1, 200))] = np.nan
    if steps > STEPS_PER_DAY:
        both[:, STEPS_PER_DAY + 500 : STEPS_PER_DAY + 1500] = both[:, 500:1500]
    return both


@pytest.fixture(scope="module")
def rested():
    return jax.jit(exported.at_rest)


@given(seed=st.integers(0, 2**32 - 1))
def test_rest_is_that_of_the_repairs(rested, seed):
    anglez = signals_of(seed, 9000)[0]
    np.testing.assert_array_equal(rested(anglez[None])[0], rest.at_rest(anglez))


@pytest.fixture(scope="module")
def all_features():
    def computed(clock, anglez, enmo):
        rows = exported.checked(clock, anglez, enmo)
        return rows.valid, exported.stacked(rows, tuple(exported.FEATURES))

    return jax.jit(computed)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_feature_is_that_of_the_store(all_features, seed):
    both = signals_of(seed, T)
    meta = SeriesMeta("a", T, 0, START, ((0, 3600), (T // 2, 7200)), {})
    valid = np.isfinite(both).all(axis=0) & ~rest.at_rest(both[0])
    recording = filled(meta, both, valid)
    clock = (recording.clock - exported.EPOCH).astype(np.int32)
    found_valid, found = all_features(clock[None], both[:1], both[1:])
    np.testing.assert_array_equal(found_valid[0], valid)
    wanted = features.compute(recording, tuple(features.FEATURES))
    for i, name in enumerate(features.FEATURES):
        np.testing.assert_allclose(found[0, :, i], wanted[:, i], atol=2e-5, err_msg=name)


def test_no_feature_is_forgotten():
    assert exported.FEATURES.keys() == features.FEATURES.keys()


def test_a_broken_sensor_and_impossible_values_are_masked():
    steps = np.arange(2000)
    clock, anglez = steps.astype(np.int32)[None], (steps % 90).astype(np.float32)[None]
    enmo = np.full((1, 2000), 0.02, np.float32)
    assert not exported.checked(clock, anglez, enmo).valid.any()
    enmo[0, ::2], enmo[0, 7], anglez[0, 9] = 0.03, 20.0, np.inf
    valid = exported.checked(clock, anglez, enmo).valid[0]
    assert np.flatnonzero(~np.asarray(valid)).tolist() == [7, 9]


CUT = dict(downsample=1, batch_size=1)
HOWS = {
    "stitched": Windowing(duration=20, stride=7, trim=3, **CUT),
    "touching": Windowing(duration=20, stride=20, trim=0, **CUT),
    "latency": Windowing(duration=20, stride=4, trim=0, latency=6, **CUT),
}


@pytest.mark.parametrize("length", [3, 20, 21, 33, 34, 41])
@pytest.mark.parametrize("name", HOWS)
def test_windows_are_cut_and_put_together_as_in_prediction(name, length):
    how = HOWS[name]
    x = np.random.default_rng(length).random((2, length, 3), np.float32) + 1
    starts = program.first_rows(length, how)
    wanted = eval_starts(length, how.duration, how.stride, how.latency)
    np.testing.assert_array_equal(starts, wanted)
    windows, shape = program.cut(x, starts, how)
    assert windows.shape == (2 * len(wanted), 20, 3) and shape == (2, len(wanted))
    for k, start in enumerate(wanted):
        part = x[1, max(start, 0) : min(start + 20, length)]
        own = np.zeros((20, 3), np.float32)
        own[: len(part)] = part
        np.testing.assert_array_equal(windows[len(wanted) + k], own)
    found = np.random.default_rng(1).random((2, len(wanted), 20, 3), np.float32)
    if how.latency:
        other = partial(latest, stride=how.stride, latency=how.latency)
        put = program.latest(found, starts, length, how)
    else:
        other, put = partial(stitch, trim=how.trim), program.stitched(found, starts, length, how)
    np.testing.assert_allclose(put[1], other(found[1], wanted, length), atol=1e-6)
