r"""A transformer over frames with local and global context and relative positions.

python scripts/train.py --config configs/transformer.py --config.data.root=data/child-mind
python scripts/train.py --config configs/transformer.py:demo     # 4 minutes of one CPU core

Event AP of :demo on held-out simulated participants: 0.483 (seed 0). The full config has not been
run on the competition's data by its authors.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    c.model = dict(
        name="transformer",
        width=128,
        depth=4,
        heads=4,
        window=60,
        kernel=32,
        dropout=0.1,
        dtype="float32",
    )
    if arg.demo:
        c.optim.lr = 2e-3
        c.update(model=dict(width=32, depth=2, heads=2, window=30, dropout=0.05))
    if arg.tiny:
        c.update(model=dict(width=8, depth=1, heads=2, window=8, kernel=24))
    return c
