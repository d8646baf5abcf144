r"""Export a model as a program that needs neither sleepjax nor its settings.

python scripts/export.py --out model                                   # the shipped weights
python scripts/export.py --workdir runs/spec2d --out model --onnx --check recording.parquet

Writes model.stablehlo (for JAX on CPU, CUDA and TPU), with --onnx model.onnx, and signature.json.
Preprocessing is part of the program: clock, anglez and enmo of a whole recording in, probabilities
out. docs/examples/consume.py runs it with NumPy and the runtime alone (docs/deployment.md).
--check predicts the recordings of a file with each format as well, and says how far they agree.
"""

import argparse
from pathlib import Path

from sleepjax import cli
from sleepjax.io import check_folder
from sleepjax.types import InputError


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    cli.add_weights(parser, checkpoint=True)
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--onnx", action="store_true", help="write model.onnx, too")
    parser.add_argument("--int8", action="store_true", help="round weights to int8, per channel")
    parser.add_argument("--check", metavar="SERIES", help="file of recordings to compare on")
    parser.add_argument("--tz", help="IANA zone of the wall clock in --check")
    parser.add_argument("--overwrite", action="store_true", help="replace an exported model")
    args = parser.parse_args(argv)
    return cli.answer(lambda: export(args), "nothing was exported")


def export(args: argparse.Namespace) -> int:
    out = Path(args.out)
    check_out(out, args.overwrite)
    if args.check and not Path(args.check).exists():
        raise InputError(f"--check {args.check!r} does not exist.")

    from sleepjax.devices.series import iter_recordings
    from sleepjax.export import files, int8
    from sleepjax.predict import load

    if args.check:  # what cannot be read is said before anything is made
        next(iter_recordings(Path(args.check), tz=args.tz), None)
    predictor = load(args.workdir, args.checkpoint)
    formats = (files.STABLEHLO, files.ONNX) if args.onnx else (files.STABLEHLO,)
    signature = files.write(out, int8.rounded(predictor) if args.int8 else predictor, formats)
    for name, facts in signature["files"].items():
        print(f"{out / name}: {facts['bytes']:,} bytes")
    if args.check:
        compare(out, formats, predictor, args)
    return 0


def check_out(out: Path, overwrite: bool) -> None:
    """Raise InputError for a folder with something else, or with what must not be replaced."""
    check_folder("--out", out)
    if not out.exists():
        return
    known = {"signature.json", "model.stablehlo", "model.onnx"}
    others = sorted(path.name for path in out.iterdir() if path.name not in known)
    if others:
        raise InputError(f"--out {str(out)!r} holds {others[0]}; give an empty or new folder.")
    if any(out.iterdir()) and not overwrite:
        raise InputError(f"{out} holds an exported model; give another --out, or --overwrite.")


def compare(out: Path, formats, predictor, args: argparse.Namespace) -> None:
    """Print how far each format agrees with the predictor on the recordings of a file."""
    from sleepjax.devices.series import iter_recordings
    from sleepjax.export import difference, files

    runs = {name: files.read(out, name) for name in formats}
    for recording in iter_recordings(Path(args.check), tz=args.tz):
        for name, run in runs.items():
            print(f"{name}: {difference.of(run, predictor, recording)}")
