"""Score detections against labelled events: event-detection AP and what it is made of.

python scripts/evaluate.py --events train_events.csv --submission submission.csv

Prints AP overall (with a 95 % interval from resampling series), per event and tolerance, the
localisation error of matched events, and what was left out of the score. docs/metric.md explains
the metric. With --html also a report, and beside it with what it was made.
"""

import argparse
import json
import re
from pathlib import Path

from sleepjax import cli
from sleepjax.io import check_output, provenance_path, write_text
from sleepjax.stdio import warn
from sleepjax.types import InputError

METHODS = (
    "Detections were scored against labelled events by event-detection average precision, the mean "
    "over ten tolerances from 1 to 30 minutes and over onsets and wakeups, with {software}; "
    "intervals are 95 % percentiles of a bootstrap over series."
)
"""For a paper."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--events", required=True, help="labels: series_id, event, step (csv or parquet)"
    )
    parser.add_argument(
        "--submission", required=True, help="detections: series_id, step, event, score"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--html", help="also write a report to this file, ending in .html")
    args = parser.parse_args(argv)
    return cli.answer(lambda: score(args), "nothing was scored")


def score(args: argparse.Namespace) -> int:
    from sleepjax.metrics import evaluate, resample
    from sleepjax.metrics.summary import as_dict, as_text, doubts
    from sleepjax.tables import read_table

    files = {"solution": args.events, "submission": args.submission}
    inputs = [Path(args.events), Path(args.submission)]
    if args.html:
        outputs = [Path(args.html), provenance_path(Path(args.html))]
        check_output("--html", *outputs, suffix=".html", overwrite=True, inputs=inputs)
    solution, submission = read_table(args.events), read_table(args.submission)
    try:
        result = evaluate(solution, submission)
        boot = resample(result)
    except InputError as error:
        what = re.split(r"[ :]", str(error))[0]
        raise InputError(f"{files[what]}: {error}" if what in files else str(error)) from None
    if args.html:
        from sleepjax import provenance
        from sleepjax.figures import report  # imported late: it brings matplotlib

        title = f"{Path(args.submission).name} against {Path(args.events).name}"
        write_text(outputs[0], report.build(title, solution, result, boot))
        provenance.write_of_work(METHODS, inputs, outputs[:1])
    for line in doubts(result, submission):
        warn(line)
    print(json.dumps(as_dict(result, boot), indent=2) if args.json else as_text(result, boot))
    return 0
