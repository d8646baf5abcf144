r"""Look at recordings: actograms of series, one night in detail, the validation series of a run.

python scripts/plot.py --series my_recording.parquet
python scripts/plot.py --series my_recording.parquet --night 2018-08-14 --events train_events.csv
python scripts/plot.py --workdir runs/spec2d --format png svg

With --series, the recordings of a file; --workdir beside it adds what that run's model finds in
them. With --workdir alone, the validation series of the run with true and found events. --events
adds labels, or detections where the file has a column score. One file per series goes to --out.

Exit codes: 0 every series was drawn; 2 none could be; 3 some were left out, and are named.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import cli
from sleepjax.io import check_folder, check_not_input, save_figure
from sleepjax.stdio import warn
from sleepjax.types import InputError

if TYPE_CHECKING:
    import polars as pl

    from sleepjax.figures.shown import View


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--series", help="parquet, csv or a device's file (.gt3x, .bin, .cwa)")
    parser.add_argument("--workdir", help="run directory of train")
    parser.add_argument("--events", help="labels or detections: series_id, event, step[, score]")
    parser.add_argument("--series_id", help="draw this series only")
    parser.add_argument("--night", help="draw one night: the date of its evening, 2018-08-14")
    parser.add_argument("--tz", help="IANA zone of the wall clock, such as Europe/London")
    parser.add_argument("--out", default="plots", help="folder to write to (plots)")
    parser.add_argument("--format", nargs="+", choices=("png", "svg"), default=["png"])
    args = parser.parse_args(argv)
    return cli.answer(lambda: draw(args), "pictures so far stay")


def draw(args: argparse.Namespace) -> int:
    if not args.series and not args.workdir:
        raise InputError("give --series FILE, --workdir RUN, or both; --help shows examples.")
    if args.tz and not args.series:
        raise InputError("--tz is read with --series; a run's data have data.tz of its config.")
    if args.series and not Path(args.series).exists():
        raise InputError(f"--series {args.series!r} does not exist.")
    out = Path(args.out)
    check_folder("--out", out)

    # matplotlib and JAX are imported late: a wrong path is reported at once.
    from sleepjax.data.store_files import folder_name
    from sleepjax.figures.actogram import actogram
    from sleepjax.figures.night import night_figure
    from sleepjax.tables import read_table

    events = read_table(args.events) if args.events else None
    count, seen, refused = 0, [], []
    for view, note in views(args, events, refused):
        seen.append(view.meta.series_id)
        if args.series_id and view.meta.series_id != args.series_id:
            continue
        title = ", ".join(filter(None, (view.meta.series_id[:40], note)))
        try:
            figure = night_figure(view, args.night, title) if args.night else actogram(view, title)
        except InputError as error:  # this series has no such night
            refused.append(str(error))
            continue
        out.mkdir(parents=True, exist_ok=True)
        name = "_".join(filter(None, (folder_name(view.meta.series_id), args.night)))
        for kind in args.format:
            path = out / f"{name}.{kind}"
            check_not_input("--out", [path], [Path(p) for p in (args.series, args.events) if p])
            save_figure(path, figure)
            print(path)
        count += 1
    if not count and refused:
        raise InputError(refused[0])
    if not count:
        raise InputError(
            f"--series_id {args.series_id!r} is not there; the series are {', '.join(seen[:10])}."
        )
    return cli.left_out(refused)


def views(
    args: argparse.Namespace, events: pl.DataFrame | None, refused: list[str]
) -> Iterator[tuple[View, str]]:
    """(what to draw, words for the title) of each series; ``refused`` gets the faults of others."""
    from sleepjax.devices.series import iter_recordings
    from sleepjax.figures import shown

    if not args.series:
        yield from views_of_run(Path(args.workdir), events)
        return
    recordings = iter_recordings(Path(args.series), tz=args.tz, refused=refused)
    if not args.workdir:
        for recording in recordings:
            given = shown.given(events, recording.meta.series_id)
            yield shown.View(recording, **given), ""
        return
    from sleepjax.predict import load

    predictor = load(args.workdir)
    for line in predictor.unfinished:
        warn(line)
    for recording in recordings:
        try:
            found = predictor.find(recording)
        except InputError as error:
            refused.append(str(error))
            continue
        known = {"found": found.events, "probabilities": found.probabilities}
        given = shown.given(events, recording.meta.series_id)
        yield shown.View(recording, **known | given), predictor.note


def views_of_run(workdir: Path, events: pl.DataFrame | None) -> Iterator[tuple[View, str]]:
    """The validation series of a finished run, from what it saved and the data it used.

    Given events stand in for the run's own labels or detections.
    """
    from sleepjax.data.source import open_training_data
    from sleepjax.figures import shown
    from sleepjax.runs import directory, validation

    config: Any
    config, run = directory.read(workdir)
    curves, solution = validation.load(workdir)
    store = open_training_data(config.data, config.simulate).store
    note = workdir.name + (", SIMULATED data" if run["simulated"] else "")
    for one in curves:
        series_id = one.recording.meta.series_id
        known = {
            "truth": solution.filter(series_id=series_id),
            "found": one.events(config.post),
            "probabilities": one.probabilities,
        }
        recording = store.recording(series_id)
        yield shown.View(recording, **known | shown.given(events, series_id)), note
