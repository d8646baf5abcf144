"""The models that the tests of `sleepjax.models` go through: tiny ones that use every part."""

import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from sleepjax import models
from sleepjax.models.detr import FLAG_BIAS
from sleepjax.models.head import CLASS_BIAS

DOWNSAMPLE, FEATURES, STEPS, REAL = 4, 3, 403, 301
FRAMES, REAL_FRAMES = math.ceil(STEPS / DOWNSAMPLE), math.ceil(REAL / DOWNSAMPLE)
SEGMENTATION = dict(name="segmentation", sigma=20.0, weights=(1.0, 1.0, 1.0))


def cnn(**settings):
    return dict(name="cnn", height=8, kernels=(8,)) | settings


def unet(**settings):
    return dict(name="unet1d", widths=(8, 16), norm="layer") | settings


def member(
    name="spec1d",
    *,
    reach=0,
    atol=1e-5,
    loss=SEGMENTATION,
    low=0.3,
    outputs=(FRAMES, 3),
    first=CLASS_BIAS,
    silent=16,
    masked=True,
    **settings,
):
    """A model with what is expected of it.

    ``reach``: frames before the padding that it changes by more than ``atol``; ``low``: the loss
    that it gets below on one batch; ``outputs``: their shape per window, and ``first`` the mean of
    the first three before training; ``silent``: steps that its convolutions reach into the padding;
    ``masked``: whether it has context that a mask cuts.
    """
    return SimpleNamespace(
        name=name, settings=settings, reach=reach, atol=atol, loss=loss, low=low, outputs=outputs,
        first=first, silent=silent, masked=masked,
    )  # fmt: skip


MEMBERS = {
    "spec1d": member(extractor=cnn(), decoder=unet(), reach=12, masked=False),
    "spec2d": member(
        "spec2d",
        extractor=cnn(),
        unet2d=dict(depths=(1,), width=4),
        decoder=unet(),
        reach=60,
        masked=False,
    ),
    "panns, tcn": member(
        extractor=dict(name="panns", height=8, kernels=(8,)),
        decoder=dict(name="tcn", width=16, depth=3, norm="layer"),
        reach=9,
        masked=False,
    ),
    "lstm, mlp": member(
        extractor=dict(name="lstm", height=8, depth=1), decoder=dict(name="mlp", width=16, depth=2)
    ),
    "spec, lstm": member(
        extractor=dict(name="spec", height=8), decoder=dict(name="lstm", width=8, depth=1), reach=2
    ),
    "mingru": member(extractor=cnn(), decoder=dict(name="mingru", width=16, depth=1), reach=1),
    "transformer": member(
        extractor=cnn(), decoder=dict(name="transformer", width=16, depth=1, patch=3), reach=1
    ),
    "transformer_cnn": member(
        extractor=cnn(), decoder=dict(name="transformer_cnn", width=16, depth=1), reach=3
    ),
    "encoder": member(
        "transformer", width=16, depth=1, heads=2, window=12, kernel=8, reach=1, atol=1e-4
    ),
    "centernet": member(
        "centernet",
        extractor=cnn(),
        decoder=unet(se=True, residual=True, upsample="linear"),
        reach=16,
        atol=0.06,  # the mean over the window sees the frames at its edge
        loss=dict(name="centernet", sigma=20.0, weights=(1.0, 1.0, 1.0, 0.1)),
        low=1.5,
        outputs=(FRAMES, 7),
    ),
    "detr": member(
        "detr",
        extractor=cnn(),
        queries=3,
        width=16,
        depth=1,
        heads=2,
        levels=2,
        norm="layer",
        low=1.5,
        outputs=(3, 5),
        first=FLAG_BIAS,
        silent=40,
        loss=dict(name="detr", sigma=20.0, weights=(1.0, 1.0, 1.0)),
    ),
}


def build(one, **more):
    return models.build(one.name, features=FEATURES, downsample=DOWNSAMPLE, **one.settings, **more)


def apply(model, variables, x, mask, key=None):
    """((output, named intermediates), new statistics); with a key in training mode."""
    return model.apply(
        variables,
        x,
        train=key is not None,
        mask=mask,
        rngs=None if key is None else {"dropout": key},
        mutable=["batch_stats"] if key is not None else [],
    )


def make_batch():
    """Noise, louder in sleep: one interval per window, its ends at whole steps."""
    rng = np.random.default_rng(0)
    step = np.arange(FRAMES * DOWNSAMPLE)
    nights = np.array([(81, 233), (130, 302), (64, 170)])
    sleeping = (step >= nights[:, :1]) & (step < nights[:, 1:])  # [B,T]
    x = rng.normal(size=(3, len(step), FEATURES))
    x[..., 0] += 3.0 * sleeping
    centre = np.arange(FRAMES) * DOWNSAMPLE + (DOWNSAMPLE - 1) / 2
    batch = {
        "x": x[:, :STEPS],
        "asleep": sleeping.reshape(3, FRAMES, DOWNSAMPLE).mean(axis=-1),
        "distance": centre[None, :, None] - nights[:, None, :],
        "mask": np.ones((3, FRAMES)),
    }
    return {name: jnp.asarray(value, jnp.float32) for name, value in batch.items()}


BATCH = make_batch()
ONES = jnp.ones((3, FRAMES))
