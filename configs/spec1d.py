r"""Spec1D: learned spectrogram straight into the 1-D U-Net; the light sibling of spec2d.

python scripts/train.py --config configs/spec1d.py --config.data.root=data/child-mind
python scripts/train.py --config configs/spec1d.py:demo     # about 2 minutes on two CPU cores

Event AP of :demo, whose extractor is panns, on held-out simulated participants: 0.739 (seed 0). The
full config has not been run on the competition's data by its authors.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    extractor: dict = dict(name="cnn", height=64, kernels=(32, 16))
    if arg.demo:
        extractor = dict(name="panns", height=16, kernels=(32, 16), sensors=2)
    c.model = dict(
        name="spec1d",
        extractor=extractor,
        decoder=dict(name="unet1d", widths=(64, 128, 256, 512, 1024), dropout=0.2, norm="batch"),
        dtype="float32",
    )
    if arg.demo:
        c.update(total_steps=2_700, ckpt_every=1_350, eval=dict(every=1_350))
        decoder = dict(widths=(16, 24, 32, 48, 64, 96), dropout=0.1)
        c.update(model=dict(decoder=decoder))
    if arg.tiny:
        c.update(model=dict(extractor=dict(height=4, kernels=(24,)), decoder=dict(widths=(8, 16))))
    return c
