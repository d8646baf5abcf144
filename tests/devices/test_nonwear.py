"""GGIR's non-wear rule against the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.devices.nonwear import nonwear, plausible
from tests.reference import devices as reference


@given(
    runs=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    first=st.booleans(),
)
def test_plausibility(runs, first):
    still = np.repeat([bool(i % 2) ^ first for i in range(len(runs))], runs)
    assert plausible(still).tolist() == reference.plausible(still.tolist())


@given(
    levels=st.lists(st.sampled_from([0.001, 0.012, 0.014, 0.06]), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_rule(levels, seed):
    rng = np.random.default_rng(seed)
    spread = np.array(levels)[:, None] * rng.choice([0.3, 1.0, 1.0], (len(levels), 3))
    blocks = [rng.normal(0.3, sd[:, None], (3, 20)) for sd in spread]
    low = np.stack([block.min(axis=1) for block in blocks], axis=1)
    high = np.stack([block.max(axis=1) for block in blocks], axis=1)
    moments = np.stack(
        [
            np.stack([np.full(3, 20.0), block.sum(axis=1), (block**2).sum(axis=1)])
            for block in blocks
        ],
        axis=2,
    )
    assert nonwear(low, high, moments).tolist() == reference.nonwear(blocks)


def test_a_range_without_spread_is_wear():
    """One knock of 0.2 g in an hour: the watch was touched."""
    low, high = np.full((3, 40), 0.3), np.full((3, 40), 0.3)
    moments = np.tile(np.array([4500.0, 1350.0, 405.0])[:, None, None], (1, 3, 40))
    assert nonwear(low, high, moments).all()
    high[:, 3::4] = 0.5
    assert not nonwear(low, high, moments).any()


def test_without_samples_nobody_wore_it():
    low, high, moments = np.full((3, 8), np.inf), np.full((3, 8), -np.inf), np.zeros((3, 3, 8))
    low[:, :4], high[:, :4] = -1, 1
    moments[:, :, :4] = np.array([4500.0, 0.0, 4500.0])[:, None, None]
    assert nonwear(low, high, moments).tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize("hours, worn", [(2, False), (7, True)])
def test_short_wear_between_long_rest_is_a_parcel_that_was_moved(hours, worn):
    still = np.array([True] * 40 + [False] * 4 * hours + [True] * 40 + [False] * 200)
    assert plausible(still)[40] != worn
