r"""Search for better settings of the post-processing on a run's saved validation probabilities.

python scripts/tune_postprocess.py --workdir runs/spec2d --out runs/spec2d/post.json
python scripts/predict.py --workdir runs/spec2d --post runs/spec2d/post.json --series ...

The model is not touched. Settings are chosen on some series and scored on others, so that the score
printed is not the one that was tuned; docs/postprocess.md says how.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from sleepjax import cli, custom
from sleepjax.io import check_output, write_json
from sleepjax.stdio import warn


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--workdir", required=True, help="folder of train or crossval")
    parser.add_argument("--trials", type=int, default=60, help="settings tried per choice (60)")
    parser.add_argument("--out", help="file to write (post.json in the run directory)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of folds, search and bootstrap (0)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    args = parser.parse_args(argv)
    return cli.answer(lambda: tune(args), "nothing was written")


def tune(args: argparse.Namespace) -> int:
    workdir = Path(args.workdir)
    out = Path(args.out) if args.out else workdir / "post.json"
    if args.out or workdir.is_dir():
        read = ("config.json", "run.json", "ensemble.json", "validation/series.json")
        inputs = [workdir / name for name in read] + list(workdir.glob("*/*.json"))
        check_output("--out", out, suffix=".json", overwrite=args.overwrite, inputs=inputs)

    from sleepjax.evaluation import tuning
    from sleepjax.progress import Progress
    from sleepjax.runs import validation

    simulated, own = describe(workdir)
    curves, solution = validation.load(workdir)
    if simulated:
        warn("the run is of SIMULATED data; so is what is found here.")
    folds = min(4, len(curves))
    with Progress((folds + 1) * max(args.trials, 1), "tune", "try") as bar:
        tuned = tuning.tune(
            curves, solution, own,
            trials=args.trials, n_folds=folds, seed=args.seed, advance=bar.advance,
        )  # fmt: skip
    write_json(out, custom.relative_to(report(args, tuned, own, simulated), out.parent))

    what = "held-out SIMULATED series" if simulated else "held-out series"
    interval = "95 % {:.4f} to {:.4f}".format
    print(f"event AP on {what} of the choice, mean of {len(tuned.folds)} folds:")
    print(f"  tuned       {tuned.score.ap:.4f}   {interval(*tuned.score.interval())}")
    print(f"  the run's   {tuned.own.ap:.4f}   {interval(*tuned.own.interval())}")
    low, high = tuned.difference.interval()
    print(
        f"  difference {tuned.difference.difference:+.4f}   {interval(low, high)}"
        f"   p = {tuned.difference.p:.3f}"
    )
    if low <= 0:
        print("no clear gain over the run's own settings: keep them")
    print(f"settings: {out}  {json.dumps(tuned.post)}")
    return 0


def describe(workdir: Path) -> tuple[bool, dict[str, Any]]:
    """(whether its data is simulated, its settings) of a run or of a cross-validation."""
    from sleepjax.runs import directory, ensemble

    config: Any
    if not ensemble.is_ensemble(workdir):
        config, run = directory.read(workdir)
        return run["simulated"], config.post.to_dict()
    members, own = ensemble.read(workdir)
    return any(directory.read(member)[1]["simulated"] for member in members.values()), own


def report(args: argparse.Namespace, tuned, own: dict, simulated: bool) -> dict:
    """What is written: ``post`` for predict.py, and how it was found."""
    return {
        "post": tuned.post,
        "event_ap": tuned.score.ap,
        "interval_95": tuned.score.interval(),
        "own": {"post": own, "event_ap": tuned.own.ap, "interval_95": tuned.own.interval()},
        "difference": tuned.difference.difference,
        "difference_interval_95": tuned.difference.interval(),
        "p": tuned.difference.p,
        "folds": [vars(fold) for fold in tuned.folds],
        "simulated": simulated,
        "workdir": str(args.workdir),
        "trials": args.trials,
        "seed": args.seed,
    }
