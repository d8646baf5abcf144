r"""Compare runs: settings that differ, scores with intervals, a paired test, learning curves.

python scripts/compare.py runs/spec1d runs/spec2d
python scripts/compare.py runs/a runs/b runs/c --out comparison

Prints markdown for a paper or a pull request, and writes it with its figure into the folder --out.
Every run is compared with the first; that needs the same validation series. The folder of a
cross-validation is compared by its out-of-fold predictions.
"""

import sys
from pathlib import Path

from sleepjax import cli
from sleepjax.io import check_folder, save_figure, write_text
from sleepjax.types import InputError

METHODS = (
    "Models were compared on the same held-out series by event-detection average precision, and "
    "their difference tested by a paired bootstrap over series, with {software}."
)
"""For a paper."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of train or crossval")
    parser.add_argument("--out", default="comparison", help="folder to write to (comparison)")
    args = parser.parse_args(argv)
    return cli.answer(
        lambda: compare([Path(run) for run in args.runs], Path(args.out)),
        "run the same command again",
    )


def compare(workdirs: list[Path], out: Path) -> int:
    if len({path.resolve() for path in workdirs}) < 2:
        raise InputError("give at least two run directories, such as runs/spec1d runs/spec2d.")
    check_folder("--out", out)
    for workdir in workdirs:
        if out.resolve().is_relative_to(workdir.resolve()):
            raise InputError(f"--out {str(out)!r} lies in the run {str(workdir)!r}, which is read.")

    # matplotlib and JAX are imported late: a wrong path is reported at once.
    from sleepjax import provenance
    from sleepjax.evaluation import compare
    from sleepjax.runs.ensemble import FILE, is_ensemble

    # Folders of the same name are told apart by their whole path.
    names = [path.name for path in workdirs]
    names = [n if names.count(n) == 1 else str(p) for n, p in zip(names, workdirs, strict=True)]
    runs = [compare.read_run(*pair) for pair in zip(workdirs, names, strict=True)]
    text = compare.report(runs, "learning_curves.png")
    out.mkdir(parents=True, exist_ok=True)
    save_figure(out / "learning_curves.png", compare.learning_curves(runs))
    write_text(out / "comparison.md", text)
    facts = [path / (FILE if is_ensemble(path) else "run.json") for path in workdirs]
    read = {f"{n}/{path.name}": path for n, path in zip(names, facts, strict=True)}
    written = [out / "comparison.md", out / "learning_curves.png"]
    provenance.write_of_work(METHODS, read, written)
    print(text)
    print(f"written to {out / 'comparison.md'}", file=sys.stderr)
    return 0
