r"""What a few labelled nights of a device that the shipped weights never saw are worth.

python benchmarks/finetune.py --out runs/finetune          # eight minutes of processor time
python benchmarks/finetune.py --out runs/finetune --people 12 --held 6 --nights 8 \
    --steps 2 --scratch_nights 8 --scratch_steps 2         # does it work?

Simulates people of the population ``world`` with a watch unlike all that it has (`UNSEEN`: noise,
resolution and gain beyond those ranges, by a little or by far), takes the first N nights of
polysomnography of them, starts from the shipped weights (``init=release``) or from nothing, and
scores all on other people with the same watch. A fifth of the N nights is held out by the training
itself, as any user's is. One line of JSON for each: event AP and median absolute error of onset and
wakeup in minutes. Everything here is simulated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl

from sleepjax import metrics
from sleepjax.config import load_config
from sleepjax.data.raw import iter_recordings
from sleepjax.predict import Predictor, load
from sleepjax.runs.runtime import use_compilation_cache
from sleepjax.simulation import simulate_cohort
from sleepjax.simulation.watches import DEVICES, DeviceKind
from sleepjax.training import loop
from sleepjax.types import EVENTS

UNSEEN = {
    "near": DeviceKind(
        share=1.0,
        offset=8.0,
        tilt=6.0,
        sample_noise=(25.0, 40.0),
        epoch_noise=2.0,
        angle_noise=0.4,
        gain=0.6,
        limit=(1.5, 2.0),
        count=(1 / 24, 1 / 16),
        missing=0.5,
    ),
    "far": DeviceKind(
        share=1.0,
        offset=15.0,
        tilt=12.0,
        sample_noise=(40.0, 70.0),
        epoch_noise=4.0,
        angle_noise=1.5,
        gain=0.9,
        limit=(1.2, 1.8),
        count=(1 / 16, 1 / 10),
        missing=0.5,
    ),
}
"""Watches beyond all ranges of ``world``: its noise and its smallest step once to twice, and two to
ten times."""

COHORT: dict[str, Any] = dict(population="world", truth="psg", days=3)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--watch", choices=tuple(UNSEEN), default="near")
    parser.add_argument("--people", type=int, default=170, help="of whom nights are labelled")
    parser.add_argument("--held", type=int, default=60, help="people who are scored")
    parser.add_argument("--nights", type=int, nargs="+", default=[20])
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of a fine-tuning")
    parser.add_argument(
        "--rates", type=float, nargs="*", default=[], help="others, for the first of nights"
    )
    parser.add_argument("--steps", type=int, default=200, help="updates of a fine-tuning")
    parser.add_argument("--scratch_nights", type=int, nargs="+", default=[200])
    parser.add_argument("--scratch_steps", type=int, default=1_000, help="updates from nothing")
    args = parser.parse_args(argv)
    use_compilation_cache()
    DEVICES[args.watch] = UNSEEN[args.watch]
    held, pool = args.out / "held", args.out / "people"
    simulate_cohort(held, series=args.held, seed=1001, devices=(args.watch,), **COHORT)
    simulate_cohort(pool, series=args.people, seed=1000, devices=(args.watch,), **COHORT)

    def row(model: str, predictor: Predictor, **facts: Any) -> None:
        line = {"model": model, **facts, **score(predictor, held)}
        print(json.dumps(line), flush=True)
        with (args.out / "finetune.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def both(nights: int, steps: int, rate: float | None = None) -> tuple[Predictor, Predictor]:
        """The network of seed 0, and the mean of as many seeds as the shipped weights have."""
        seeds = range(len(release.members))
        runs = [load(trained(args.out, pool, nights, steps, rate, seed)) for seed in seeds]
        members = tuple(run.members[0] for run in runs)
        return runs[0], Predictor(members, release.post)

    (args.out / "finetune.jsonl").unlink(missing_ok=True)
    release = load()
    row("release", release)
    row("release, first member", Predictor(release.members[:1], release.post))
    rates = [(args.nights[0], rate) for rate in args.rates]
    for nights, rate in [(n, args.rate) for n in args.nights] + rates:
        one, several = both(nights, args.steps, rate)
        row("fine-tuned, first member", one, nights=nights, lr=rate)
        row("fine-tuned", several, nights=nights, lr=rate)
    for nights in args.scratch_nights:
        one, several = both(nights, args.scratch_steps)
        row("from nothing, one network", one, nights=nights)
        row("from nothing", several, nights=nights)


def trained(
    out: Path, pool: Path, nights: int, steps: int, rate: float | None = None, seed: int = 0
) -> Path:
    """Run directory of a training on the first nights of the pool; without a rate from nothing.

    With a rate, from the member of the shipped weights that belongs to the seed.
    """
    root = first_nights(pool, nights, out / f"nights{nights}")
    people = read(root / "train_nonwear.csv")["series_id"].n_unique()
    size: dict[str, Any] = {
        "total_steps": steps,
        "eval.every": steps,
        "ckpt_every": steps,
        "data.root": str(root),
    }
    size |= {"data.folds": min(5, people)}
    start: dict[str, Any] = {} if rate is None else {"init": "release", "optim.lr": rate}
    settings = size | start | {"seed": seed, "optim.warmup": max(1, steps // 10)}
    run = out / f"{nights}-{'nothing' if rate is None else f'{rate:g}'}-{seed}"
    loop.run(load_config("configs/world.py", settings), run)
    return run


def first_nights(pool: Path, nights: int, out: Path) -> Path:
    """A folder with the first labelled nights of a cohort, and the people who slept them."""
    if (out / "train_series.parquet").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    events = read(pool / "train_events.csv")
    labelled = events.drop_nulls("step").filter(event=EVENTS[0]).head(nights)
    if len(labelled) < nights:
        raise SystemExit(f"{pool} has {len(labelled)} labelled nights; raise --people.")
    known = labelled.select("series_id", "night", known=True)
    ids = pl.col("series_id").is_in(labelled["series_id"].unique().to_list())
    blank = [pl.when("known").then(name).alias(name) for name in ("step", "timestamp")]
    kept = events.filter(ids).join(known, on=["series_id", "night"], how="left")
    kept.with_columns(blank).drop("known").write_csv(out / "train_events.csv")
    for name in ("train_nonwear.csv", "train_awake.csv"):
        read(pool / name).filter(ids).write_csv(out / name)
    shutil.copyfile(pool / "simulation.json", out / "simulation.json")
    series = pl.scan_parquet(pool / "train_series.parquet").filter(ids)
    series.sink_parquet(out / "train_series.parquet")
    return out


def read(path: Path) -> pl.DataFrame:
    """A table of a cohort."""
    return pl.read_csv(path, schema_overrides={"series_id": pl.String})


def score(predictor: Predictor, held: Path) -> dict[str, Any]:
    """Event AP and median absolute errors on a cohort."""
    truth = read(held / "train_events.csv")
    found = list(predictor.find_each(list(iter_recordings(held / "train_series.parquet"))))
    events, windows = (pl.concat(getattr(f, k) for f in found) for k in ("events", "windows"))
    agreed = metrics.agreement(truth, windows, onset="onset_step", wakeup="wakeup_step")
    errors = {event: round(agreed.differences[event].median_absolute, 1) for event in EVENTS}
    ap = metrics.event_detection_ap(truth.drop_nulls("step"), events)
    return {"event_ap": round(ap, 4), **errors, "missed": agreed.missed}


if __name__ == "__main__":
    main(sys.argv[1:])
