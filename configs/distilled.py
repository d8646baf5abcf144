r"""Distilled: a network of less than 100 kB (float16) that learns what the shipped weights say.

python scripts/distill.py --config configs/distilled.py --workdir runs/distilled
python scripts/release.py --workdir runs/distilled --out distilled --half

The people are simulated, of both worlds that the teacher learned from, and new to it; the network
has a fifth of the parameters of one of the teacher's. An hour and ten minutes on one CPU core.
benchmarks/distillation.py compares it with the teacher and with the same network on labels
(docs/deployment.md). The weights called small in the package were made so.
"""

from sleepjax.config import parse_arg
from sleepjax.defaults import default_config


def get_config(arg=None):
    arg = parse_arg(arg, fold=0)
    tiny, arg.demo = arg.tiny, not arg.tiny  # one size: that of a demo
    c = default_config(arg)
    c.model = dict(
        name="spec1d",
        extractor=dict(name="panns", height=16, kernels=(32, 16), sensors=2),
        decoder=dict(name="unet1d", widths=(12, 16, 20, 24, 22, 20), dropout=0.0, norm="batch"),
        dtype="float32",
    )
    c.loss.worn = 0.5
    # The teacher learned from other people (seed 0) of one world or the other.
    c.simulate.update(population="both_worlds", truth="psg", seed=1)
    if tiny:
        extractor = dict(height=4, kernels=(24,))
        c.update(model=dict(extractor=extractor, decoder=dict(widths=(8, 16))))
    else:
        c.simulate.update(series=4_000, days=3)
        c.update(total_steps=50_000, batch_size=8, eval=dict(every=50_000, stride=14_400))
        c.optim.name = "muon"  # as near to the teacher after 5,000 updates as AdamW after 16,000
    return c
