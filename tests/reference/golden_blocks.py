r"""Golden values of standard blocks, computed with PyTorch, for tests/models/test_golden.py.

PyTorch is no dependency of the project; make the file again in an environment of its own:

python -m venv golden && golden/bin/pip install torch==2.13.0 numpy
golden/bin/python tests/reference/golden_blocks.py tests/reference/golden_blocks.npz

Sequences are [B,T,C] here and channels-first in PyTorch. Every block's weights are PyTorch's own
random ones under seed 0, stored beside inputs and outputs under PyTorch's names.
"""

import sys

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]

ARRAYS = {}


def keep(block, inputs, outputs, module=None):
    """Store what went in and came out, as [B,T,C], and the module's weights."""
    ARRAYS[f"{block}/x"] = inputs.numpy()
    ARRAYS[f"{block}/y"] = outputs.detach().numpy()
    for name, value in module.state_dict().items() if module is not None else ():
        ARRAYS[f"{block}/{name}"] = value.numpy()


def channels_first(function, x):
    """Apply to [B,T,C] what works on [B,C,T] (or [B,T,H,C] on [B,C,H,T])."""
    if x.ndim == 3:
        return function(x.transpose(1, 2)).transpose(1, 2)
    return function(x.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)


class BasicBlock(nn.Module):
    """ResNet's block with stride 2, from its definition (He et al. 2015), in evaluation."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.downsample(x))


def main(path):
    torch.manual_seed(0)
    x = torch.randn(2, 24, 3)

    conv = nn.Conv1d(3, 5, 3, padding=1, bias=False)
    keep("conv", x, channels_first(conv, x), conv)
    dilated = nn.Conv1d(3, 5, 3, padding=4, dilation=4, bias=False)
    keep("dilated", x, channels_first(dilated, x), dilated)
    strided = nn.Conv1d(3, 5, 8, stride=4, padding=2)
    keep("strided", x, channels_first(strided, x), strided)
    transposed = nn.ConvTranspose1d(3, 5, 2, stride=2)
    keep("transposed", x, channels_first(transposed, x), transposed)
    upsample = nn.Upsample(scale_factor=2, mode="linear", align_corners=False)
    keep("linear", x, channels_first(upsample, x))
    lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    keep("lstm", x, lstm(x)[0], lstm)

    # The minimal GRU is the GRU whose gate and candidate ignore the state: PyTorch's own cell with
    # the recurrent weights at 0 (reset gate without effect) and tanh undone.
    gru = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, value in gru.named_parameters():
            if "_hh" in name:
                value.zero_()
    keep("gru", x, gru(x)[0], gru)

    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    nn.init.normal_(attention.in_proj_bias)
    nn.init.normal_(attention.out_proj.bias)
    wide, real = torch.randn(2, 10, 8), torch.arange(10)[None] < torch.tensor([[10], [7]])
    y = attention(wide, wide, wide, key_padding_mask=~real)[0]
    keep("attention", wide, y, attention)
    ARRAYS["attention/mask"] = real.float().numpy()

    size, hop = 15, 4  # frames of 4 steps need an even window: 16
    size += (size - hop) % 2
    time = torch.arange(size) - (size - 1) / 2
    window = torch.cos(torch.pi * time / (size + 1)) ** 2
    left = (size - hop) // 2
    padded = nn.functional.pad(x[..., 0], (left, size - hop - left))
    # Frequencies 0 to 1/2 in 8 rows are every third of a transform of length 42.
    longer = (0, 42 - size)
    window = nn.functional.pad(window / window.sum(), longer)
    padded = nn.functional.pad(padded, longer)
    power = torch.stft(padded, 42, hop, 42, window, center=False, return_complex=True)
    power = power.abs()[:, ::3] ** 2
    keep("stft", x[..., :1], (10 * torch.log10(power + 1e-4) + 20).transpose(1, 2)[..., None] / 20)

    block = BasicBlock(3, 6).eval()
    with torch.no_grad():
        for name, value in block.named_buffers():
            if "running" in name:
                value.uniform_(0.5, 2.0)
    picture = torch.randn(2, 9, 7, 3)
    with torch.no_grad():
        keep("resnet", picture, channels_first(block, picture), block)

    norm = nn.LayerNorm(3)
    keep("layer_norm", x, norm(x), norm)
    np.savez_compressed(path, **ARRAYS)


if __name__ == "__main__":
    main(sys.argv[1])
