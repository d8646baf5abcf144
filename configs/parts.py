r"""Any extractor with any decoder, light, at one equal budget: the pairs of the ablation.

python scripts/train.py --config configs/parts.py:extractor=panns,decoder=tcn
python benchmarks/ablation.py --out runs/ablation.jsonl     # all of them; see docs/models.md

One or two minutes of one CPU core with most decoders, three or four with those of recurrences and
attention. Event AP on held-out simulated participants, seed 0: 0.02 (spec, mlp) to 0.69 (panns,
tcn). There is one size: ``:demo`` changes nothing.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config

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
    arg.demo = True
    c = default_config(arg)
    c.data.downsample = arg.downsample
    c.model = dict(
        name="spec1d",
        extractor=dict(name=arg.extractor, **EXTRACTORS.get(arg.extractor, {})),
        decoder=dict(name=arg.decoder, **DECODERS.get(arg.decoder, {})),
        dtype="float32",
    )
    c.optim.lr = 2e-3
    if not arg.tiny:
        c.data.duration, c.eval.stride = arg.duration, arg.duration // 2
        c.eval.every = 1_000
    return c
