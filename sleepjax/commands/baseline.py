r"""Score a baseline without deep learning on the held-out fold of a config, or apply it to a file.

python scripts/baseline.py --name hdcza --config configs/spec1d.py --data data/child-mind
python scripts/baseline.py --name vanhees2015 --series my_series.parquet --out submission.csv
python scripts/baseline.py --name clock --series my_series.parquet --truth truth.csv --out clock.csv

The first scores the same series as scripts/train.py with the same config does, and with --out also
writes what was found in them. The second applies the baseline to recordings without labels, and
writes the sleep windows beside the submission (<out>_windows.csv), as scripts/predict.py does;
logistic is fitted on the config's training series before. ``clock`` is constant clock time: the
median onset and wakeup of --truth on every night. docs/baselines.md explains them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import cli
from sleepjax.config import load_config
from sleepjax.io import check_output, provenance_path, reserved, write_table
from sleepjax.text import counted
from sleepjax.types import InputError

if TYPE_CHECKING:
    import polars as pl

    from sleepjax.data.recording import Recording

METHODS = {
    "hdcza": "Sleep windows were found by HDCZA (van Hees 2018) as implemented in {software}.",
    "vanhees2015": "Sleep windows were found by sustained inactivity (van Hees 2015) as "
    "implemented in {software}.",
    "logistic": "Sleep windows were found by a logistic regression on arm angle and movement, "
    "fitted to labelled recordings with {software}.",
    "clock": "Sleep windows were placed at the median clock times of the reference, the same on "
    "every night, with {software}.",
}
"""Of each baseline, for a paper."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--name", required=True, choices=tuple(METHODS))
    parser.add_argument("--config", default="configs/spec1d.py", help="whose data, fold and post")
    parser.add_argument("--data", help="folder of recordings in place of the config's data.root")
    parser.add_argument(
        "--series", help="recordings to apply it to: parquet, csv or a device's file"
    )
    parser.add_argument(
        "--tz", help="zone of the wall clock of --series or else of the config's data"
    )
    parser.add_argument("--truth", help="true windows or events of --series, for --name clock")
    parser.add_argument("--onset", default="onset_step", help="onset column of --truth")
    parser.add_argument("--wakeup", default="wakeup_step", help="wakeup column of --truth")
    parser.add_argument("--out", help="submission file to write, ending in .csv")
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    args = parser.parse_args(argv)
    return cli.answer(lambda: baseline(args), "nothing was written")


def baseline(args: argparse.Namespace) -> int:
    check_paths(args)
    work = apply if args.series else score
    if not args.out:
        return work(args)
    with reserved("--out", *outputs(args), overwrite=args.overwrite):
        read, results = inputs(args, every=False), outputs(args)[:-1]
        code = work(args)
        from sleepjax import provenance

        sentence = METHODS[args.name]
        provenance.write_of_work(sentence, read, results, name=args.name, zone=args.tz)
        return code


def check_paths(args: argparse.Namespace) -> None:
    """Raise InputError where the result could not be written, or nothing be read."""
    if args.overwrite and not args.out:
        raise InputError("--overwrite is for --out, which is not given.")
    if args.series and args.data and args.name != "logistic":
        raise InputError(f"--data is not read: {args.name} needs no training; leave it out.")
    if args.series and not args.out:
        raise InputError("--series needs --out, the submission file to write.")
    if args.series and not Path(args.series).exists():
        raise InputError(f"--series {args.series!r} does not exist.")
    if (args.name == "clock") != bool(args.truth) or (args.truth and not args.series):
        raise InputError("--name clock needs --series and --truth, and only it takes --truth.")
    if args.out:
        check_output(
            "--out", *outputs(args), suffix=".csv", overwrite=args.overwrite, inputs=inputs(args)
        )


def outputs(args: argparse.Namespace) -> list[Path]:
    out = Path(args.out)
    return [out, *([windows_path(args.out)] if args.series else []), provenance_path(out)]


def inputs(args: argparse.Namespace, every: bool = True) -> list[Path]:
    """Files that are read; with ``every`` those of the config's data even where they are not."""
    config: Any = load_config(args.config)
    root = Path(args.data or config.data.root)
    spec = args.config.partition(":")[0]
    given = [Path(path) for path in (args.series, args.truth, spec) if path]
    if not every and args.series and args.name != "logistic":
        return given
    return given + [path for path in root.glob("*") if path.is_file()]


def windows_path(out: str) -> Path:
    return Path(out).with_name(f"{Path(out).stem}_windows.csv")


def score(args: argparse.Namespace) -> int:
    from sleepjax import baselines, metrics, postprocess
    from sleepjax.metrics.summary import as_text

    config, data = open_data(args)
    predict = baselines.BASELINES[args.name](data.train, config.seed)
    events = baselines.find_events(predict, data.valid, config.post)
    result = metrics.evaluate(data.solution, events)
    kind = "SIMULATED participants" if data.simulated else "series"
    print(f"{args.name} on {len(data.valid)} held-out {kind}, fold {config.data.fold}")
    print(as_text(result, metrics.resample(result)))
    if args.out:
        print(f"submission: {postprocess.write_submission(events, args.out)}")
    return 0


def apply(args: argparse.Namespace) -> int:
    import polars as pl

    from sleepjax import baselines, postprocess
    from sleepjax.data import derived
    from sleepjax.devices.series import iter_recordings

    series, refused = [], []
    for recording in iter_recordings(Path(args.series), tz=args.tz, refused=refused):
        series.append(derived.with_features(recording, baselines.FEATURES))
    if not series:
        raise InputError(refused[0])
    if args.name == "clock":
        windows = constant_clock(args, series)
        ends = ["onset_step", "wakeup_step"]
        events = windows.unpivot(ends, index="series_id", variable_name="event", value_name="step")
        events = events.with_columns(pl.col("event").str.strip_suffix("_step"), score=1.0)
    else:
        train, seed = (), 0
        config: Any = load_config(args.config)
        if args.name == "logistic":  # the others need no fitting
            config, data = open_data(args)
            train, seed = data.train, config.seed
        predict = baselines.BASELINES[args.name](train, seed)
        windows = baselines.find_windows(args.name, predict, series)
        events = baselines.find_events(predict, series, config.post)
    postprocess.write_submission(events, args.out)
    write_table(windows_path(args.out), windows)
    print(f"submission: {args.out} ({counted(len(events), 'row')} of {len(series)} series)")
    print(f"sleep windows: {windows_path(args.out)} ({counted(len(windows), 'row')})")
    return cli.left_out(refused)


def constant_clock(args: argparse.Namespace, series: list[Recording]) -> pl.DataFrame:
    """The window of each night at the median clock times of the truth."""
    import polars as pl

    from sleepjax import baselines
    from sleepjax.baselines import constant
    from sleepjax.metrics.agreement import read_windows
    from sleepjax.tables import read_table

    truth, _ = read_windows(read_table(args.truth), args.truth, args.onset, args.wakeup)
    times = constant.fit(truth, {one.meta.series_id: one.meta for one in series})
    onset, wakeup = (f"{t // 3600:02}:{t % 3600 // 60:02}" for t in times)
    print(f"constant clock time of these nights: {onset} to {wakeup}")
    return pl.concat(baselines.as_windows(constant.periods(times, one.meta), one) for one in series)


def open_data(args: argparse.Namespace):
    """(config, training data of its fold with the features of the baselines)."""
    from sleepjax.baselines import FEATURES
    from sleepjax.data.source import open_training_data

    given = {"data.root": args.data, "data.tz": None if args.series else args.tz}
    config: Any = load_config(args.config, {k: v for k, v in given.items() if v})
    settings = config.data.to_dict() | {"features": FEATURES}
    return config, open_training_data(settings, config.simulate)
