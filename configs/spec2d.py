r"""Spec2DCNN: learned spectrogram -> 2-D U-Net (ResNet-34) -> 1-D U-Net.

The recipe whose PyTorch original scored 0.714 on the competition's public leaderboard, with the
defects of that code mended (see docs/design.md).

python scripts/train.py --config configs/spec2d.py --config.data.root=data/child-mind
python scripts/train.py --config configs/spec2d.py:demo     # 5 minutes of one CPU core

Event AP of :demo on held-out simulated participants: 0.596 (seed 0). The full config has not been
run on the competition's data by its authors.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    c.model = dict(
        name="spec2d",
        extractor=dict(name="cnn", height=64, kernels=(32, 16)),
        # Depths of ResNet-34; (2, 2, 2, 2) is ResNet-18. ImageNet: "hf:timm/resnet34.a1_in1k".
        unet2d=dict(name="resnet", depths=(3, 4, 6, 3), width=64, norm="batch", weights=""),
        decoder=dict(name="unet1d", widths=(64, 128, 256, 512, 1024), dropout=0.2, norm="batch"),
        dtype="float32",
    )
    if arg.demo:
        c.eval.update(every=250)
        unet2d = dict(depths=(1, 1, 1, 1), width=16)
        decoder = dict(widths=(16, 24, 32, 48, 64, 96), dropout=0.1)
        c.update(model=dict(extractor=dict(height=16), unet2d=unet2d, decoder=decoder))
    if arg.tiny:
        unet2d, decoder = dict(depths=(1,), width=8), dict(widths=(8, 16))
        extractor = dict(height=4, kernels=(24,))
        c.update(model=dict(extractor=extractor, unet2d=unet2d, decoder=decoder))
    return c
