r"""What age and sex add to the signals, on simulated people whose age and sex matter.

python benchmarks/subjects.py --out runs/subjects          # some minutes a run, 2 x seeds
python benchmarks/subjects.py --out runs/subjects --series 6 --steps 4 --seeds 1    # does it work?

Simulates people of the population ``world``, whose kind (child, teenager, old, apnoea, ...) decides
when and how they sleep, draws an age and a sex that fit the kind, and trains the same small model
without the table, with it, and with a diagnosis in it, which tells most of the kind. Scored are
held-out simulated people: without a table, with it, and by the model that was trained with it but
is not given one. The figures say what such a table is worth in the simulation, where the ages and
the habits are what `AGES` and sleepjax/simulation/people.py say; they say nothing about real
people.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax import metrics
from sleepjax.config import load_config
from sleepjax.predict import load
from sleepjax.runs import validation
from sleepjax.runs.runtime import use_compilation_cache
from sleepjax.simulation import simulate_cohort
from sleepjax.training import input_pipeline, loop

AGES = {
    "child": (6, 12, 0.50),
    "teenager": (13, 18, 0.50),
    "adult": (19, 64, 0.50),
    "sedentary": (30, 64, 0.50),
    "old": (65, 90, 0.55),
    "insomnia": (30, 75, 0.60),
    "apnoea": (40, 75, 0.30),
    "restless_legs": (35, 80, 0.65),
}
"""Kind of person -> lowest and highest age, share of women: more of those with insomnia and
restless legs, fewer of those with apnoea, as in epidemiology."""

DIAGNOSES = ("insomnia", "apnoea", "restless_legs")
COVARIATES = ("age=5..90", "sex=female|male")
DIAGNOSED = (*COVARIATES, f"diagnosis={'|'.join(('none', *DIAGNOSES))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--series", type=int, default=120)
    parser.add_argument("--days", type=float, default=6)
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    use_compilation_cache()
    root, table = args.out / "people", args.out / "people.csv"
    args.out.mkdir(parents=True, exist_ok=True)
    if not (root / "train_series.parquet").exists():
        simulate_cohort(root, series=args.series, days=args.days, population="world")
    write_table(root / "participants.csv", table)
    rows = []
    for seed in range(args.seeds):
        kinds: dict[str, dict[str, Any]] = {
            "without": {},
            "with": {"data.subjects": str(table), "data.covariates": COVARIATES},
            "with diagnosis": {"data.subjects": str(table), "data.covariates": DIAGNOSED},
        }
        found = {}
        for kind, settings in kinds.items():
            config = configured(root, args.steps, seed, settings)
            workdir = args.out / f"{kind.replace(' ', '-')}-{seed}"
            loop.run(config, workdir)
            found[kind] = saved(workdir, config)
        config = configured(root, args.steps, seed, kinds["with"])
        found["with, no table"] = untold(args.out / f"with-{seed}", config)
        solution, base = found["without"]
        for kind, (_, events) in found.items():
            pair = metrics.paired_bootstrap(solution, base, events)
            row = {"seed": seed, "model": kind, "event_ap": metrics.evaluate(solution, events).ap}
            rows.append(row | {"difference": pair.difference, "interval_95": pair.interval()})
            print(json.dumps(rows[-1]), flush=True)
    (args.out / "subjects.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_table(participants: Path, out: Path) -> None:
    """Draw an age and a sex for every simulated person that fit their kind; and a diagnosis."""
    rng, rows = np.random.default_rng(0), []
    for series_id, kind in pl.read_csv(participants).select("series_id", "person").rows():
        low, high, women = AGES[kind]
        sex = "female" if rng.random() < women else "male"
        row = {"series_id": series_id, "age": int(rng.integers(low, high + 1)), "sex": sex}
        rows.append(row | {"diagnosis": kind if kind in DIAGNOSES else "none"})
    pl.DataFrame(rows).write_csv(out)


def configured(root: Path, steps: int, seed: int, settings: dict[str, Any]) -> Any:
    """The demo's model on the simulated people; the same but for ``settings``."""
    size = {"total_steps": steps, "eval.every": steps, "ckpt_every": steps, "seed": seed}
    size |= {"data.root": str(root), "optim.warmup": min(50, steps - 1)}
    return load_config("configs/spec1d.py:demo", size | settings)


def saved(workdir: Path, config: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(true events, events found) of the validation of a run."""
    curves, solution = validation.load(workdir)
    return solution, pl.concat([one.events(config.post) for one in curves])


def untold(workdir: Path, config: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The same for a run that is not told who the people are."""
    predictor, data = load(workdir), input_pipeline.open_data(config)
    found = [predictor.find(data.store.recording(one.meta.series_id)) for one in data.valid]
    return data.solution, pl.concat([one.events for one in found])


if __name__ == "__main__":
    main()
