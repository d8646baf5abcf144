r"""Find sleep onsets and wakeups in new recordings with a trained run.

python scripts/predict.py --workdir runs/spec2d --series my_series.parquet --out submission.csv

Writes the submission (row_id, series_id, step, event, score), beside it the same events with local
clock times (<out>_events.csv), and a picture of the nights of each series (<out>_figures/).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sleepjax.types import STEPS_PER_DAY, InputError


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workdir", required=True, help="run directory of scripts/train.py")
    parser.add_argument(
        "--series", required=True, help="parquet or csv in the competition's columns"
    )
    parser.add_argument("--out", required=True, help="submission file to write, ending in .csv")
    parser.add_argument("--checkpoint", choices=("latest", "best"), default="latest")
    parser.add_argument("--post", help="settings written by scripts/tune_postprocess.py")
    parser.add_argument("--tz", help="IANA zone of timestamps without UTC offset: Europe/London")
    parser.add_argument("--no_figures", action="store_true", help="write no pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    args = parser.parse_args(argv)
    try:
        return predict(args)
    except (InputError, OSError) as error:  # OSError: a disk that is full or read-only
        print(f"error: {error}", file=sys.stderr)
        return 2


def predict(args: argparse.Namespace) -> int:
    out = Path(args.out)
    events_path = out.with_name(f"{out.stem}_events.csv")
    figures_path = out.with_name(f"{out.stem}_figures")
    if out.suffix != ".csv":
        raise InputError(f"--out {args.out!r} must end in .csv.")
    if not out.parent.is_dir():
        raise InputError(f"folder {str(out.parent)!r} of --out does not exist; create it.")
    existing = [str(path) for path in (out, events_path) if path.exists()]
    if existing and not args.overwrite:
        raise InputError(f"{', '.join(existing)} exists; give another --out, or --overwrite.")
    if not Path(args.series).exists():
        raise InputError(f"--series {args.series!r} does not exist.")

    # JAX is imported late: a wrong path is answered at once.
    import polars as pl

    from sleepjax import postprocess
    from sleepjax.data import qc
    from sleepjax.data.raw import count_rows, iter_recordings
    from sleepjax.data.store_files import folder_name
    from sleepjax.predict import figure, load
    from sleepjax.progress import Progress

    post = postprocess.read_settings(args.post) if args.post else None
    predictor = load(args.workdir, args.checkpoint, post)
    note = ""
    if predictor.run["simulated"]:
        note = "model trained on SIMULATED data"
        print(f"WARNING: {note}; do not draw conclusions about people.", file=sys.stderr)
    events = []
    rows = count_rows([Path(args.series)])
    with Progress(rows, "predict", "steps") as progress:
        for found in predictor.find(iter_recordings(args.series, tz=args.tz)):
            meta = found.recording.meta
            days = meta.n_steps / STEPS_PER_DAY
            progress.say(f"{meta.series_id}: {days:.1f} days, {len(found.events)} candidates")
            for line in qc.summary([meta]):
                progress.say(line)
            if not args.no_figures:
                figures_path.mkdir(parents=True, exist_ok=True)
                figure(found, note).savefig(figures_path / f"{folder_name(meta.series_id)}.png")
            events.append(found.events)
            progress.advance(meta.n_steps)
    found_events = pl.concat(events)
    postprocess.write_submission(found_events, out)
    found_events.write_csv(events_path)
    print(f"submission: {out} ({len(found_events)} rows)")
    print(f"events with local times: {events_path}")
    if not args.no_figures:
        print(f"figures: {figures_path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
