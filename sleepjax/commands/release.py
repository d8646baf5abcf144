r"""Make a release: the weights of finished runs in files that need nothing else.

python scripts/release.py --workdir runs/world-seed0 runs/world-seed1 --out sleepjax/release
python scripts/predict.py --workdir FOLDER --series FILE --out found.csv     # FOLDER: the --out

Writes model.safetensors (parameters, averaged where the run keeps an average, and batch
statistics), config.json and card.md. Several runs are an ensemble: their probabilities are
averaged. predict.py and sleepjax.load() use the release in sleepjax/release where no run is named.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sleepjax import cli
from sleepjax.io import check_not_input
from sleepjax.text import counted, markdown
from sleepjax.types import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sleepjax.release import Weights


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--workdir", required=True, nargs="+", help="finished runs of train")
    parser.add_argument("--out", required=True, help="folder of the release")
    parser.add_argument(
        "--checkpoint", choices=("latest", "best"), default="latest", help="of each run"
    )
    parser.add_argument("--post", help="settings written by scripts/tune_postprocess.py")
    parser.add_argument("--notes", help="Markdown file that becomes the text of the model card")
    parser.add_argument("--half", action="store_true", help="float16: half the bytes")
    parser.add_argument("--overwrite", action="store_true", help="replace a release that exists")
    args = parser.parse_args(argv)
    return cli.answer(lambda: release_runs(args), "nothing was written")


def release_runs(args: argparse.Namespace) -> int:
    from sleepjax import postprocess, release
    from sleepjax.predict import load
    from sleepjax.training.weights import read_run

    out = Path(args.out)
    check_not_run(out)
    files = [out / name for name in (release.MODEL, release.CONFIG, release.CARD)]
    check_not_input("--out", files, [Path(path) for path in (args.notes, args.post) if path])
    if (out / release.MODEL).exists() and not args.overwrite:
        raise InputError(f"{out} holds a release; give another --out, or --overwrite.")
    if args.notes and not Path(args.notes).is_file():
        raise InputError(f"--notes {args.notes!r} does not exist.")
    members = [read_run(Path(workdir), args.checkpoint) for workdir in args.workdir]
    post = postprocess.read_settings(args.post) if args.post else dict(members[0].config.post)
    notes = Path(args.notes).read_text(encoding="utf-8") if args.notes else ""
    release.write(out, members, post, card(members, args.checkpoint, notes), half=args.half)
    load(out)  # what was written can be read and fits
    size = (out / release.MODEL).stat().st_size
    print(f"release: {out} ({counted(len(members), 'member')}, {size:,} bytes)")
    return 0


def check_not_run(out: Path) -> None:
    """Raise InputError for the folder of a run or of an ensemble, whose files would be lost."""
    for name in ("run.json", "ensemble.json"):
        if (out / name).exists():
            raise InputError(f"--out {str(out)!r} is the folder of a run; give another --out.")


def card(members: Sequence[Weights], checkpoint: str, notes: str) -> str:
    """The model card: the facts of every member, then what a person wrote."""
    kinds = {True: "simulated people only", False: "recordings of people"}
    rows = [
        {
            "seed": one.config.seed,
            "model": one.config.model.name,
            "features": ", ".join(f"`{name}`" for name in one.config.data.features),
            "trained on": kinds[one.run["simulated"]],
            "series": len(one.run["train_series"]),
            "updates": f"{one.run['step']} ({checkpoint})",
            "sleepjax": one.run["sleepjax"],
            "commit": (one.run["git_commit"] or "unknown")[:12],
            "jax": one.run["versions"]["jax"],
        }
        for one in members
    ]
    lines = ["# Model card", "", notes.strip(), "", "## Members", ""]
    return "\n".join([*lines, markdown([*rows[0]], [[*row.values()] for row in rows])]) + "\n"
