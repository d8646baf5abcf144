r"""LSTM: learned spectrogram, two bidirectional LSTM layers.

python scripts/train.py --config configs/lstm.py --config.data.root=data/child-mind
python scripts/train.py --config configs/lstm.py:demo     # 4 minutes of one CPU core

Event AP of :demo on held-out simulated participants: 0.481 (seed 0). The full config has not been
run on the competition's data by its authors.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    c.model = dict(
        name="spec1d",
        extractor=dict(name="cnn", height=64, kernels=(32, 16)),
        decoder=dict(name="lstm", width=128, depth=2, dropout=0.2),
        dtype="float32",
    )
    if arg.demo:
        c.update(model=dict(extractor=dict(height=16), decoder=dict(width=32, dropout=0.1)))
    if arg.tiny:
        decoder = dict(width=4, depth=1)
        c.update(model=dict(extractor=dict(height=4, kernels=(24,)), decoder=decoder))
    return c
