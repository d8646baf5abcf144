r"""What came of the ablation: the tables of docs/models.md, and its picture.

python benchmarks/ablation_tables.py --rows benchmarks/results/ablation.jsonl
python benchmarks/ablation_tables.py --rows benchmarks/results/ablation.jsonl --figure ablation.png

Scores are those of benchmarks/ablation.py; the cost of the models is read from the results of
benchmarks/models.py and benchmarks/train_step.py beside them, where these have been run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ablation import (
    DEEPER,
    DOWNSAMPLE,
    DURATION,
    MODELS,
    PAIRS,
    RECIPE,
    Entry,
    best,
    entry,
    key,
    read,
)

from sleepjax import models

RESULTS = Path(__file__).resolve().parent / "results"
EXTRACTORS = list(models.EXTRACTORS)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def results(name: str) -> dict[str, dict]:
    """Config -> its line in a file of benchmarks/results, empty where there is none."""
    path = RESULTS / name
    rows = json.loads(path.read_text()) if path.exists() else []
    return {row["config"]: row for row in rows}


def tables(rows: Sequence[Entry]) -> str:
    """Markdown: the models with their cost, the pairs, the best with their seeds, the sweeps."""
    found = {key(row): row for row in rows}
    score = lambda one: f"{found[key(one)]['event_ap']:.3f}" if key(one) in found else ""
    costs, steps = results("models.json"), results("train_step_cpu.json")
    lines = []
    for one in MODELS:
        name = f"configs/{one['config']}.py:demo"
        cost, step = costs.get(name, {}), steps.get(name, {})
        lines.append([
            f"`{one['config']}.py:demo`",
            f"{cost.get('parameters', 0) / 1e3:.0f} k",
            f"{cost.get('gflop_per_day', 0):.3f}",
            f"{1e3 * step.get('cpu_seconds_per_step', 0):.0f} ms",
            score(one),
        ])  # fmt: skip
    head = ["config", "parameters", "GFLOP / day", "processor time of a step", "event AP"]
    text = [table(head, lines)]
    head = ["", *models.DECODERS]
    text.append(table(head, [[e, *(score(entry(e, d)) for d in head[1:])] for e in EXTRACTORS]))
    lines = []
    for one in best(list(rows))[::2]:
        seeds = [one | {"seed": seed} for seed in range(3)]
        values = [found[key(s)]["event_ap"] for s in seeds if key(s) in found]
        spread = f"{np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        each = ", ".join(map(score, seeds))
        lines.append(
            [f"{one['extractor']} + {one['decoder']}", each, f"{np.mean(values):.3f}", spread]
        )
    text.append(table(["best five", "seeds 0, 1, 2", "mean", "SD"], lines))
    for names, part in (
        (("downsample", "change"), DOWNSAMPLE + DEEPER),
        (("duration",), DURATION),
        (("change",), RECIPE),
    ):
        lines = [
            [
                *(str(one[name]) for name in names),
                score(one),
                f"{found.get(key(one), {}).get('cpu_seconds', 0):.0f} s",
            ]
            for one in part
        ]
        text.append(table([*names, "event AP", "processor time of the run"], lines))
    return "\n".join(text)


def draw(rows: Sequence[Entry], path: Path) -> None:
    """The pairs as a picture of shaded cells, the two sweeps as points."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    value = {key(row): row["event_ap"] for row in rows}
    decoders = list(models.DECODERS)
    cells = np.array([[value.get(key(entry(e, d)), np.nan) for d in decoders] for e in EXTRACTORS])
    figure, axes = plt.subplots(
        1, 3, figsize=(13, 3.4), width_ratios=(3, 1, 1), layout="constrained"
    )
    image = axes[0].imshow(cells, cmap="cividis", aspect="auto", vmin=0)
    for (i, j), cell in np.ndenumerate(cells):
        dark = cell < 0.6 * np.nanmax(cells)
        axes[0].text(j, i, f"{cell:.3f}", ha="center", va="center", color="w" if dark else "k")
    axes[0].set_xticks(range(len(decoders)), decoders, rotation=20)
    axes[0].set_yticks(range(len(EXTRACTORS)), EXTRACTORS)
    axes[0].set(title="extractor x decoder: event AP (simulated, seed 0)", ylabel="extractor")
    figure.colorbar(image, ax=axes[0])
    for axis, name, part, unit in (
        (axes[1], "downsample", DOWNSAMPLE, "steps per frame"),
        (axes[2], "duration", DURATION, "steps per window"),
    ):
        done = [one for one in part if key(one) in value]
        axis.plot(range(len(done)), [value[key(one)] for one in done], "o-", color="#0072B2")
        axis.set_xticks(range(len(done)), [f"{one[name]:,}" for one in done])
        axis.set(title="cnn + unet1d", xlabel=unit, ylim=(0, 1.1 * np.nanmax(cells)))
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=Path, required=True, help="the file of benchmarks/ablation.py"
    )
    parser.add_argument("--figure", type=Path, help="picture to write")
    args = parser.parse_args()
    rows = read(args.rows)
    missing = [
        one
        for one in (*PAIRS, *MODELS, *DOWNSAMPLE, *DEEPER, *DURATION, *RECIPE, *best(rows))
        if key(one) not in map(key, rows)
    ]
    print(tables(rows))
    print(f"{len(missing)} entries are missing" if missing else "all entries are there")
    if args.figure:
        draw(rows, args.figure)


if __name__ == "__main__":
    main()
