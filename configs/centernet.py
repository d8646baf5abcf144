r"""CenterNet: onset and wakeup as keypoints with offsets and the interval's size.

python scripts/train.py --config configs/centernet.py --config.data.root=data/child-mind
python scripts/train.py --config configs/centernet.py:demo     # 2 minutes of one CPU core

Event AP of :demo on held-out simulated participants: 0.633 (seed 0). The full config has not been
run on the competition's data by its authors.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    c.model = dict(
        name="centernet",
        extractor=dict(name="cnn", height=64, kernels=(32, 16)),
        decoder=dict(name="unet1d", widths=(64, 128, 256, 512, 1024), dropout=0.2, norm="batch"),
        dtype="float32",
    )
    # Steps; weights of asleep, keypoints, offsets, sizes.
    c.loss = dict(name="centernet", sigma=60.0, weights=(1.0, 1.0, 1.0, 0.1))
    if arg.demo:
        decoder = dict(widths=(16, 24, 32, 48, 64, 96), dropout=0.1)
        c.update(model=dict(extractor=dict(height=16), decoder=decoder))
    if arg.tiny:
        c.update(model=dict(extractor=dict(height=4, kernels=(24,)), decoder=dict(widths=(8, 16))))
    return c
