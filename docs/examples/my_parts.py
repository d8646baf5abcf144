r"""A part of every kind in one file outside the package, and a config that uses all of them.

python scripts/train.py --config docs/examples/my_parts.py:demo
python scripts/train.py --config configs/spec1d.py:demo \
  --config.optim.name=docs/examples/my_parts.py:adam_fast
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import polars as pl

from sleepjax.config import load_config
from sleepjax.data.features import Feature
from sleepjax.objectives import Objective, to_steps
from sleepjax.objectives.base import gaussian_steps

# A feature: the largest movement of ten minutes, as far ahead as back.
peak_movement = Feature(
    (pl.col("enmo").rolling_max(121, center=True, min_samples=1) * 1000 + 1).log() / 2 - 1,
    reversal="same",
)


# An extractor: signals [B,T,F] to an image [B,T',H,C].
class Strided(nn.Module):
    downsample: int  # filled in
    height: int = 8

    @nn.compact
    def __call__(self, x, *, train: bool, mask=None):
        d = self.downsample
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % d), (0, 0)))
        x = nn.Conv(self.height, (d,), strides=(d,), padding="VALID")(x)
        return jnp.tanh(x)[..., None]


# A decoder: frames [B,T',C] to (logits [B,T',K], named intermediates).
class Convs(nn.Module):
    bias: tuple = (-0.4, -4.6, -4.6)  # filled in: where the logits start, one per class
    width: int = 16

    @nn.compact
    def __call__(self, x, *, train: bool, mask=None):
        x = nn.gelu(nn.Conv(self.width, (5,))(x))
        x = x + nn.gelu(nn.Conv(self.width, (5,), kernel_dilation=8)(x))
        start = lambda key, shape, dtype: jnp.array(self.bias, dtype)
        return nn.Dense(len(self.bias), bias_init=start)(x), {"features": x}


# A loss: its arguments are the settings of the config's group `loss`, and downsample.
def focal(*, downsample, sigma=20.0, gamma=2.0):
    def loss(output, batch, step):
        heat = jnp.exp(-0.5 * (batch["distance"] / sigma) ** 2)  # [B,T',2]
        target = jnp.concatenate([batch["asleep"][..., None], heat], axis=-1)
        p = jax.nn.sigmoid(output[0])
        each = jnp.abs(target - p) ** gamma * optax.sigmoid_binary_cross_entropy(output[0], target)
        return (each.sum(-1) * batch["mask"]).sum(), batch["mask"].sum()

    def probabilities(output, n_steps):
        return to_steps(jax.nn.sigmoid(output[0]), n_steps, downsample)

    return Objective(loss, probabilities, gaussian_steps(sigma))


# A target of the loss `segmentation`: from asleep [B,T'] and distance [B,T',2], in steps.
def laplace(asleep, distance, sigma):
    return jnp.concatenate([asleep[..., None], jnp.exp(-jnp.abs(distance) / sigma)], axis=-1)


# An augmentation: the same arrays, changed.
def jitter(batch, key, features):
    x = batch["x"]
    noisy = jnp.array([[[name in ("anglez", "enmo") for name in features]]])
    noisy = noisy & (x != 0)  # zeros at a window's end say that the recording has ended
    return batch | {"x": x + 0.1 * noisy * jax.random.normal(key, x.shape)}


# An optimiser: gradients to a direction; clipping, weight decay and learning rate come after it.
adam_fast = partial(optax.scale_by_adam, b1=0.8, b2=0.95)


# A schedule: the learning rate of a step.
def triangle(*, lr, warmup, total_steps):
    return optax.schedules.join_schedules(
        [optax.linear_schedule(lr / (warmup + 1), lr, warmup),
         optax.linear_schedule(lr, 0.0, total_steps - warmup)], [warmup]
    )  # fmt: skip


# A post-processing step: candidates of both events, before they are moved off the minute.
def only_likely(onset, wakeup, meta):
    return onset.keep(onset.score > 0.002), wakeup.keep(wakeup.score > 0.002)


# An evaluator: numbers for the log of every validation.
def candidates_per_series(run):
    return {"valid/candidates": len(run.evaluation.events) / max(1, len(run.data.valid))}


def get_config(arg=None):
    c = load_config(f"configs/spec1d.py:{arg or ''}").unlock()
    here = __file__
    c.data.features = (*c.data.features, f"{here}:peak_movement")
    c.model.extractor = dict(name=f"{here}:Strided", height=8)
    c.model.decoder = dict(name=f"{here}:Convs", width=16)
    c.loss.target = f"{here}:laplace"
    c.augment.more = (f"{here}:jitter",)
    c.optim.update(name=f"{here}:adam_fast", schedule=f"{here}:triangle")
    c.post.more = (f"{here}:only_likely",)
    c.evaluators = (f"{here}:candidates_per_series",)
    return c
