r"""What a teacher is worth to a small network: soft targets on all people against labels of a few.

python benchmarks/distillation.py --out runs/distillation             # two hours of one core
python benchmarks/distillation.py --out runs/distillation --people 12 --labelled 6 --held 4 \
    --config configs/distilled.py:tiny --steps 4                      # does it work?

Simulates people of both worlds, new to the shipped weights; a part of them has labels, as where
polysomnography is dear and recordings are not. The network of configs/distilled.py learns what the
shipped weights say of all of them (scripts/distill.py), and, from the same start and in as many
updates, the labels of that part. Both are scored with their teacher on other simulated people:
event AP, median absolute errors of windows in minutes, differences of AP with a paired bootstrap
over people. The size is that of a release of half precision (scripts/release.py --half), which is
what is scored.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl
from finetune import read

from sleepjax import metrics
from sleepjax.commands import distill, release, train
from sleepjax.data.raw import iter_recordings
from sleepjax.predict import load
from sleepjax.release import MODEL
from sleepjax.runs.runtime import use_compilation_cache
from sleepjax.simulation import simulate_cohort
from sleepjax.types import EVENTS

COHORT: dict[str, Any] = dict(population="both_worlds", truth="psg")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=4_000)
    parser.add_argument("--labelled", type=int, default=400, help="people with labels")
    parser.add_argument("--held", type=int, default=120, help="people who are scored")
    parser.add_argument("--config", default="configs/distilled.py")
    parser.add_argument("--steps", type=int, help="updates; default: those of the config")
    args = parser.parse_args(argv)
    use_compilation_cache()
    held, people, few = (args.out / name for name in ("held", "people", "few"))
    simulate_cohort(held, series=args.held, days=4, seed=77, **COHORT)
    if not few.exists():
        simulate_cohort(people, series=args.people, days=3, seed=1, **COHORT)
        leave_labels(people, args.labelled, few)
    steps = args.steps and [
        f"--config.{key}={args.steps}" for key in ("total_steps", "eval.every", "ckpt_every")
    ]
    rest = [*(steps or ()), "--config.optim.warmup=1"] if args.steps else []
    runs = {"student": args.out / "student", "the same on labels": args.out / "labels"}
    learned = {"student": (distill, people), "the same on labels": (train, few)}
    for name, (command, root) in learned.items():
        flags = ["--config", args.config, "--workdir", str(runs[name])]
        if code := command.main([*flags, f"--config.data.root={root}", *rest]):
            raise SystemExit(code)
    truth = read(held / "train_events.csv")
    found = {"teacher": score(None, held, truth)}
    for name, run in runs.items():
        half = args.out / f"{run.name}-half"
        release.main(["--workdir", str(run), "--out", str(half), "--half", "--overwrite"])
        found[name] = score(half, held, truth)
    with (args.out / "distillation.jsonl").open("w") as file:
        for name, (facts, events) in found.items():
            line: dict[str, Any] = {"model": name, **facts}
            for other in ("teacher", "the same on labels"):
                pair = metrics.paired_bootstrap(truth.drop_nulls("step"), found[other][1], events)
                line[f"less {other}"] = [round(pair.difference, 4), *pair.interval()]
            print(json.dumps(line), flush=True)
            file.write(json.dumps(line) + "\n")


def leave_labels(people: Path, labelled: int, few: Path) -> None:
    """Keep the labels of some people only; these alone, with their recordings, go to ``few``."""
    events = read(people / "train_events.csv")
    ids = sorted(events["series_id"].unique())[:labelled]
    kept = pl.col("series_id").is_in(ids)
    few.mkdir(parents=True)
    for path in sorted(people.glob("train_*.csv")):
        table = read(path).filter(kept)
        table.write_csv(few / path.name)
        table.write_csv(path)
    shutil.copyfile(people / "simulation.json", few / "simulation.json")
    series = pl.scan_parquet(people / "train_series.parquet").filter(kept)
    series.sink_parquet(few / "train_series.parquet")


def score(workdir: Path | None, held: Path, truth: pl.DataFrame) -> tuple[dict, pl.DataFrame]:
    """(figures, events found) of a model on people it has not seen."""
    predictor = load(workdir)
    found = list(predictor.find_each(list(iter_recordings(held / "train_series.parquet"))))
    events, windows = (pl.concat(getattr(f, k) for f in found) for k in ("events", "windows"))
    agreed = metrics.agreement(truth, windows, onset="onset_step", wakeup="wakeup_step")
    facts: dict[str, Any] = {
        "event_ap": round(metrics.event_detection_ap(truth.drop_nulls("step"), events), 4)
    }
    facts |= {event: round(agreed.differences[event].median_absolute, 1) for event in EVENTS}
    facts |= {"missed": agreed.missed, "bytes": workdir and (workdir / MODEL).stat().st_size}
    return facts, events


if __name__ == "__main__":
    main(sys.argv[1:])
