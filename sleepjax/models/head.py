"""Head: the last layer of every model that answers per frame, and where its logits start."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from sleepjax.models.blocks import lecun_uniform
from sleepjax.types import CLASSES, WORN

PRIOR = {"asleep": 0.4, "onset": 0.01, "wakeup": 0.01, WORN: 0.9}
"""Expected mean of each target; the logits start at its log-odds (-0.4, -4.6, -4.6, 2.2)."""


def log_odds(p: float) -> float:
    """The logit of a probability."""
    return math.log(p / (1 - p))


CLASS_BIAS = tuple(log_odds(PRIOR[name]) for name in CLASSES)
WORN_BIAS = (*CLASS_BIAS, log_odds(PRIOR[WORN]))
"""Of models that also tell whether the watch is worn."""
KEYPOINT_BIAS = (*CLASS_BIAS, 0.0, 0.0, 0.0, 0.0)
"""Of `CenterNet`: the classes, then offsets and sizes of onset and wakeup."""


class Head(nn.Module):
    """[B,T',C] -> float32 outputs [B,T',K], at first scattered about ``bias``, K numbers.

    Event frames are rare. From a zero bias the first steps of training would be spent, with large
    gradients, on learning only that. The weights start at full scale: with small ones (SD 0.02) the
    first hundred steps learned several times slower.
    """

    bias: tuple[float, ...] = CLASS_BIAS

    @nn.compact
    def __call__(self, x: Float[Array, "B frames C"]) -> Float[Array, "B frames K"]:
        """Return logits in the order of ``CLASSES``, or of ``bias``."""
        dense = nn.Dense(
            len(self.bias),
            dtype=jnp.float32,
            kernel_init=lecun_uniform,
            bias_init=lambda key, shape, dtype: jnp.array(self.bias, dtype),
            name="logits",
        )
        return dense(x.astype(jnp.float32))
