"""Mixed samples bring their labels; nothing depends on how a batch is spread or divided."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from sleepjax import objectives
from sleepjax.objectives import losses
from sleepjax.parallel import sharding
from sleepjax.training import augment
from sleepjax.training.state import init_state
from sleepjax.training.step import train_step
from sleepjax.types import InputError
from tests.support.augment import (
    DOWNSAMPLE,
    FEATURES,
    KEY,
    SAMPLES,
    STEPS,
    made,
    maker,
    marked_batch,
)

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

    with pytest.raises(InputError, match="augment.mixup=2.0 must be at least 0 and at most 1"):
        loop.run(tiny_config({"augment.mixup": 2.0}), tmp_path)
