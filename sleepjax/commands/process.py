r"""Find the nights in device files: one file, or a folder of a hundred thousand.

python scripts/process.py my.gt3x --out nights --tz Europe/London
python scripts/process.py data/ --out nights --jobs 8

Writes nights.csv and .parquet (a row per night), nights_clean.csv (those that can be used),
people.csv, recordings.csv, a page per recording in reports/, study.html, and status.csv, a row per
file with what became of it. The same command resumes after an interruption, and takes up what is
there of the same files, settings, weights and version. docs/process.md has the rest.

Exit codes: 0 every file was used; 2 none could be; 3 some could not be, wholly or in part.
"""

import argparse
import os
from contextlib import closing
from pathlib import Path

from sleepjax import cli
from sleepjax.text import counted
from sleepjax.types import InputError

TIMEOUT = 1800.0
MIN_HOURS = 16.0
"""As `nights.reasons.MIN_HOURS`, which would be slow to import for --help."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("inputs", nargs="*", metavar="FILE_OR_FOLDER", help="names, no patterns")
    parser.add_argument("--out", required=True, help="folder of the results; created if missing")
    cli.add_weights(parser)
    reading = parser.add_argument_group("reading")
    reading.add_argument("--tz", help="IANA zone of the person's clock, such as Europe/London")
    reading.add_argument("--device_tz", help="zone that the device was set to, where it differs")
    reading.add_argument(
        "--columns", help="column names of raw tables, time=t,x=acc_x,y=acc_y,z=acc_z"
    )
    reading.add_argument(
        "--units", choices=("g", "mg", "m/s2"), help="units of raw tables (default: detected)"
    )
    reading.add_argument(
        "--lenient", action="store_true", help="use the undamaged parts of damaged files"
    )
    parser.add_argument(
        "--people", help="csv of series_id (or file) and person, where several are of one person"
    )
    parser.add_argument("--diary", help="csv of person, date, bed, onset, wakeup, rise to compare")
    parser.add_argument(
        "--diary_dates",
        choices=("evening", "morning"),
        help="what the diary's dates are: of the evening before the sleep, or the morning after",
    )
    parser.add_argument(
        "--min_hours",
        type=float,
        default=MIN_HOURS,
        help=f"of a night's 24 that must be recorded and worn for a clean one ({MIN_HOURS:g})",
    )
    parser.add_argument(
        "--no_reports", action="store_true", help="write no HTML page per recording"
    )
    running = parser.add_argument_group("running")
    running.add_argument("--jobs", type=int, help="processes (default: one per CPU)")
    running.add_argument(
        "--timeout", type=float, default=TIMEOUT, help=f"seconds for one file ({TIMEOUT:g})"
    )
    running.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="processes of this machine (default), or a Ray cluster, that of RAY_ADDRESS",
    )
    running.add_argument("--shard", metavar="N/COUNT", help="process one part; default from Slurm")
    running.add_argument("--merge", action="store_true", help="make the tables of all shards")
    args = parser.parse_args(argv)
    return cli.answer(lambda: process(args), "the same command resumes where it stopped")


def process(args: argparse.Namespace) -> int:
    from sleepjax import nights
    from sleepjax.data import zones
    from sleepjax.processing import run

    out = Path(args.out)
    if args.diary is not None and args.diary_dates is None:
        raise InputError(
            "--diary needs --diary_dates evening or morning: which date a night has in the diary."
        )
    diary = people = None
    if args.diary is not None:
        diary = nights.read_diary(args.diary, dates=args.diary_dates)
    if args.people is not None:
        people = nights.read_people(args.people)
    if args.merge:
        return run.merge(out, diary=diary, people=people)
    if not args.inputs:
        raise InputError("name a file or a folder to process.")
    if args.jobs is not None and args.jobs < 1:
        raise InputError(f"--jobs {args.jobs} must be at least 1.")
    if not args.timeout > 0:
        raise InputError(f"--timeout {args.timeout:g} must be more than 0 seconds.")
    if not 0 <= args.min_hours <= 24:
        raise InputError(f"--min_hours {args.min_hours:g} must be from 0 to 24.")
    for zone in (args.tz, args.device_tz):
        if zone is not None:
            zones.check(zone)  # once, and not of every file
    shard = run.Shard(*which_shard(args.shard))

    from sleepjax.devices import SUFFIXES
    from sleepjax.processing.engines import Local, OnRay
    from sleepjax.processing.inputs import find_inputs
    from sleepjax.processing.recipe import Settings

    inputs = find_inputs(args.inputs, out, SUFFIXES)
    ignored = "; ".join(inputs.ignored) or "nothing"
    print(f"{counted(len(inputs.files), 'file')}; not looked at: {ignored}")
    settings = Settings(
        workdir=args.workdir,
        tz=args.tz,
        device_tz=args.device_tz,
        columns=renamed(args.columns) if args.columns else None,
        units=args.units,
        lenient=args.lenient,
        min_hours=args.min_hours,
        reports=not args.no_reports,
    )
    jobs = args.jobs or min(run.cpus(), len(inputs.files))
    start = {"local": lambda: Local(jobs, args.timeout), "ray": lambda: OnRay(args.timeout)}
    with closing(start[args.engine]()) as engine:
        return run.run(inputs, out, settings, engine, shard, diary=diary, people=people)


def renamed(text: str) -> dict[str, str]:
    """``"time=t,x=ax"`` as a dictionary; raises InputError for other texts."""
    pairs = [part.split("=") for part in text.split(",")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise InputError(f"--columns {text!r} must be NAME=COLUMN,..., such as time=t,x=ax.")
    return dict(pairs)


def which_shard(text: str | None) -> tuple[int, int]:
    """(number from 1, count) of ``"3/100"``, else of the Slurm array job, else (1, 1).

    Raises InputError for anything else.
    """
    array = {name: os.environ.get(f"SLURM_ARRAY_TASK_{name}", "") for name in ("ID", "COUNT")}
    if text is None and not array["ID"]:
        return 1, 1
    first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", 1))
    try:
        if text is None:
            number, count = int(array["ID"]) - first + 1, int(array["COUNT"])
        else:
            number, count = map(int, text.split("/"))
    except ValueError:
        raise InputError(f"--shard {text!r} must be N/COUNT, such as 3/100.") from None
    if not 1 <= number <= count:
        given = f"--shard {text}" if text else f"Slurm's array task {array['ID']}, from {first}"
        raise InputError(
            f"{given}, of {count}, must be from 1 to the count; number an array 1-{count} without "
            "steps, or give --shard N/COUNT."
        )
    return number, count
