"""Score detections against labelled events: event-detection AP and what it is made of.

python scripts/evaluate.py --events train_events.csv --submission submission.csv

Prints AP overall (with a 95 % interval from resampling series), per event and tolerance, the
localisation error of matched events, and what was left out of the score. docs/metric.md explains
the metric.
"""

import argparse
import json
import sys

from sleepjax.metrics import bootstrap, evaluate
from sleepjax.metrics.report import as_dict, as_text, read_table
from sleepjax.types import InputError


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--events", required=True, help="labels: series_id, event, step (csv or parquet)"
    )
    parser.add_argument(
        "--submission", required=True, help="detections: series_id, step, event, score"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    args = parser.parse_args()
    files = {"solution": args.events, "submission": args.submission}
    try:
        solution, submission = read_table(args.events), read_table(args.submission)
        result = evaluate(solution, submission)
        boot = bootstrap(solution, submission)
    except InputError as error:
        what = str(error).split()[0]
        where = f"{files[what]}: " if what in files else ""
        print(f"error: {where}{error}", file=sys.stderr)
        return 2
    print(json.dumps(as_dict(result, boot), indent=2) if args.json else as_text(result, boot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
