"""What each decoder does to the score of a trained run, on its saved validation probabilities.

python benchmarks/decoders.py RUN [RUN ...] prints a markdown table: event AP with the settings of
`BASE`, and the difference that each change of one setting makes, with its 95 % interval (paired
bootstrap over series, 1,000 draws, seed 0). Several runs must have different validation series;
differences are then averaged over the runs, draw by draw.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from sleepjax.metrics import PairedBootstrap, event_detection_ap, paired_bootstrap
from sleepjax.runs import directory, validation

BASE = {
    "height": 0.001, "distance": 100, "soft": 0.0, "snap": True, "daily": 0.4, "prune": False,
    "pair": False,
}  # fmt: skip
CHANGES = {
    "snap": (False,),
    "daily": (None, 0.1, 0.2, 0.8, 1.6),
    "soft": (0.03, 0.1, 0.3),
    "prune": (True,),
    "pair": (True,),
    "distance": (24, 50, 180, 360, 720),
    "height": (0.0001, 0.003, 0.01, 0.03),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workdir", nargs="+", type=Path)
    args = parser.parse_args()
    runs = [validation.load(path) for path in args.workdir]
    simulated = any(directory.read(path)[1]["simulated"] for path in args.workdir)
    decode = lambda curves, post: pl.concat([one.events(post) for one in curves])
    before = [decode(curves, BASE) for curves, _ in runs]
    scores = [event_detection_ap(truth, b) for (_, truth), b in zip(runs, before, strict=True)]
    print(f"{'SIMULATED; ' if simulated else ''}{BASE}: event AP", *(f"{s:.4f}" for s in scores))
    print("\n| change | difference in event AP | 95 % | each run | detections |")
    print("|---|---|---|---|---|")
    for name, value in ((name, value) for name, values in CHANGES.items() for value in values):
        after = [decode(curves, BASE | {name: value}) for curves, _ in runs]
        parts = [
            paired_bootstrap(truth, b, a, seed=seed)
            for seed, ((_, truth), b, a) in enumerate(zip(runs, before, after, strict=True))
        ]
        pooled = PairedBootstrap(
            float(np.mean([part.difference for part in parts])),
            np.mean([part.samples for part in parts], axis=0),
        )
        low, high = pooled.interval()
        each = ", ".join(f"{part.difference:+.4f}" for part in parts)
        n = [sum(map(len, frames)) for frames in (before, after)]
        print(
            f"| {name}={value} | {pooled.difference:+.4f} | {low:+.4f} to {high:+.4f} "
            f"| {each} | {n[1] / n[0]:.2f}x |"
        )


if __name__ == "__main__":
    main()
