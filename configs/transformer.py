r"""A transformer over frames with local and global context and relative positions.

python scripts/train.py --config configs/transformer.py --config.data.root=data/child-mind
python scripts/train.py --config configs/transformer.py:demo     # 4 minutes of one CPU core

Event AP of :demo on held-out simulated participants: 0.483 (seed 0). The full config has not been
run on the competition's data by its authors.
"""

from typing import Any

from ml_collections import ConfigDict

from sleepjax.config import parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c: Any = ConfigDict()
    c.seed = 0
    c.total_steps = 7_500
    c.batch_size = 32
    c.accumulate = 1
    c.ema = 0.0
    c.log_every, c.ckpt_every = 50, 500
    c.data = dict(
        root="data/child-mind",
        store="",
        tz="",  # zone of timestamps without UTC offset, like Europe/London
        drop_bad=False,  # leave out what cannot be used instead of stopping
        features=("anglez", "enmo", "hour_sin", "hour_cos", "repeat"),
        duration=5_760,
        downsample=2,
        background=0.5,
        folds=5,
        fold=arg.fold,
        split_seed=0,
    )
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
    c.loss = dict(name="segmentation", sigma=20.0, weights=(1.0, 1.0, 1.0))  # steps
    c.loss.update(target="gaussian", decay=0, positive=(1.0, 1.0, 1.0), focal=0.0, worn=0.0)
    c.augment = dict(reverse=0.0, cutmix=0.0, mixup=0.0, noise=0.0)
    c.optim = dict(lr=5e-4, warmup=250, weight_decay=1e-2, clip=1.0)
    c.guard = dict(spike=10.0, patience=20)
    c.eval = dict(every=500, batch_size=32, stride=2_880, trim=360)
    c.post = dict(height=0.001, distance=100, snap=True, daily=0.4, prune=True)
    c.early_stop = dict(metric="valid/event_ap", patience=0)
    c.simulate = dict(  # stands in where root holds no recordings
        population="competition", series=80, days=14, seed=0, truth="annotated", devices=()
    )
    if arg.demo:  # minutes on two CPU cores
        c.update(
            dict(
                total_steps=1000,
                batch_size=4,
                ema=0.99,
                ckpt_every=250,
                data=dict(duration=17_280, downsample=12),
                model=dict(width=32, depth=2, heads=2, window=30, dropout=0.05),
                loss=dict(sigma=60.0, weights=(1.0, 5.0, 5.0)),
                optim=dict(lr=2e-3, warmup=50),
                eval=dict(every=500, batch_size=8, stride=8_640),
            )
        )
    if arg.tiny:  # seconds; tests
        c.update(
            dict(
                total_steps=4,
                batch_size=4,
                log_every=2,
                ckpt_every=2,
                data=dict(duration=960, downsample=12, folds=3),
                model=dict(width=8, depth=1, heads=2, window=8, kernel=24),
                optim=dict(warmup=1),
                eval=dict(every=2, batch_size=4, stride=720, trim=60),
                simulate=dict(series=6, days=3),
            )
        )
    return c
