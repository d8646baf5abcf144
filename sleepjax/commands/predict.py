r"""Find sleep onsets and wakeups in new recordings with a trained run or an ensemble of runs.

python scripts/predict.py --workdir runs/spec2d --series my_series.parquet --out submission.csv

Writes the submission (row_id, series_id, step, event, score), beside it the same events with local
clock times (<out>_events.csv), when each person slept, a row per sleep (<out>_windows.csv), a
picture of the nights of each series (<out>_figures/), and with what all of it was made, with a
methods sentence for a paper (<out>_provenance.json). With --probabilities also what the model says
of every 5-s step: series_id, step, asleep, onset, wakeup, and worn where the model tells it.
A series that cannot be used is left out and named; the others are predicted.

Exit codes: 0 every series was predicted; 2 none could be, nothing is written; 3 some were left out.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sleepjax import cli
from sleepjax.io import (
    check_output,
    provenance_path,
    replacing,
    reserved,
    save_figure,
    write_json,
    write_table,
)
from sleepjax.stdio import warn
from sleepjax.text import counted
from sleepjax.types import STEPS_PER_DAY, InputError

if TYPE_CHECKING:
    import polars as pl

    from sleepjax.data.raw import Rows
    from sleepjax.data.recording import Recording
    from sleepjax.predict import Found, People, Predictor


TOGETHER = 30 * STEPS_PER_DAY
"""Rows from which series are enough to be predicted together, so that batches are full."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    cli.add_weights(parser, checkpoint=True)
    parser.add_argument(
        "--series",
        required=True,
        help="parquet or csv in the competition's columns, or a device's file (.gt3x, .bin, .cwa)",
    )
    parser.add_argument("--out", required=True, help="submission file to write, ending in .csv")
    parser.add_argument("--post", help="settings written by scripts/tune_postprocess.py")
    parser.add_argument("--tz", help="IANA zone of the wall clock, such as Europe/London")
    parser.add_argument(
        "--subjects", help="what is known of people (series_id, age, ...), if the model takes it"
    )
    parser.add_argument("--probabilities", help="file to write them to, ending in .parquet")
    parser.add_argument("--no_figures", action="store_true", help="write no pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    args = parser.parse_args(argv)
    return cli.answer(lambda: predict(args), "no events were written")


def predict(args: argparse.Namespace) -> int:
    out = Path(args.out)
    events_path = out.with_name(f"{out.stem}_events.csv")
    windows_path = out.with_name(f"{out.stem}_windows.csv")
    figures_path = out.with_name(f"{out.stem}_figures")
    made_with = provenance_path(out)
    outputs = (out, events_path, windows_path, made_with)
    inputs = inputs_of(args)
    pictures = sorted(figures_path.glob("*.png"))  # would be replaced
    check_output(
        "--out", *outputs, *pictures[:1], suffix=".csv", overwrite=args.overwrite, inputs=inputs
    )
    if args.probabilities:
        check_output(
            "--probabilities", Path(args.probabilities), suffix=".parquet",
            overwrite=args.overwrite, inputs=inputs,
        )  # fmt: skip
    if not Path(args.series).exists():
        raise InputError(f"--series {args.series!r} does not exist.")
    with reserved("--out", out, *outputs, overwrite=args.overwrite):
        return predict_into(args, outputs, figures_path)


def predict_into(args: argparse.Namespace, outputs: tuple[Path, ...], figures_path: Path) -> int:
    out, events_path, windows_path, made_with = outputs

    # JAX is imported late: a wrong path or file is reported at once.
    import polars as pl

    from sleepjax import postprocess, provenance
    from sleepjax.devices.series import count_rows

    n_rows = count_rows(Path(args.series))
    post = postprocess.read_settings(args.post) if args.post else None

    from sleepjax.predict import load
    from sleepjax.runs.runtime import keep_freed_memory, use_compilation_cache

    keep_freed_memory()
    use_compilation_cache()
    predictor = load(args.workdir, args.checkpoint, post)
    people = predictor.people(args.subjects) if args.subjects else {}
    for line in predictor.warnings:
        warn(line)
    with tempfile.TemporaryDirectory(prefix=f".{out.stem}.", dir=out.parent) as scratch:
        drawn, curves = Path(scratch) / "drawn", Path(scratch) / "curves"
        drawn.mkdir()
        curves.mkdir()
        asked = (None if args.no_figures else drawn, curves if args.probabilities else None)
        events, windows, faults = find(args, predictor, people, n_rows, *asked)
        if not events:
            raise InputError(faults[0])
        found, slept = pl.concat(events), pl.concat(windows)
        with ExitStack() as stack:
            # Put in place from the last to the first: where there is a submission, all is its own.
            new = [stack.enter_context(replacing(path)) for path in outputs]
            postprocess.write_submission(found, new[0])
            found.write_csv(new[1])
            slept.write_csv(new[2])
            results = {path.name: made for path, made in zip(outputs[:3], new, strict=False)}
            if args.probabilities:
                path = Path(args.probabilities)
                results[path.name] = stack.enter_context(replacing(path))
                join(curves, results[path.name])
            facts = provenance.of_prediction(
                provenance.of_model(predictor),
                inputs=provenance.described(inputs_of(args)),
                results=provenance.described(results),
                zone=args.tz,
                series=len(events),
            )
            write_json(new[3], facts)
            out.unlink(missing_ok=True)
            replace_pictures(figures_path, sorted(drawn.iterdir()))
    print(f"submission: {out} ({counted(len(found), 'row')})")
    print(f"events with local times: {events_path}")
    print(f"sleep windows: {windows_path} ({counted(len(slept), 'row')})")
    if args.probabilities:
        print(f"probabilities: {args.probabilities}")
    if not args.no_figures:
        print(f"figures: {figures_path}")
    print(f"made with: {made_with}")
    return cli.left_out(faults)


def inputs_of(args: argparse.Namespace) -> list[Path]:
    """The files that are read."""
    return [Path(path) for path in (args.series, args.post, args.subjects) if path]


def replace_pictures(folder: Path, pictures: list[Path]) -> None:
    """Put the pictures into a folder in place of those of an earlier prediction."""
    for old in folder.glob("*.png"):
        old.unlink()
    if pictures:
        folder.mkdir(exist_ok=True)
    for picture in pictures:
        picture.replace(folder / picture.name)


def join(parts: Path, out: Path) -> None:
    """One parquet file of those in a folder, in order, without reading them all at once."""
    import polars as pl

    pl.scan_parquet(sorted(parts.iterdir())).sink_parquet(out)


def in_groups(series: Iterable[Rows]) -> Iterator[list[Rows]]:
    """Series in groups of at least `TOGETHER` rows; those before an error come before it."""
    group: list[Rows] = []
    try:
        for rows in series:
            group.append(rows)
            if sum(one.frame.height for one in group) >= TOGETHER:
                yield group
                group = []
    except InputError:
        if group:
            yield group
        raise
    if group:
        yield group


Answer: TypeAlias = "tuple[str, int, Found | InputError, pl.DataFrame | None]"
"""Series id, number of rows, what was found in them or is wrong with them, sleep windows."""


def answers(
    path: Path, predictor: Predictor, people: People, tz: str | None = None
) -> Iterator[Answer]:
    """What is found in each series of a file, in order; two groups are worked on while one is read.

    Raises InputError, after the answers for what comes before, where the file cannot be read.
    """
    from sleepjax.devices.series import iter_rows
    from sleepjax.threads import in_order

    work = partial(find_group, predictor=predictor, people=people, tz=tz)
    return chain.from_iterable(in_order(work, in_groups(iter_rows(path, tz=tz))))


def find_group(
    group: list[Rows], predictor: Predictor, people: People, tz: str | None
) -> list[Answer]:
    """The answer for each series; their rows are not kept."""

    def recording(rows: Rows) -> Recording | InputError:
        try:
            return rows.recording(tz)
        except InputError as error:
            return error

    known = [people.get(rows.series_id) for rows in group]
    found = list(predictor.find_each([recording(rows) for rows in group], known))
    slept = [None if isinstance(one, InputError) else one.windows for one in found]
    ids, heights = [one.series_id for one in group], [one.frame.height for one in group]
    return list(zip(ids, heights, found, slept, strict=True))


def find(
    args: argparse.Namespace,
    predictor: Predictor,
    people: People,
    n_rows: int,
    figures: Path | None,
    curves: Path | None,
) -> tuple[list[pl.DataFrame], list[pl.DataFrame], list[str]]:
    """(events and windows of each series that can be used, what is wrong with each other one)."""
    from sleepjax.data import qc
    from sleepjax.data.store_files import folder_name
    from sleepjax.devices.series import until_fault
    from sleepjax.predict import figure
    from sleepjax.progress import Progress

    events, windows, faults = [], [], []
    series = answers(Path(args.series), predictor, people, args.tz)
    # How many rows a device file becomes is known when it has been read.
    with Progress(n_rows or 1, "predict", "rows") as progress:
        for one in until_fault(series, itemgetter(0)):
            if isinstance(one, InputError):
                faults.append(str(one))
                break
            _, height, found, slept = one
            progress.advance(height if n_rows else 0)
            if isinstance(found, InputError):
                faults.append(str(found))
                continue
            meta = found.recording.meta
            days = meta.n_steps / STEPS_PER_DAY
            candidates = counted(len(found.events), "candidate")
            progress.say(f"{meta.series_id}: {days:.1f} days, {candidates}")
            for line in qc.summary([meta]):
                progress.say(line)
            if figures:
                picture = figures / f"{folder_name(meta.series_id)}.png"
                save_figure(picture, figure(found, predictor.note))
            if curves:
                write_table(curves / f"{len(events):09d}.parquet", found.curves)
            events.append(found.events)
            windows.append(slept)
    return events, windows, faults
