r"""Time and memory of each part against the size of its input: exponents, in one picture.

python benchmarks/scaling_law.py --out benchmarks/results/scaling_law.json --picture docs/images/scaling_law.png
python benchmarks/scaling_law.py --quick --out scaling.json --picture scaling.png

Series 1 to 1,000 (a week each), length 1 to 365 days (one series), batch and window of a training
step. Each measurement is a process of its own: processor time of the part alone, largest memory
above that of the imports. The exponent is the slope of log time against log size over the upper
half of the sizes, where constant costs no longer matter: 1 is linear.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "spec1d.py"
SIZES = {
    "series": (1, 10, 100, 300, 1000),
    "days": (1, 10, 50, 120, 365),
    "batch": (1, 4, 16),
    "window": (1440, 5760, 17280, 34560),
}
"""All of them take about seven minutes on two free cores."""
QUICK = {
    "series": (1, 4, 16), "days": (1, 4, 16), "batch": (1, 4, 16), "window": (1440, 5760, 17280)
}  # fmt: skip


def prepare(folder: Path, size: int, axis: str) -> Callable[[], Any]:
    """Reading, repair and the store."""
    from sleepjax.data import store

    return lambda: store.prepare(folder, folder / f"store{os.getpid()}", "train", quiet=True)


def predict(folder: Path, size: int, axis: str) -> Callable[[], Any]:
    """From the file to events and windows, with the released weights, after compilation."""
    from sleepjax.data import raw
    from sleepjax.predict import load

    predictor = load()
    first = next(iter(raw.iter_recordings(folder / "train_series.parquet")))
    _ = predictor.find(first).windows

    def work() -> None:
        for one in raw.iter_recordings(folder / "train_series.parquet"):
            _ = predictor.find(one).windows

    return work


def metric(folder: Path, size: int, axis: str) -> Callable[[], Any]:
    """Score of 20 detections a day against the true events."""
    import polars as pl

    from sleepjax import metrics

    solution = pl.read_csv(folder / "train_events.csv").drop_nulls()
    rng, names = np.random.default_rng(0), solution["series_id"].to_numpy()
    n = 20 * len(names)
    found = pl.DataFrame(
        {
            "series_id": rng.choice(names, n) if n else [],
            "event": rng.choice(["onset", "wakeup"], n),
            "step": rng.integers(0, int(solution["step"].max() or 1) + 1, n),
            "score": rng.random(n),
        }
    )
    return lambda: metrics.evaluate(solution, found)


def train_step(folder: Path, size: int, axis: str) -> Callable[[], Any]:
    """One update of spec1d:demo, compiled."""
    import train_step as one

    from sleepjax.config import load_config

    settings = {"batch_size": size} if axis == "batch" else {"data.duration": size}
    step = one.compiled(load_config(f"{CONFIG}:demo", settings))
    return lambda: step(3)


def validate(folder: Path, size: int, axis: str) -> Callable[[], Any]:
    """Probabilities, events and score of prepared series, with fresh weights, compiled."""
    import jax

    from sleepjax.config import load_config
    from sleepjax.data import windows
    from sleepjax.data.store import prepare as prepared
    from sleepjax.evaluation import event_ap
    from sleepjax.inference import Windowing
    from sleepjax.training.build import build
    from sleepjax.training.state import eval_variables

    config: Any = load_config(f"{CONFIG}:demo")
    store = prepared(folder, folder / f"store{os.getpid()}", "train", quiet=True)
    load = lambda s: windows.load_labelled(store, s, config.data.features, store.events)
    series, built = [load(s) for s in store.series_ids], build(config)
    state = jax.jit(built.init)(jax.random.key(0))
    score = jax.jit(built.eval_step)
    variables = eval_variables(state)
    work = lambda some: event_ap.evaluate(
        some,
        store.events,
        lambda batch: score(variables, batch, state.step),
        windowing=Windowing.of(config),
        post=dict(config.post),
    )
    work(series[:1])
    return lambda: work(series)


PARTS = {
    "prepare": (prepare, ("series", "days")),
    "predict": (predict, ("series", "days")),
    "validate": (validate, ("series", "days")),
    "metric": (metric, ("series", "days")),
    "train step": (train_step, ("batch", "window")),
}


def peak_mb() -> float:
    """Largest resident memory of this process; getrusage would count that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def measured(part: str, axis: str, size: int, folder: Path) -> dict[str, Any]:
    """One point, in this process."""
    work = PARTS[part][0](folder, size, axis)
    before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
    work()
    return {
        "part": part,
        "axis": axis,
        "size": size,
        "seconds": round(time.perf_counter() - wall, 4),
        "cpu_seconds": round(time.process_time() - cpu, 4),
        "peak_mb": round(peak_mb()),
        "more_mb": round(peak_mb() - before),
    }


def in_process(part: str, axis: str, size: int, folder: Path) -> dict[str, Any]:
    """The same, in a process of its own."""
    flags = ["--one", part, axis, str(size), str(folder), "--out", os.devnull]
    done = subprocess.run([sys.executable, __file__, *flags], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return {"part": part, "axis": axis, "size": size, "error": done.returncode}
    return json.loads(done.stdout.splitlines()[-1])


def exponent(sizes: list[float], values: list[float]) -> float:
    """Slope of log value against log size over the upper half of the sizes."""
    upper = slice(-(len(sizes) // 2 + 1), None)
    x, y = np.log(sizes[upper]), np.log(np.maximum(values[upper], 1e-4))
    return float(np.polyfit(x, y, 1)[0])


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Part and axis -> exponent of its processor time."""
    found = {}
    for part, (_, axes) in PARTS.items():
        for axis in axes:
            mine = [r for r in rows if (r["part"], r["axis"]) == (part, axis) and "error" not in r]
            if len(mine) > 1:
                values = [r["cpu_seconds"] for r in mine]
                found[f"{part}, {axis}"] = round(exponent([r["size"] for r in mine], values), 2)
    return found


def picture(rows: list[dict[str, Any]], path: Path) -> None:
    """Processor time above, additional memory below, a column for each axis; a line is linear."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    slopes = exponents(rows)
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    panels = figure.subplots(2, len(SIZES), sharex="col")
    for column, axis in enumerate(SIZES):
        for row, (key, label) in enumerate(
            (("cpu_seconds", "processor time (s)"), ("more_mb", "additional memory (MB)"))
        ):
            ax = panels[row, column]
            for part in PARTS:
                mine = [r for r in rows if (r["part"], r["axis"]) == (part, axis) and key in r]
                if not mine:
                    continue
                floor = 1e-3 if row == 0 else 1.0
                sizes, values = [r["size"] for r in mine], [max(r[key], floor) for r in mine]
                slope = slopes.get(f"{part}, {axis}")
                text = f"{part} ({slope:.2f})" if row == 0 and slope is not None else part
                ax.plot(sizes, values, "o-", label=text, markersize=4)
            drawn = [r["size"] for r in rows if r["axis"] == axis]
            if row == 0 and drawn:
                low, high, bottom = min(drawn), max(drawn), ax.get_ylim()[0]
                start = max(bottom, 1e-3)
                ax.plot([low, high], [start, start * high / low], ":", color="0.6", label="linear")
                ax.legend(fontsize=8)
            ax.set(xscale="log", yscale="log")
            ax.xaxis.set_minor_formatter(NullFormatter())
            if column == 0:
                ax.set_ylabel(label)
            if row:
                ax.set_xlabel(
                    {"days": "days of one series", "window": "window (steps)"}.get(axis, axis)
                )
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--quick", action="store_true", help="few small sizes")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        part, axis, size, folder = args.one
        print(json.dumps(measured(part, axis, int(size), Path(folder))))
        return
    from sleepjax.simulation import simulate_cohort

    rows: list[dict[str, Any]] = []
    for axis, sizes in (QUICK if args.quick else SIZES).items():
        for size in sizes:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                if axis in ("series", "days"):
                    series, days = (size, 7) if axis == "series" else (1, size)
                    simulate_cohort(folder, series=series, days=days, seed=0)
                for part in args.parts:
                    if axis in PARTS[part][1]:
                        rows.append(in_process(part, axis, size, folder))
                        print(json.dumps(rows[-1]), flush=True)
            result = {"exponents": exponents(rows), "rows": rows, "cores": os.cpu_count()}
            args.out.write_text(json.dumps(result, indent=1) + "\n")
    if args.picture:
        picture(rows, args.picture)
    print(json.dumps(exponents(rows), indent=1))


if __name__ == "__main__":
    main()
