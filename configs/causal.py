r"""Causal: spec1d that predicts from what was measured until 15 minutes after a step.

python scripts/train.py --config configs/causal.py --config.data.root=data/child-mind
python scripts/train.py --config configs/causal.py:demo --workdir runs/causal
python benchmarks/causal.py --workdir runs/causal runs/spec1d --out runs/causal.json

A window ends where the measurements did, and only its last 65 minutes are learned (``data.tail``),
so one training serves every latency up to an hour: ``eval.latency`` chooses the one that is
validated, and that `sleepjax.load` predicts with. There is no ``repeat`` among the features: it
looks half an hour ahead. Scores: docs/deployment.md.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    c = default_config(arg)
    c.data.features = ("anglez", "enmo", "hour_sin", "hour_cos")
    c.data.tail = 65 * STEPS_PER_MINUTE
    c.eval.update(stride=5 * STEPS_PER_MINUTE, latency=15 * STEPS_PER_MINUTE)
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
        c.data.duration = 8 * STEPS_PER_HOUR
        c.update(total_steps=4_000, batch_size=8, eval=dict(every=4_000, batch_size=32))
        c.update(model=dict(decoder=dict(widths=(16, 24, 32, 48, 64, 96), dropout=0.1)))
    if arg.tiny:
        c.data.tail = 240
        c.update(model=dict(extractor=dict(height=4, kernels=(24,)), decoder=dict(widths=(8, 16))))
    return c
