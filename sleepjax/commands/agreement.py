r"""Compare sleep windows with a reference: errors, limits of agreement, epochs, a picture.

python scripts/agreement.py --truth truth.csv --found found_windows.csv
python scripts/agreement.py --truth truth.csv --found model=found_windows.csv \
    --found hdcza=hdcza_windows.csv --found vanhees2015=vanhees_windows.csv \
    --found clock=clock_windows.csv

Windows are csv or parquet with series_id, onset_step and wakeup_step, as scripts/predict.py,
scripts/baseline.py and, with other columns, scripts/process.py (nights.csv) write them; --truth may
also be events in the competition's format. A column ``person`` in it tells which series belong
together. docs/agreement.md says what is computed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sleepjax import cli
from sleepjax.io import check_output, provenance_path, save_figure
from sleepjax.text import counted
from sleepjax.types import InputError

if TYPE_CHECKING:
    from sleepjax.metrics import Agreement

METHODS = (
    "Onsets, wakeups and durations of sleep windows were compared with the reference night by "
    "night: median absolute error, bias and 95 % limits of agreement (Bland and Altman 1986), "
    "with {software}."
)
"""For a paper."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--truth", required=True, help="true windows, or events, csv or parquet")
    parser.add_argument(
        "--found", required=True, action="append", metavar="[NAME=]FILE", help="may be repeated"
    )
    parser.add_argument("--stages", help="series_id, step, asleep of each step, csv or parquet")
    parser.add_argument("--onset", default="onset_step", help="onset column of --truth")
    parser.add_argument("--wakeup", default="wakeup_step", help="wakeup column of --truth")
    parser.add_argument("--naps", action="store_true", help="judge naps of --found too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--figure", help="Bland-Altman picture to write, ending in .png")
    parser.add_argument("--overwrite", action="store_true", help="replace --figure if it exists")
    args = parser.parse_args(argv)
    return cli.answer(lambda: compare(args), "no agreement was computed")


def compare(args: argparse.Namespace) -> int:
    files = named_files(args.found)
    inputs = [Path(path) for path in (args.truth, args.stages) if path] + list(files.values())
    if args.figure:
        outputs = [Path(args.figure), provenance_path(Path(args.figure))]
        check_output("--figure", *outputs, suffix=".png", overwrite=args.overwrite, inputs=inputs)

    from sleepjax.metrics import agreement
    from sleepjax.metrics.agreement_text import as_dict, as_text
    from sleepjax.tables import read_table

    truth = read_table(args.truth)
    stages = read_table(args.stages) if args.stages else None
    results = {}
    for name, path in files.items():
        found = read_table(path)
        try:
            results[name] = agreement(
                truth, found, stages, onset=args.onset, wakeup=args.wakeup, naps=args.naps
            )
        except InputError as error:
            raise InputError(f"{args.truth}, {path}: {error}") from None
        check_series(results[name], f"{args.truth}, {path}")
    if args.json:
        print(json.dumps({name: as_dict(result) for name, result in results.items()}, indent=1))
    else:
        print(as_text(results))
    if args.figure:
        from sleepjax import provenance
        from sleepjax.figures.agreement import bland_altman

        save_figure(outputs[0], bland_altman(results))
        provenance.write_of_work(METHODS, inputs, outputs[:1])
        print(f"figure: {args.figure}", file=sys.stderr)
    return 0


def check_series(result: Agreement, where: str) -> None:
    """Raise InputError where windows were found, and none in a series of the truth."""
    from sleepjax.metrics.agreement import WITHOUT_TRUTH

    others = result.left_out.get(WITHOUT_TRUTH, 0)
    if others and not result.extra and result.missed == result.n_truth:
        raise InputError(
            f"{where}: truth and found have no series_id in common (truth begins with "
            f"{result.nights['series_id'][0]!r}, {counted(others, 'window')} found are of others); "
            "do the two files belong together?"
        )


def named_files(found: list[str]) -> dict[str, Path]:
    """Name -> file of each --found; a file without a name is called as it is."""
    files = {}
    for text in found:
        name, _, path = text.rpartition("=")
        name = name or Path(path).stem.removesuffix("_windows")
        if name in files:
            raise InputError(f"--found {name!r} is given twice; name each: --found NAME=FILE.")
        files[name] = Path(path)
    return files
