r"""Write a simulated cohort as the competition's files.

python scripts/simulate.py --out data/simulated --series 60 --days 14 --seed 0

The folder holds train_series.parquet, train_events.csv, test_series.parquet,
sample_submission.csv, and beside them latent_truth.csv (what truly happened) and simulation.json
(which marks the folder as simulated). See docs/simulation.md for what is modelled.
"""

from __future__ import annotations

import argparse
import sys
import time

from sleepjax.cli import answer
from sleepjax.simulation import simulate_cohort


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, help="folder to write; created if missing")
    parser.add_argument("--series", type=int, default=277, help="training participants (277)")
    parser.add_argument(
        "--days", type=float, help="days per recording (drawn as in the competition: 2.15 to 83)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (0)")
    parser.add_argument("--overwrite", action="store_true", help="replace another simulated cohort")
    args = parser.parse_args(argv)
    return answer(lambda: simulate(args), "run the same command again to continue")


def simulate(args: argparse.Namespace) -> int:
    began = time.monotonic()
    simulate_cohort(
        args.out, series=args.series, days=args.days, seed=args.seed, overwrite=args.overwrite
    )
    seconds = time.monotonic() - began
    print(f"{args.out}: {args.series} simulated series and 3 for testing, {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
