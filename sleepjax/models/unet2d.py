"""2-D U-Net over [time, height] with a ResNet encoder of torchvision's basic-block structure.

Every halving rounds up and every doubling is cropped to its skip, so any size passes. Full
resolution lives in channels: 2x2 blocks of pixels enter the stem and the last skip as 4C channels
at stride 2, and the head writes 2x2 blocks. Nothing is averaged away, and the widest maps, which
would have the fewest channels, cost a tenth of their time on a CPU.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

from sleepjax.models.blocks import (
    NORMS,
    Conv,
    DoubleConv,
    Dtype,
    Upsample,
    blocks_from_pixels,
    he_uniform,
    max_pool,
    pixels_from_blocks,
)
from sleepjax.models.bounds import Checked


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: [B,T,H,C] -> [B,T/s,H/s,width]."""

    width: int
    stride: int
    norm: str
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T H C"], *, train: bool
    ) -> Float[Array, "B rows columns {self.width}"]:
        """Add the transformed map to the shortcut."""
        norm = lambda name, y: NORMS[self.norm](train=train, dtype=self.dtype, name=name)(y)
        s, pad = self.stride, ((1, 1), (1, 1))
        y = Conv(self.width, (3, 3), (s, s), padding=pad, dtype=self.dtype, name="conv1")(x)
        y = nn.relu(norm("norm1", y))
        y = Conv(self.width, (3, 3), dtype=self.dtype, name="conv2")(y)
        y = norm("norm2", y)
        if x.shape != y.shape:
            x = Conv(self.width, (1, 1), dtype=self.dtype, name="shortcut")(x[:, ::s, ::s])
            x = norm("shortcut_norm", x)
        return nn.relu(x + y)


class Stem(nn.Module):
    """torchvision's first convolution, 7x7 with stride 2 and padding 3: [B,T,H,C] -> half extents.

    Computed on 2x2 blocks, where it is a 4x4 convolution without stride over 4C channels.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B T H C"]) -> Float[Array, "B rows columns {self.width}"]:
        """Return [B,ceil(T/2),ceil(H/2),width]."""
        c = x.shape[-1]
        kernel = self.param("kernel", he_uniform, (7, 7, c, self.width))
        # Output i sees pixels 2i-3 to 2i+3: the second of block i-2 up to both of block i+1.
        kernel = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0))).reshape(4, 2, 4, 2, c, -1)
        kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(4, 4, 4 * c, -1)
        x, kernel = promote_dtype(blocks_from_pixels(x, 2), kernel, dtype=self.dtype)
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), ((2, 1), (2, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )


class ResNetEncoder(nn.Module):
    """[B,T,H,C] -> feature maps at strides 2, 4, 8, ...: the stem, then one per stage.

    ``depths`` are blocks per stage: (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34. Stage i is
    ``width * 2**i`` wide. Submodules are named after torchvision's (conv1, layer1_0, ...).
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    norm: str = "batch"
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B T H C"], *, train: bool) -> list[Float[Array, "B _ _ _"]]:
        """Return the maps from stride 2 to the deepest."""
        x = Stem(self.width, self.dtype, name="conv1")(x)
        x = nn.relu(NORMS[self.norm](train=train, dtype=self.dtype, name="norm1")(x))
        maps = [x]  # [B,T/2,H/2,width]
        x = max_pool(max_pool(x, 3, axis=1), 3, axis=2)
        for i, depth in enumerate(self.depths):
            for j in range(depth):
                stride = 2 if i and not j else 1
                name = f"layer{i + 1}_{j}"
                block = BasicBlock(self.width * 2**i, stride, self.norm, self.dtype, name=name)
                x = block(x, train=train)
            maps.append(x)  # [B,T/2^(i+2),H/2^(i+2),width*2^i]
        return maps


class UNet2D(Checked):
    """[B,T,H,C] -> ([B,T,H], out): one class per pixel, skips at every level, the input included.

    The map at stride 2^i is ``width * 2^i / 4`` wide on the way up. ``weights`` says where the
    encoder's first values come from (`pretrained.load_encoder`); it changes nothing here.
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    norm: str = "batch"
    weights: str = ""
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T H C"], *, train: bool
    ) -> tuple[Float[Array, "B T H"], dict[str, Array]]:
        """Return one value per pixel, and the maps of every level."""
        image = x
        encoder = ResNetEncoder(self.depths, self.width, self.norm, self.dtype, name="encoder")
        skips = encoder(image, train=train)
        out = {f"down{i + 1}": skip for i, skip in enumerate(skips)}
        x = skips.pop()
        for i in reversed(range(1, len(skips) + 1)):
            width, skip = max(1, self.width * 2**i // 4), skips[i - 1]
            x = Upsample(width, self.dtype, name=f"widen{i}")(x, skip.shape[1:3])
            below = [blocks_from_pixels(image, 2).astype(x.dtype)] if i == 1 else []
            x = jnp.concatenate([x, skip, *below], axis=-1)
            x = DoubleConv(width, 2, self.norm, self.dtype, name=f"up{i}")(x, train=train)
            out[f"up{i}"] = x
        x = Conv(4, (3, 3), use_bias=True, dtype=self.dtype, name="head")(x)
        return pixels_from_blocks(x, image.shape[1:3])[..., 0], out
