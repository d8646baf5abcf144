"""Read and validate the competition's files, and write the feature store that training reads.

python scripts/prepare_data.py --data data/raw --phase train --out data/processed

Run it again after an interruption or a change: it does what is missing, and nothing otherwise.
docs/data.md lists the files, every check, and what is repaired.
"""

import argparse
from pathlib import Path

from sleepjax import cli


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with {phase}_series.parquet (or csv)"
    )
    parser.add_argument(
        "--phase",
        choices=("train", "test"),
        required=True,
        help="train also reads train_events.csv",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the feature store")
    parser.add_argument(
        "--features", nargs="+", metavar="NAME",
        help="what to store (docs/data.md); other features are made where they are used",
    )  # fmt: skip
    parser.add_argument("--tz", help="IANA zone of the wall clock, such as Europe/London")
    parser.add_argument(
        "--drop_bad", "--drop-bad", action="store_true",
        help="leave out series and nights that cannot be used, and list them, instead of stopping",
    )  # fmt: skip
    args = parser.parse_args(argv)
    return cli.answer(lambda: prepare_store(args), "run the same command again to continue")


def prepare_store(args: argparse.Namespace) -> int:
    from sleepjax.data.features import PREPARED
    from sleepjax.data.store import prepare
    from sleepjax.runs.runtime import keep_freed_memory

    keep_freed_memory()
    names = args.features or PREPARED
    print(prepare(args.data, args.out, args.phase, names, tz=args.tz, drop_bad=args.drop_bad))
    return 0
