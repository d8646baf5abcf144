"""The recipe of configs/spec1d.py and configs/spec2d.py in PyTorch: the nets.

Written to compare the time of a step (torch_step.py, compare_torch.py, accelerator.py), in
PyTorch's usual terms: strided convolutions for the banks and the stem, window maxima, transposed
convolutions. Differences from sleepjax: a transposed convolution has one bias per channel instead
of one per output place (2,400 parameters fewer in spec2d, 960 in spec1d, 184 in spec1d:demo), and
padded frames are not told apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES, CLASSES = 5, 3


class Extractor(nn.Module):
    """A strided filter bank per kernel size: [B,F,T] -> [B,banks,H,T'].

    With ``sensors`` also the Fourier magnitudes of so many features, as more banks (``panns``).
    """

    def __init__(self, height: int, kernels: tuple[int, ...], downsample: int, sensors: int = 0):
        super().__init__()
        self.downsample, self.sensors, self.height = downsample, sensors, height
        self.banks = nn.ModuleList(
            nn.Conv1d(FEATURES, height, k, stride=downsample, padding=(k - downsample) // 2)
            for k in (*kernels, downsample)
        )
        size = max(2 * height - 1, downsample)
        size += (size - downsample) % 2
        time = torch.arange(size) - (size - 1) / 2
        window = torch.cos(torch.pi * time / (size + 1)) ** 2
        phase = 2 * torch.pi * torch.linspace(0, 0.5, height)[:, None] * time
        waves = torch.cat([torch.cos(phase), torch.sin(phase)]) * (window / window.sum())
        self.register_buffer("waves", waves[:, None])

    def forward(self, x: Tensor) -> Tensor:
        images = [torch.tanh(bank(x)) for bank in self.banks]
        if self.sensors:
            b, _, t = x.shape
            signals, pad = x[:, : self.sensors].reshape(-1, 1, t), self.waves.shape[-1]
            parts = F.conv1d(
                signals, self.waves, stride=self.downsample, padding=(pad - self.downsample) // 2
            )
            power = parts.unflatten(1, (2, self.height)).square().sum(1)
            level = (10 * torch.log10(power + 1e-4) + 20) / 20
            images += level.unflatten(0, (b, self.sensors)).unbind(1)
        return torch.stack(images, dim=1)


def double_conv(conv: type, norm: type, inputs: int, width: int) -> nn.Sequential:
    """(convolution of 3, norm, ReLU) twice."""
    layers = []
    for c in (inputs, width):
        layers += [conv(c, width, 3, padding=1, bias=False), norm(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class BasicBlock(nn.Module):
    """torchvision's: two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = None
        if stride != 1 or inputs != width:
            conv = nn.Conv2d(inputs, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)), inplace=True)


class UNet2D(nn.Module):
    """ResNet encoder and a U-Net's way up: [B,C,H,T] -> [B,H,T]; H and T are multiples of 32."""

    def __init__(self, channels: int, depths: tuple[int, ...], width: int):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages, widths = nn.ModuleList(), [width]
        for i, depth in enumerate(depths):
            new = width * 2**i
            blocks = [BasicBlock(new if j else widths[-1], new, 2 if i and not j else 1)
                      for j in range(depth)]  # fmt: skip
            self.stages.append(nn.Sequential(*blocks))
            widths.append(new)
        self.widen, self.up, inputs = nn.ModuleList(), nn.ModuleList(), widths[-1]
        for i in reversed(range(1, len(widths))):
            new = max(1, width * 2**i // 4)
            self.widen.append(nn.ConvTranspose2d(inputs, new, 2, 2))
            skip = widths[i - 1] + (4 * channels if i == 1 else 0)
            self.up.append(double_conv(nn.Conv2d, nn.BatchNorm2d, new + skip, new))
            inputs = new
        self.head = nn.Conv2d(inputs, 4, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        maps = [self.stem(image)]
        x = self.pool(maps[0])
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps = [torch.cat([maps[0], F.pixel_unshuffle(image, 2)], 1), *maps[1:-1]]
        for widen, up, skip in zip(self.widen, self.up, reversed(maps), strict=True):
            x = up(torch.cat([widen(x), skip], 1))
        return F.pixel_shuffle(self.head(x), 2)[:, 0]


class UNet1D(nn.Module):
    """[B,C,T'] -> logits [B,K,T']; T' is a multiple of 2^(levels - 1)."""

    def __init__(self, inputs: int, widths: tuple[int, ...], dropout: float):
        super().__init__()
        block = lambda a, b: double_conv(nn.Conv1d, nn.BatchNorm1d, a, b)
        self.down = nn.ModuleList(map(block, (inputs, *widths[:-1]), widths))
        pairs = list(zip(widths, widths[1:], strict=False))[::-1]
        self.widen = nn.ModuleList(nn.ConvTranspose1d(below, w, 2, 2) for w, below in pairs)
        self.up = nn.ModuleList(block(2 * w, w) for w, _ in pairs)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv1d(widths[0], CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool1d(x, 2) if i else x)
            skips.append(x)
        skips.pop()
        for widen, block in zip(self.widen, self.up, strict=True):
            x = block(torch.cat([widen(x), skips.pop()], 1))
        return self.head(self.dropout(x))


class Recipe(nn.Module):
    """Extractor, for ``spec2d`` the 2-D U-Net, and the 1-D U-Net: [B,T,F] -> logits [B,K,T']."""

    def __init__(
        self,
        name: str,
        height: int = 64,
        kernels: tuple[int, ...] = (32, 16),
        depths: tuple[int, ...] = (3, 4, 6, 3),
        width: int = 64,
        widths: tuple[int, ...] = (64, 128, 256, 512, 1024),
        dropout: float = 0.2,
        downsample: int = 2,
        sensors: int = 0,
    ):
        super().__init__()
        banks = len(kernels) + 1 + sensors
        self.extractor = Extractor(height, kernels, downsample, sensors)
        self.unet2d = UNet2D(banks, depths, width) if name == "spec2d" else None
        self.decoder = UNet1D(height if self.unet2d else banks * height, widths, dropout)

    def forward(self, x: Tensor) -> Tensor:
        image = self.extractor(x.transpose(1, 2))
        frames = self.unet2d(image) if self.unet2d else image.flatten(1, 2)
        return self.decoder(frames).float()


TINY = dict(height=32, kernels=(24,), depths=(1, 1, 1, 1), width=4, widths=(4, 8))
DEMO = dict(
    height=16, widths=(16, 24, 32, 48, 64, 96), dropout=0.1, downsample=12, ema=0.99, window=17_280
)
SIZES = {"spec1d": {}, "spec2d": {}, "spec1d:demo": DEMO | dict(sensors=2)}
"""What the variants of the configs have instead of the defaults."""
