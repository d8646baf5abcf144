"""Labels move with the signal, and nothing depends on how a batch is spread or divided."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import polars as pl
import pytest
from flax import linen as nn
from hypothesis import given
from hypothesis import strategies as st

from sleepjax import objectives
from sleepjax.data import features as features_of_data
from sleepjax.data import windows
from sleepjax.data.labels import make_labels
from sleepjax.data.recording import Recording
from sleepjax.objectives import losses
from sleepjax.parallel import sharding
from sleepjax.training import augment
from sleepjax.training.state import init_state
from sleepjax.training.step import train_step
from sleepjax.types import EVENTS, STEPS_PER_DAY, InputError, SeriesMeta

FEATURES = ("anglez", "enmo", "hour_sin", "hour_cos", "repeat", "step")
DOWNSAMPLE, STEPS, SAMPLES = 4, 2400, 8
KEY = jax.random.key(3)


def maker(**changes: Any) -> augment.Augment:
    return jax.jit(made(**changes))


def made(**changes: Any) -> augment.Augment:
    base: dict[str, Any] = dict(
        features=FEATURES, duration=STEPS, downsample=DOWNSAMPLE, loss="segmentation"
    )
    return augment.make(**(base | changes))


def marked_batch(samples=SAMPLES, steps=STEPS):
    """Every value says which sample and step it is of: x[b,t,:] = 10,000 b + t."""
    frames = steps // DOWNSAMPLE
    step = np.arange(steps)[None] + 10_000 * np.arange(samples)[:, None]
    centre = step[:, ::DOWNSAMPLE].astype(np.float32)
    rng = np.random.default_rng(0)
    return {
        "x": np.repeat(step[..., None], len(FEATURES), axis=2).astype(np.float32),
        "asleep": centre,
        "distance": np.stack([centre, -centre], axis=-1),
        "mask": (rng.random((samples, frames)) < 0.9).astype(np.float32),
    }


# ---- time reversal


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
    labels = make_labels(events, n_steps)
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


# ---- cutmix


def pieces(out):
    """(sample of each step [B,T], sample of each frame by its labels [B,T'])."""
    return np.asarray(out["x"][..., 0]) // 10_000, np.asarray(out["asleep"]) // 10_000


def test_a_piece_brings_its_own_labels():
    batch = marked_batch(samples=32)
    out = maker(cutmix=0.5)(batch, KEY)
    of_x, of_labels = pieces(out)
    np.testing.assert_array_equal(of_x, np.repeat(of_labels, DOWNSAMPLE, axis=1))
    np.testing.assert_array_equal(out["distance"][..., 0], out["asleep"])
    np.testing.assert_array_equal(out["asleep"] % 10_000, batch["asleep"] % 10_000)  # same place
    own = np.arange(32)[:, None]
    foreign = of_labels != own
    assert ((of_labels == own) | (of_labels == (own + 1) % 32)).all()
    assert 6 <= foreign.any(axis=1).sum() <= 26
    whole = ~foreign.any(axis=1)
    np.testing.assert_array_equal(out["mask"][whole], batch["mask"][whole])


def test_frames_near_a_seam_are_masked_and_no_others():
    batch = marked_batch(samples=32)
    out = maker(cutmix=1.0)(batch, KEY)
    of_x, of_labels = pieces(out)
    mask, n_masked = np.asarray(out["mask"]), 0
    for b in range(32):
        seams = np.flatnonzero(np.diff(of_x[b])) + 0.5
        centre = np.arange(mask.shape[1]) * DOWNSAMPLE + (DOWNSAMPLE - 1) / 2
        near = (np.abs(centre[:, None] - seams) < augment.SEAM).any(axis=1)
        source = batch["mask"][of_labels[b].astype(int), np.arange(mask.shape[1])]
        np.testing.assert_array_equal(mask[b], np.where(near, 0, source))
        n_masked += near.sum()
    assert n_masked > 100


# ---- mixup


def test_the_loss_of_a_mixture_is_the_loss_on_mixed_targets():
    rng = np.random.default_rng(1)
    frames = STEPS // DOWNSAMPLE
    batch: Any = marked_batch() | {
        "asleep": rng.random((SAMPLES, frames)).astype(np.float32),
        "distance": rng.integers(-60, 60, (SAMPLES, frames, 2)).astype(np.float32),
    }
    batch = jax.tree.map(jnp.asarray, batch)
    out = maker(mixup=0.6)(batch, KEY)
    ids = np.asarray(out["x"][:, 0, 0]) / 10_000  # w b + (1 - w) (b + 1 mod B)
    own = np.arange(SAMPLES)
    partner = (own + 1) % SAMPLES
    weight = (ids - partner) / (own - partner)
    mixed = weight < 1
    assert 2 <= mixed.sum() < SAMPLES
    np.testing.assert_array_equal(out["x"][~mixed], batch["x"][~mixed])

    logits = jnp.asarray(rng.normal(size=(SAMPLES, frames, 3)), jnp.float32)
    objective = objectives.make(
        "segmentation", downsample=DOWNSAMPLE, sigma=20.0, weights=(1, 2, 3)
    )
    found = augment.mixed_loss(objective, (logits, {}), out, jnp.asarray(0))
    targets = losses.gaussian_targets(batch["asleep"], batch["distance"], 20.0)
    w = jnp.asarray(weight[:, None, None], jnp.float32)
    targets = w * targets + (1 - w) * targets[partner]
    both = np.where(mixed[:, None], batch["mask"] * batch["mask"][partner], batch["mask"])
    expected = losses.masked_bce(logits, targets, jnp.asarray(both), (1, 2, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    plain = augment.mixed_loss(objective, (logits, {}), batch, jnp.asarray(0))
    np.testing.assert_allclose(plain, objective.loss((logits, {}), batch, jnp.asarray(0)))


def test_the_watch_is_mixed_with_masks_of_its_own():
    """worn adds the loss on both samples' labels, where both are known."""
    rng = np.random.default_rng(2)
    frames = STEPS // DOWNSAMPLE
    flags = lambda: (rng.random((SAMPLES, frames)) < 0.5).astype(np.float32)
    batch: Any = marked_batch() | {"worn": flags(), "worn_mask": flags()}
    batch |= {"mask": np.zeros_like(batch["mask"]), "distance": np.zeros((SAMPLES, frames, 2))}
    batch["asleep"] = batch["worn"]
    batch = jax.tree.map(lambda values: jnp.asarray(values, jnp.float32), batch)
    out = maker(mixup=0.6)(batch, KEY)
    ids = np.asarray(out["x"][:, 0, 0]) / 10_000
    own = np.arange(SAMPLES)
    partner = (own + 1) % SAMPLES
    weight = ((ids - partner) / (own - partner)).astype(np.float32)
    logits = jnp.asarray(rng.normal(size=(SAMPLES, frames, 4)), jnp.float32)
    objective = objectives.make(
        "segmentation", downsample=DOWNSAMPLE, sigma=20.0, weights=(1, 2, 3), worn=2.0
    )
    found = augment.mixed_loss(objective, (logits, {}), out, jnp.asarray(0))
    targets = weight[:, None] * batch["worn"] + (1 - weight[:, None]) * batch["worn"][partner]
    mixed = (weight < 1)[:, None]
    both = np.where(mixed, batch["worn_mask"] * batch["worn_mask"][partner], batch["worn_mask"])
    expected = losses.masked_bce(
        logits[..., 3:], jnp.asarray(targets)[..., None], jnp.asarray(both), (2.0,)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


# ---- all of it


ALL = dict(reverse=0.5, cutmix=0.5, mixup=0.5)


class Linear(nn.Module):
    """The mean of each frame through one dense layer: the smallest model of the right shape."""

    @nn.compact
    def __call__(self, x, *, train: bool):
        b, t, f = x.shape
        return nn.Dense(3)(x.reshape(b, -1, DOWNSAMPLE, f).mean(axis=2)), {}


def test_parts_and_devices_do_not_change_an_augmented_step():
    if jax.device_count() < 4:
        pytest.skip("needs four devices")
    rng = np.random.default_rng(2)
    frames = STEPS // DOWNSAMPLE
    batch: Any = {
        "x": rng.normal(size=(SAMPLES, STEPS, len(FEATURES))).astype(np.float32),
        "asleep": rng.random((SAMPLES, frames)).astype(np.float32),
        "distance": rng.integers(-60, 60, (SAMPLES, frames, 2)).astype(np.float32),
        "mask": (rng.random((SAMPLES, frames)) < 0.8).astype(np.float32),
    }
    model = Linear()
    tx = optax.with_extra_args_support(optax.sgd(1e-2))
    objective = objectives.make(
        "segmentation", downsample=DOWNSAMPLE, sigma=20.0, weights=(1, 2, 2)
    )
    state = init_state(KEY, jnp.asarray(batch["x"]), model=model, tx=tx, ema=0.0)
    replicated, by_batch = sharding.shardings(sharding.data_mesh())

    def updated(accumulate, here):
        calls = []
        traced = lambda batch, key: calls.append(key) or made(**ALL)(batch, key)
        step: Any = jax.jit(
            lambda s, b: train_step(
                s, b, KEY, model=model, tx=tx, objective=objective, augment=traced,
                accumulate=accumulate, ema=0.0, spike=10.0,
            )
        )  # fmt: skip
        new, metrics = step(*here)
        assert len(calls) == 1
        return metrics["loss"], new.params

    on_four = (jax.device_put(state, replicated), sharding.to_global(batch, by_batch))
    close = lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)
    jax.tree.map(close, updated(1, (state, batch)), updated(2, on_four))


def test_switched_off_is_no_augmentation():
    assert made() is augment.unchanged
    batch = marked_batch()
    assert augment.unchanged(batch, KEY) is batch


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(mixup=1.5), "augment.mixup=1.5 must lie between 0 and 1"),
        (dict(reverse=0.5, duration=2401), "data.duration=2401 a multiple of data.downsample=4"),
        (dict(cutmix=0.5, loss="centernet"), "must be 0 with loss.name='centernet'"),
        (dict(reverse=0.5, features=("anglez", "hour_sin")), "needs both of hour_sin and hour_cos"),
        (dict(reverse=0.5, features=("anglez", "lid")), "how to reverse ['lid']"),
    ],
)
def test_settings_that_cannot_be_used(changes, message):
    with pytest.raises(InputError) as error:
        made(**changes)
    assert message in str(error.value)


def test_a_run_refuses_an_augmentation_that_cannot_be(tiny_config, tmp_path):
    from sleepjax.training import loop

    with pytest.raises(InputError, match="augment.mixup=2.0 must lie between 0 and 1"):
        loop.run(tiny_config({"augment.mixup": 2.0}), tmp_path)
