r"""What each ingredient of the shipped recipe is worth: one left out at a time.

python benchmarks/ingredients.py --out runs/ingredients
python benchmarks/ingredients.py --out runs/ingredients --seeds 3 --real --series NIGHTS.parquet \
  --truth truth.csv --stages sleep.parquet --columns persistent_onset_step persistent_wakeup_step

Trains the small net of configs/world.py for a fraction of its updates on a fraction of its people,
without one thing: kinds of watch, watches taken off, kinds of people, the output for worn, the
feature ``repeat``; and once for each kind of watch on all the others. All are judged by the same
simulated people, whom none has seen, by kind of watch (``benchmarks/people.py --cohort``), and,
where given, by real nights. A line of JSON each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import people

from sleepjax.config import load_config
from sleepjax.runs.runtime import use_compilation_cache
from sleepjax.simulation import people as kinds
from sleepjax.simulation import simulate_cohort, watches, world
from sleepjax.training import loop

ALL = tuple(watches.DEVICES)


def always_worn() -> None:
    world._wear = lambda rng, recording, clock, behaviour: ("always", [])


def adults_only() -> None:
    kinds.PEOPLE = {"adult": kinds.PEOPLE["adult"]}
    kinds.SCHEDULES = {"regular": 1.0}


LEFT_OUT: dict[str, tuple[tuple[str, ...], Callable[[], None] | None, dict[str, Any]]] = {
    "nothing": (ALL, None, {}),
    "kinds of watch": (("competition",), None, {}),
    "watches taken off": (ALL, always_worn, {}),
    "kinds of people": (ALL, adults_only, {}),
    "output for worn": (ALL, None, {"loss.worn": 0.0}),
    "feature repeat": (ALL, None, {"data.features": ("anglez", "enmo", "hour_sin", "hour_cos")}),
    **{f"watch {name}": (tuple(n for n in ALL if n != name), None, {}) for name in ALL},
}
"""Ingredient -> (kinds of watch that are left, change of the simulation, change of the config)."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=500, help="simulated participants")
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=tuple(LEFT_OUT), default=tuple(LEFT_OUT))
    parser.add_argument("--real", action="store_true", help="score real nights too")
    parser.add_argument("--series", help="real nights, as of benchmarks/people.py")
    parser.add_argument("--truth")
    parser.add_argument("--stages")
    parser.add_argument("--columns", nargs=2, default=("onset_step", "wakeup_step"))
    parser.add_argument("--seed", type=int, help="train this one seed in this process")
    args = parser.parse_args(argv)
    held = args.out / "held"
    simulate_cohort(held, series=args.people, days=3, seed=78, population="world", truth="psg")
    for name in args.only:
        for seed in range(args.seeds):
            if args.seed is None:  # a process of its own: the simulation is changed in it
                flags = [*argv, "--only", name, "--seed", str(seed)]
                subprocess.run([sys.executable, __file__, *flags], check=True)
            else:
                measure(name, args, held)
                return


def measure(name: str, args: argparse.Namespace, held: Path) -> None:
    """Train without one ingredient, unless that was done before, and print its scores."""
    use_compilation_cache()
    workdir = args.out / f"{name.replace(' ', '_')}-{args.seed}"
    worn, change, settings = LEFT_OUT[name]
    same = worn == ALL and change is None  # the same people are simulated once
    root = args.out / "cohorts" / ("nothing" if same else name.replace(" ", "_"))
    if change is not None:
        change()
    if not (workdir / "report.html").exists():
        simulate_cohort(
            root, series=args.people, days=3, population="world", truth="psg", devices=worn
        )
        size = {"total_steps": args.steps, "eval.every": args.steps, "seed": args.seed}
        config = load_config("configs/world.py", size | {"data.root": str(root)} | settings)
        loop.run(config, workdir)
    about = {"without": name, "seed": args.seed, "people": args.people, "steps": args.steps}
    for row in people.of_cohort(str(workdir), held):
        print(json.dumps(about | row), flush=True)
    if args.real:
        for row in people.of_nights(str(workdir), args):
            print(json.dumps(about | {"device": "real nights"} | row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
