r"""Any extractor with any decoder, light, at one equal budget: the ablation grid.

python scripts/train.py --config configs/grid.py:extractor=panns,decoder=tcn
python benchmarks/grid.py --out runs/grid.jsonl     # all of them; docs/models.md has the result

One or two minutes of one CPU core with most decoders, three or four with those of recurrences and
attention. Event AP on held-out simulated participants, seed 0: 0.02 (spec, mlp) to 0.69 (panns,
tcn). ``:demo`` changes nothing.
"""

from typing import Any

from ml_collections import ConfigDict

from sleepjax.config import parse_arg

EXTRACTORS = {
    "cnn": dict(height=16, kernels=(32, 16)),
    "spec": dict(height=16, sensors=2),
    "panns": dict(height=16, kernels=(32, 16), sensors=2),
    "lstm": dict(height=16, depth=1),
}
DECODERS = {
    "unet1d": dict(widths=(16, 24, 32, 48, 64, 96), dropout=0.1, norm="batch"),
    "mlp": dict(width=64, depth=3, dropout=0.1),
    "lstm": dict(width=32, depth=2, dropout=0.1),
    "mingru": dict(width=32, depth=3, dropout=0.1),
    "tcn": dict(width=32, depth=8, dropout=0.1, norm="batch"),
    "transformer": dict(width=32, depth=2, heads=4, patch=4, dropout=0.1),
    "transformer_cnn": dict(width=32, depth=2, heads=4, patch=4, dropout=0.1),
}


def get_config(arg=None):
    arg = parse_arg(arg, fold=0, extractor="cnn", decoder="unet1d", downsample=12, duration=17_280)
    c: Any = ConfigDict()
    c.seed = 0
    c.total_steps = 1_000
    c.batch_size = 4
    c.accumulate = 1
    c.ema = 0.99
    c.log_every, c.ckpt_every = 50, 250
    c.data = dict(
        root="data/child-mind",
        store="",
        tz="",  # zone of timestamps without UTC offset, like Europe/London
        drop_bad=False,  # leave out what cannot be used instead of stopping
        features=("anglez", "enmo", "hour_sin", "hour_cos", "repeat"),
        duration=arg.duration,
        downsample=arg.downsample,
        background=0.5,
        folds=5,
        fold=arg.fold,
        split_seed=0,
    )
    c.model = dict(
        name="spec1d",
        extractor=dict(name=arg.extractor, **EXTRACTORS.get(arg.extractor, {})),
        decoder=dict(name=arg.decoder, **DECODERS.get(arg.decoder, {})),
        dtype="float32",
    )
    c.loss = dict(name="segmentation", sigma=60.0, weights=(1.0, 5.0, 5.0))
    c.loss.update(target="gaussian", decay=0, positive=(1.0, 1.0, 1.0), focal=0.0, worn=0.0)
    c.augment = dict(reverse=0.0, cutmix=0.0, mixup=0.0, noise=0.0)
    c.optim = dict(lr=2e-3, warmup=50, weight_decay=1e-2, clip=1.0)
    c.guard = dict(spike=10.0, patience=20)
    c.eval = dict(every=1_000, batch_size=8, stride=arg.duration // 2, trim=360)
    c.post = dict(height=0.001, distance=100, snap=True, daily=0.4, prune=True)
    c.early_stop = dict(metric="valid/event_ap", patience=0)
    c.simulate = dict(  # stands in where root holds no recordings
        population="competition", series=80, days=14, seed=0, truth="annotated", devices=()
    )
    if arg.tiny:  # seconds; tests
        c.update(dict(total_steps=4, log_every=2, ckpt_every=2, data=dict(duration=960, folds=3)))
        c.update(dict(optim=dict(warmup=1), eval=dict(every=2, batch_size=4, stride=720, trim=60)))
        c.simulate.update(series=6, days=3)
    return c
