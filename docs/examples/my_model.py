r"""A user-defined model, and the config that trains it, in one file outside the package.

python scripts/train.py --config docs/examples/my_model.py:demo
python scripts/train.py --config docs/examples/my_model.py:demo --config.model.width=64
"""

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from sleepjax.config import load_config


class Dilated(nn.Module):
    """Convolutions with growing gaps: [B,T,F] -> (logits [B,T',3], {})."""

    downsample: int  # filled in from data.downsample
    width: int = 32  # a setting: --config.model.width=64
    layers: int = 6
    dropout: float = 0.1

    @nn.compact
    def __call__(self, x, *, train: bool, mask=None):
        d = self.downsample
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % d), (0, 0)))  # T to a multiple of d
        x = x.reshape(x.shape[0], x.shape[1] // d, -1)  # [B,T',d*F]
        x = nn.Dense(self.width)(x)
        for i in range(self.layers):
            y = nn.LayerNorm()(x)
            y = nn.Conv(self.width, (5,), kernel_dilation=2**i)(y)
            y = nn.Dropout(self.dropout, deterministic=not train)(nn.gelu(y))
            x = x + y
        return nn.Dense(3)(x), {}


def get_config(arg=None):
    c = load_config(f"configs/spec1d.py:{arg or ''}").unlock()
    c.model = ConfigDict(dict(name=f"{__file__}:Dilated", width=32, layers=6, dropout=0.1))
    return c
