r"""DETR: learned queries that each point at the onset and wakeup of one sleep interval.

python scripts/train.py --config configs/detr.py --config.data.root=data/child-mind
python scripts/train.py --config configs/detr.py:demo     # 3 minutes of one CPU core

Event AP of :demo on held-out simulated participants: 0.381 (seed 0). The full config has not been
run on the competition's data by its authors.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    c.model = dict(
        name="detr",
        extractor=dict(name="cnn", height=64, kernels=(32, 16)),
        queries=8,
        width=128,
        depth=3,
        heads=4,
        patch=24,
        levels=9,
        norm="batch",
        dropout=0.1,
        dtype="float32",
    )
    # Steps; weights of interval or not, of the ends in hours, of the overlap.
    c.loss = dict(name="detr", sigma=20.0, weights=(1.0, 2.0, 1.0))
    if arg.demo:
        c.optim.lr = 2e-3
        c.update(model=dict(queries=6, width=32, depth=2, patch=12, levels=8, dropout=0.05))
        c.update(model=dict(extractor=dict(height=16)))
    if arg.tiny:
        c.update(model=dict(queries=3, width=8, depth=1, heads=2, levels=2))
        c.update(model=dict(extractor=dict(height=4, kernels=(24,))))
    return c
