"""2-D U-Net over [time, height] with a ResNet encoder of torchvision's basic-block structure.

Every halving rounds up and every doubling is cropped to its skip, so any size passes.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from sleepjax.models.layers import Conv, DoubleConv, Dtype, Norm, layer_norm


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: [B,T,H,C] -> [B,T/s,H/s,width]."""

    width: int
    stride: int
    norm: Norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Add the transformed map to the shortcut."""

        def norm(name, y):
            return self.norm(train=train, dtype=self.dtype, name=name)(y)

        s, pad = self.stride, ((1, 1), (1, 1))
        y = Conv(self.width, (3, 3), (s, s), padding=pad, dtype=self.dtype, name="conv1")(x)
        y = nn.relu(norm("norm1", y))
        y = Conv(self.width, (3, 3), dtype=self.dtype, name="conv2")(y)
        y = norm("norm2", y)
        if x.shape != y.shape:
            x = Conv(self.width, (1, 1), dtype=self.dtype, name="shortcut")(x[:, ::s, ::s])
            x = norm("shortcut_norm", x)
        return nn.relu(x + y)


class ResNetEncoder(nn.Module):
    """[B,T,H,C] -> feature maps at strides 2, 4, 8, ...: the stem, then one per stage.

    ``depths`` are blocks per stage: (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34. Stage i is
    ``width * 2**i`` wide. Submodules are named after torchvision's (conv1, layer1_0, ...).
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    norm: Norm = layer_norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> list[jax.Array]:
        """Return the maps from stride 2 to the deepest."""
        pad = ((3, 3), (3, 3))
        x = Conv(self.width, (7, 7), (2, 2), padding=pad, dtype=self.dtype, name="conv1")(x)
        x = nn.relu(self.norm(train=train, dtype=self.dtype, name="norm1")(x))
        maps = [x]  # [B,T/2,H/2,width]
        x = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        for i, depth in enumerate(self.depths):
            for j in range(depth):
                stride = 2 if i and not j else 1
                name = f"layer{i + 1}_{j}"
                block = BasicBlock(self.width * 2**i, stride, self.norm, self.dtype, name=name)
                x = block(x, train=train)
            maps.append(x)  # [B,T/2^(i+2),H/2^(i+2),width*2^i]
        return maps


class UNet2D(nn.Module):
    """[B,T,H,C] -> ([B,T,H], out): one class per pixel, skips at every level, the input included.

    The decoder is width/4 wide at full resolution and doubles with every level below.
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    norm: Norm = layer_norm
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return one value per pixel, and the maps of every level."""
        encoder = ResNetEncoder(self.depths, self.width, self.norm, self.dtype, name="encoder")
        skips = [x, *encoder(x, train=train)]
        out = {f"down{i}": skip for i, skip in enumerate(skips)}
        x = skips.pop()
        for i in reversed(range(len(skips))):
            width = max(1, self.width * 2**i // 4)
            x = jnp.concatenate([upsample2d(x, skips[i].shape), skips[i]], axis=-1)
            x = DoubleConv(width, 2, self.norm, self.dtype, name=f"up{i}")(x, train=train)
            out[f"up{i}"] = x
        x = Conv(1, (3, 3), use_bias=True, dtype=self.dtype, name="head")(x)
        return x[..., 0], out


def upsample2d(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Repeat every pixel of [B,T,H,C] twice along time and height, cropped to ``shape``."""
    b, t, h, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (b, t, 2, h, 2, c)).reshape(b, 2 * t, 2 * h, c)
    return x[:, : shape[1], : shape[2]]
