r"""World: the recipe of the shipped weights, a small network on simulated people of many kinds.

for people in world calm_world; do for seed in 0 1; do
  python scripts/train.py --config configs/world.py --config.seed=$seed \
    --config.simulate.population=$people --workdir runs/$people/$seed
done; done
python scripts/release.py --workdir runs/*world/[01] --out sleepjax/release

The truth is what polysomnography would say: persistent sleep, and every minute awake within it.
docs/release.md has the figures, and what was tried instead.
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
        decoder=dict(name="unet1d", widths=(16, 24, 32, 48, 64, 96), dropout=0.1, norm="batch"),
        dtype="float32",
    )
    c.loss.worn = 0.5
    c.simulate.update(population="world", truth="psg")
    if tiny:
        extractor = dict(height=4, kernels=(24,))
        c.update(model=dict(extractor=extractor, decoder=dict(widths=(8, 16))))
    else:
        c.simulate.update(series=2_000, days=3)
        c.update(total_steps=6_000, batch_size=8, eval=dict(every=6_000, stride=14_400))
    return c
