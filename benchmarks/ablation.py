r"""The ablation that the design exists for: every extractor with every decoder, at equal budgets.

python benchmarks/ablation.py --out runs/ablation.jsonl                   # all parts
python benchmarks/ablation.py --out runs/ablation.jsonl --part pairs
python benchmarks/ablation_tables.py --rows runs/ablation.jsonl           # what came of it

Every entry trains on the simulated cohort of the demos and leaves one JSON line. Entries that the
file already has are skipped, and an interrupted one resumes, so the same command finishes what was
begun; commands side by side (one per core) share the work. Parts:

pairs       configs/parts.py: all extractors x all decoders, seed 0
models      the :demo of every model's config, at the budget of the pairs
downsample  cnn + unet1d at frames of 2, 4, 6, 8 and 12 steps; at 2 also with 8 and 9 levels
recipe      configs/spec1d.py:demo at its own budget, with one setting changed
duration    cnn + unet1d in windows of 2,880, 5,760 and 17,280 steps, as many steps of signal each
best        the five best pairs again with seeds 1 and 2 (after the pairs)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from operator import attrgetter
from pathlib import Path
from typing import Any

import jax
import numpy as np

import sleepjax
from sleepjax import models
from sleepjax.config import load_config
from sleepjax.lock import InUseError
from sleepjax.types import STEPS_PER_DAY, InputError

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
DAY_WINDOWS = 4
"""Windows of a day in a batch; shorter windows are as many more."""

KEYS = ("config", "extractor", "decoder", "downsample", "duration", "seed", "change")
Entry = dict[str, Any]
RECIPES: dict[str, dict[str, Any]] = {
    "none": {},
    "tolerance": {"loss.target": "tolerance", "loss.decay": 4000},
    "reverse": {"augment.reverse": 0.5},
    "cutmix": {"augment.cutmix": 0.3},
    "mixup": {"augment.mixup": 0.3},
    "no EMA": {"ema": 0.0},
    "spec": {"model.extractor": {"name": "spec", "height": 16}},
    "panns": {"model.extractor": {"name": "panns", "height": 16}},
}
"""Name -> settings of configs/spec1d.py:demo."""

LEVELS: dict[str, dict[str, Any]] = {
    "8 levels": {"model.decoder.widths": (16, 24, 32, 48, 64, 96, 96, 96)},
    "9 levels": {"model.decoder.widths": (16, 24, 32, 48, 64, 96, 96, 96, 96)},
}
"""Name -> settings of configs/parts.py."""


def entry(
    extractor="cnn",
    decoder="unet1d",
    downsample=12,
    duration=STEPS_PER_DAY,
    seed=0,
    config="parts",
    change="",
) -> Entry:
    values = (config, extractor, decoder, downsample, duration, seed, change)
    return dict(zip(KEYS, values, strict=True))


PAIRS = [entry(e, d) for e in models.EXTRACTORS for d in models.DECODERS]
MODELS = [
    entry("", "", config=name)
    for name in ("spec1d", "spec2d", "lstm", "transformer", "centernet", "detr")
]
DOWNSAMPLE = [entry(downsample=rate) for rate in (2, 4, 6, 8, 12)]
DEEPER = [entry(downsample=2, change=name) for name in LEVELS]
RECIPE = [entry("", "", config="spec1d", change=name) for name in RECIPES]
DURATION = [entry(duration=steps) for steps in (2_880, 5_760, STEPS_PER_DAY)]


def best(rows: list[Entry], count: int = 5) -> list[Entry]:
    """The best of all pairs with two more seeds."""
    done = [row for row in rows if {k: row[k] for k in KEYS} in PAIRS]
    if len(done) < len(PAIRS):
        return []
    done.sort(key=lambda row: -row["event_ap"])
    return [{k: row[k] for k in KEYS} | {"seed": seed} for row in done[:count] for seed in (1, 2)]


def key(one: Entry) -> tuple:
    return tuple(one[name] for name in KEYS)


def folder(one: Entry) -> str:
    return "-".join(str(value) for value in key(one) if value != "")


def read(path: Path) -> list[Entry]:
    """Rows so far; the first of each entry counts."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = {}
    for line in lines:
        row = {"change": ""} | json.loads(line)
        rows.setdefault(key(row), row)
    return list(rows.values())


def run(one: Entry, workdir: Path, cohort: dict[str, Any], steps: int) -> Entry:
    """Train one entry, or resume it; its result."""
    batch = DAY_WINDOWS * STEPS_PER_DAY // one["duration"]
    arguments = "demo"
    if one["config"] == "parts":
        arguments = ",".join(f"{name}={one[name]}" for name in KEYS[1:-2])
    overrides = cohort | {"seed": one["seed"], "batch_size": batch}
    if one not in RECIPE:
        overrides |= {"total_steps": steps, "eval.every": steps, "ckpt_every": min(200, steps)}
    config = load_config(f"{CONFIGS / one['config']}.py:{arguments}", overrides)
    with config.unlocked():
        for name, value in (RECIPES | LEVELS).get(one["change"], {}).items():
            group, _, last = name.rpartition(".")
            setattr(attrgetter(group)(config) if group else config, last, value)
    start, cpu = time.monotonic(), time.process_time()
    result = sleepjax.train(config, workdir)
    seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    rates = [r["train/steps_per_second"] for r in map(json.loads, lines) if "train/loss" in r]
    model = models.build(**config.model, downsample=config.data.downsample)
    x = jax.ShapeDtypeStruct((1, 960, len(config.data.features)), np.float32)
    shapes = jax.eval_shape(lambda key, x: model.init(key, x, train=False), jax.random.key(0), x)
    jax.clear_caches()
    metrics = {name: round(result.metrics[name], 4) for name in ("event_ap", "loss")}
    for event in ("onset", "wakeup"):
        metrics[f"event_ap/{event}"] = round(result.metrics[f"event_ap/{event}"], 4)
    return one | metrics | {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])),
        "steps": config.total_steps,
        "batch": batch,
        "cohort": cohort,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "steps_per_second": round(float(np.median(rates)), 2),
        "simulated": result.simulated,
    }  # fmt: skip


PARTS = {
    "pairs": lambda rows: PAIRS,
    "models": lambda rows: MODELS,
    "downsample": lambda rows: DOWNSAMPLE + DEEPER,
    "duration": lambda rows: DURATION,
    "recipe": lambda rows: RECIPE,
    "best": best,
}
"""Name -> entries, given the rows so far."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one per entry")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--steps", type=int, default=1000, help="updates of 4 days of signal each")
    parser.add_argument("--series", type=int, default=80, help="simulated participants")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--cohort_seed", type=int, default=0)
    args = parser.parse_args()
    cohort = {
        "simulate.series": args.series,
        "simulate.days": args.days,
        "simulate.seed": args.cohort_seed,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        for part in PARTS if args.part is None else [args.part]:
            for one in PARTS[part](read(args.out)):
                workdir = args.out.with_suffix("") / folder(one)
                if key(one) in map(key, read(args.out)):
                    continue
                try:
                    row = run(one, workdir, cohort, args.steps)
                except InUseError:  # another of these commands is at it
                    continue
                with args.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
