r"""What a model is worth in each form that it can be deployed in: size, speed, score, same windows.

python scripts/simulate.py --out data/held --population world --truth psg --series 120 --days 4 \
    --seed 77
python benchmarks/deployed.py --cohort data/held release runs/distilled
python benchmarks/deployed.py --cohort data/held --series recording.parquet release

A RUN is a run directory, a release, or ``release`` for the shipped weights. Forms: ``sleepjax``
itself, the exported programs, both with int8 weights, and ONNX with int8 activations too (dynamic,
by onnxruntime.quantization). One line of Markdown for each: bytes on disk, seconds for a day of a
recording (the first call, which compiles, is not counted), event AP and median absolute error of
onset and wakeup in minutes on the cohort, greatest difference of a probability and of a window's
end from sleepjax, on the cohort or on the recordings of --series. Of the cohort, the recordings of
the commonest length are used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from flax.traverse_util import flatten_dict

from sleepjax import metrics, predict
from sleepjax.data.raw import iter_recordings
from sleepjax.data.recording import Recording
from sleepjax.export import difference, files, int8
from sleepjax.types import EVENTS, STEPS_PER_DAY, STEPS_PER_MINUTE

HEAD = "| run | form | bytes | s per day | event AP | onset / wakeup | probability | windows, min |"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--cohort", required=True, help="folder of scripts/simulate.py")
    parser.add_argument("--series", help="recordings on which windows are compared, too")
    args = parser.parse_args(argv)
    truth = pl.read_csv(
        Path(args.cohort) / "train_events.csv", schema_overrides={"series_id": pl.String}
    )
    recordings = of_one_length(iter_recordings(Path(args.cohort) / "train_series.parquet"))
    others = list(iter_recordings(args.series)) if args.series else []
    print(f"{HEAD}\n|{'---|' * (HEAD.count('|') - 1)}", flush=True)
    for name in args.runs:
        predictor = predict.load(name)
        ours = timed(predictor.find, recordings)
        arrays = [flatten_dict(member.variables, sep="/") for member in predictor.members]
        size = sum(4 * np.size(array) for one in arrays for array in one.values())
        row(name, "sleepjax (arrays)", size, *ours, ours[0], truth)
        theirs = [predictor.find(one) for one in others]
        for form, path, run in forms(predictor):
            like = dict(zip((one.meta.series_id for one in recordings), ours[0], strict=True))
            by = lambda one, run=run, like=like: difference.found_by(
                run, one, like[one.meta.series_id]
            )
            row(name, form, path.stat().st_size, *timed(by, recordings), ours[0], truth)
            for one, reference in zip(others, theirs, strict=True):
                found = difference.found_by(run, one, reference)
                print(f"|  | {one.meta.series_id} | | | | | {compared([found], [reference])} |")


def of_one_length(recordings: Iterable[Recording]) -> list[Recording]:
    """Those of the commonest length: exported programs compile for each length."""
    found = list(recordings)
    ((length, _),) = Counter(one.meta.n_steps for one in found).most_common(1)
    return [one for one in found if one.meta.n_steps == length]


def timed(find, recordings: list[Recording]) -> tuple[list[predict.Found], float]:
    """(what is found in each, seconds per day without the first one)."""
    find(recordings[0])
    begin = time.perf_counter()
    found = [find(one) for one in recordings]
    days = sum(one.meta.n_steps for one in recordings) / STEPS_PER_DAY
    return found, (time.perf_counter() - begin) / days


def forms(predictor: predict.Predictor) -> Iterator[tuple[str, Path, files.Program]]:
    """(name, file, function) of each exported form."""
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory() as folder:
        for weights, one in (("", predictor), (", int8 weights", int8.rounded(predictor))):
            out = Path(folder) / (weights.strip(", ") or "float")
            files.write(out, one, (files.STABLEHLO, files.ONNX))
            for name in (files.STABLEHLO, files.ONNX):
                yield f"{name.removeprefix('model.')}{weights}", out / name, files.read(out, name)
        source, target = Path(folder) / "float" / files.ONNX, Path(folder) / "dynamic.onnx"
        quantization.quantize_dynamic(
            source, target, op_types_to_quantize=["Conv", "MatMul"], per_channel=True
        )
        run = files.onnx.runner(target.read_bytes())
        yield "onnx, int8 weights and activations", target, run


def row(name, form, size, found, seconds, reference, truth) -> None:
    """Print a line of the table."""
    ids = [one.recording.meta.series_id for one in found]
    theirs = truth.filter(pl.col("series_id").is_in(ids))
    events = pl.concat([one.events for one in found])
    ap = metrics.event_detection_ap(theirs.drop_nulls("step"), events)
    windows = pl.concat([one.windows for one in found])
    agreed = metrics.agreement(theirs, windows, onset="onset_step", wakeup="wakeup_step")
    errors = " / ".join(f"{agreed.differences[event].median_absolute:.1f}" for event in EVENTS)
    cells = (name, form, f"{size:,}", f"{seconds:.3f}", f"{ap:.3f}", errors)
    print(f"| {' | '.join(cells)} | {compared(found, reference)} |", flush=True)


def compared(found: list[predict.Found], reference: list[predict.Found]) -> str:
    """Greatest difference of a probability, and of a window's end where their numbers agree."""
    pairs = list(zip(found, reference, strict=True))
    most = max(np.abs(a.probabilities - b.probabilities).max() for a, b in pairs)
    ends = [
        [one.windows.select("onset_step", "wakeup_step").to_numpy() for one in pair]
        for pair in pairs
    ]
    other = sum(len(a) != len(b) for a, b in ends)
    same = [np.abs(a - b).max(initial=0) / STEPS_PER_MINUTE for a, b in ends if len(a) == len(b)]
    more = f", {other} recordings with another number" if other else ""
    return f"{most:.0e} | {max(same, default=float('nan')):.1f}{more}"


if __name__ == "__main__":
    main(sys.argv[1:])
