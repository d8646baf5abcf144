r"""Write a simulated cohort as the competition's files.

python scripts/simulate.py --out data/simulated --series 60 --days 14 --seed 0
python scripts/simulate.py --out data/world --series 60 --days 10 --population world --truth psg

The folder holds train_series.parquet, train_events.csv, test_series.parquet,
sample_submission.csv, and beside them train_nonwear.csv (when nobody wore the watch),
train_awake.csv (awake within a night), what truly happened (latent_truth.csv, truth_beds.csv,
truth_steps.parquet), participants.csv, and simulation.json, which marks the folder as simulated.
See docs/simulation.md for what is modelled.
"""

import argparse
import time
from pathlib import Path

from sleepjax import cli


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--out", required=True, help="folder to write; created if missing")
    parser.add_argument("--series", type=int, default=277, help="training participants (277)")
    parser.add_argument("--days", type=float, help="days per recording (drawn where not given)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (0)")
    parser.add_argument(
        "--population",
        default="competition",
        help="who is simulated: competition, or world (competition)",
    )
    parser.add_argument(
        "--devices",
        nargs="+",
        default=(),
        metavar="NAME",
        help="kinds of watch in the population world, as docs/simulation.md lists them (all)",
    )
    parser.add_argument(
        "--truth",
        default="annotated",
        help="events as an annotator places them (annotated), or persistent sleep (psg)",
    )
    parser.add_argument(
        "--raw_hz",
        type=float,
        help="also write raw samples of the recordings for testing, so many a second, to raw/",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another simulated cohort")
    args = parser.parse_args(argv)
    return cli.answer(lambda: simulate(args), "run the same command again to continue")


def simulate(args: argparse.Namespace) -> int:
    from sleepjax.simulation import simulate_cohort

    began = time.monotonic()
    settings = dict(
        series=args.series,
        days=args.days,
        seed=args.seed,
        population=args.population,
        devices=args.devices,
        truth=args.truth,
    )
    simulate_cohort(args.out, **settings, overwrite=args.overwrite)
    if args.raw_hz is not None:
        from sleepjax.simulation.cohort import Cohort
        from sleepjax.simulation.raw_samples import write_raw_folder

        write_raw_folder(Path(args.out, "raw"), Cohort(**settings), args.raw_hz)
    seconds = time.monotonic() - began
    print(f"{args.out}: {args.series} simulated series and 3 for testing, {seconds:.1f} s")
    return 0
