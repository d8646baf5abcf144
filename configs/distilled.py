r"""Distilled: a network of less than 100 kB that learns what the shipped weights say.

python scripts/distill.py --config configs/distilled.py --workdir runs/distilled
python scripts/train.py --config configs/distilled.py --workdir runs/small     # the same, on labels

About as long as configs/world.py, and a few minutes for what the teacher says. docs/deployment.md
compares both with the teacher.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    tiny, arg.demo = arg.tiny, not arg.tiny  # one size: that of a demo
    c = default_config(arg)
    c.model = dict(
        name="spec1d",
        extractor=dict(name="panns", height=8, kernels=(32,), sensors=2),
        decoder=dict(name="tcn", width=24, depth=8, dropout=0.0, norm="batch"),
        dtype="float32",
    )
    c.loss.worn = 0.5
    c.simulate.update(population="world", truth="annotated")
    if tiny:
        extractor = dict(height=4, kernels=(24,))
        c.update(model=dict(extractor=extractor, decoder=dict(width=8, depth=2)))
    else:
        c.simulate.update(series=240, days=8)
        c.update(total_steps=4_000, eval=dict(every=4_000))
    return c
