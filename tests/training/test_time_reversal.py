"""Time reversal: labels and features of a reversed window are those of the reversed recording."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import features as features_of_data
from sleepjax.data import windows
from sleepjax.data.labels import make_labels
from sleepjax.data.recording import Recording
from sleepjax.training import augment
from sleepjax.types import EVENTS, STEPS_PER_DAY, SeriesMeta
from tests.support.augment import FEATURES, KEY, STEPS, maker, marked_batch


@st.composite
def nights(draw):
    """(rows of onset and wakeup, frame length) of a recording of 240 steps."""
    edges = draw(st.lists(st.integers(1, 29), min_size=2, max_size=8))
    rows = np.cumsum(edges[: len(edges) // 2 * 2]).reshape(-1, 2)
    return rows, draw(st.sampled_from([1, 5, 12]))


def window_of(rows, n_steps, downsample):
    """The batch of one window over a whole recording, x being the row of each step."""
    listed = [(i, e, s) for i, night in enumerate(rows) for e, s in zip(EVENTS, night, strict=True)]
    events = pl.DataFrame(listed, ["night", "event", "step"], orient="row")
    labels = make_labels(events.with_columns(series_id=pl.lit("a")), n_steps)
    meta = SeriesMeta("a", n_steps, 0, 0, ((0, 0),), {})
    x = np.arange(n_steps, dtype=np.float32)
    one = Recording(meta, np.ones(n_steps, bool), features={"x": x}, labels=labels)
    return windows.gather_batch([(one, 0)], n_steps, downsample)


REVERSE = jax.jit(partial(augment.time_reversal, mirror=augment.Mirror(["anglez"])))
ALL_OF = lambda batch: jnp.ones(len(batch["mask"]), bool)


@given(nights())
def test_a_reversed_window_has_the_labels_of_the_reversed_recording(recording):
    (rows, downsample), n_steps = recording, 240
    batch = window_of(rows, n_steps, downsample)
    back = jax.device_get(REVERSE(batch, ALL_OF(batch)))
    # An event is the border before its step: a row r of n becomes the row n - r.
    turned = n_steps - rows[::-1, ::-1]
    expected = window_of(turned, n_steps, downsample)
    np.testing.assert_array_equal(back["x"], n_steps - 1 - expected["x"])
    np.testing.assert_allclose(back["asleep"], expected["asleep"], atol=1e-6)
    centre = np.arange(n_steps // downsample) * downsample + (downsample - 1) / 2
    for k in (0, 1):
        each = centre[:, None] - turned[:, k]  # signed distances to all events of the class
        found = back["distance"][0, :, k]
        assert (each == found[:, None]).any(axis=1).all()
        # The nearest event is that of the frame's first step, and the earlier of two at equal
        # distance: reversed, the last step and the later one.
        assert (np.abs(found) <= np.abs(each).min(axis=1) + downsample + 1).all()


def test_reversing_twice_is_the_identity():
    batch = marked_batch()
    batch["distance"][0] = 1e6 + 5.5
    mirror = augment.Mirror(FEATURES)
    flip = jax.jit(lambda b: augment.time_reversal(b, ALL_OF(b), mirror))
    twice = flip(flip(batch))
    for name in ("asleep", "distance", "mask"):
        np.testing.assert_array_equal(twice[name], batch[name])
    np.testing.assert_allclose(twice["x"], batch["x"], rtol=1e-6, atol=0.02)


def test_only_some_samples_are_reversed_and_whole():
    batch = marked_batch(samples=64)
    out = maker(reverse=0.25)(batch, KEY)
    turned = np.asarray(out["x"][:, 0, 0] != batch["x"][:, 0, 0])
    assert 6 <= turned.sum() <= 26
    for name in batch:
        np.testing.assert_array_equal(out[name][~turned], batch[name][~turned])
    np.testing.assert_array_equal(out["mask"][turned], batch["mask"][turned, ::-1])


def test_a_window_that_is_longer_than_its_recording_is_not_reversed():
    """Its zeros would come first, where no model takes them for padding."""
    batch = marked_batch()
    batch["x"][2, 2000:] = 0
    out = maker(reverse=1.0)(batch, KEY)
    for name in batch:
        np.testing.assert_array_equal(out[name][2], batch[name][2])
    np.testing.assert_array_equal(out["mask"][3], batch["mask"][3, ::-1])


def test_the_reversed_clock_runs_forwards_and_an_onset_becomes_a_usual_wakeup():
    hours = 20 + np.arange(STEPS) / 720  # a little more than three hours
    angle = 2 * math.pi * hours / 24
    x = np.stack([np.sin(angle), np.cos(angle)], axis=-1)[None].astype(np.float32)
    back = np.asarray(augment.Mirror(["hour_sin", "hour_cos"])(jnp.asarray(x[:, ::-1])))[0]
    np.testing.assert_allclose(np.hypot(*back.T), 1, atol=1e-5)
    phase = np.unwrap(np.arctan2(*back.T))
    np.testing.assert_allclose(np.diff(phase), 2 * math.pi / STEPS_PER_DAY, atol=1e-5)
    at_onset = int(round((22 + 22 / 60 - 20) * 720))
    hour = phase[STEPS - 1 - at_onset] * 24 / (2 * math.pi) % 24
    assert hour == pytest.approx(7 + 3 / 60, abs=0.02)


def test_reversal_knows_every_feature():
    names = list(features_of_data.FEATURES)
    mirror = augment.Mirror(names)
    x = np.random.default_rng(0).random((5, len(names))).astype(np.float32)
    back = np.asarray(mirror(jnp.asarray(x)))
    still = [k for k, name in enumerate(names) if not name.startswith(("hour", "step"))]
    np.testing.assert_allclose(back[:, still], x[:, still], atol=1e-6)
    step = names.index("step")
    np.testing.assert_allclose(back[:, step], 1 - x[:, step], atol=1e-6)
