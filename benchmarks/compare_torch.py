r"""A training step of sleepjax against the same recipe in PyTorch, on the CPU of this machine.

python benchmarks/compare_torch.py
python benchmarks/compare_torch.py --rounds 15 --out benchmarks/results/torch_cpu.json

Makes an environment for PyTorch beside the results of pip (``--venv``, a folder that may exist
already), so that nothing is installed where sleepjax runs; on Linux without a GPU the index of
CPU builds saves a large download (pip's ``--index-url`` by PIP_INDEX_URL). Each side lives in a
process of its own that has compiled everything; then they are timed in turns, and the ratio is that
of neighbouring turns, so that what else the machine does falls on both. Ratio above 1: sleepjax is
faster. Batches of 4 noise windows, float32, both libraries with all cores.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from served import Served, serve

TORCH = ("torch==2.13.0", "numpy==2.4.6")
HERE = Path(__file__).resolve().parent
VARIANTS = {
    "eager": [],
    "channels last": ["--channels_last"],
    "compiled": ["--compile"],
}
MODELS = {"spec1d": 10, "spec2d": 1, "spec1d:demo": 50}
"""Name -> updates in a turn."""


def serve_ours(name: str, batch: int, tiny: bool) -> None:
    """The update of a config, in this process."""
    import jax
    import train_step

    from sleepjax.config import load_config

    name, _, variant = name.partition(":")
    variant = "tiny" if tiny else variant
    spec = f"{HERE.parent / 'configs' / name}.py:{variant}"
    step = train_step.compiled(load_config(spec, {"batch_size": batch}))
    figures = train_step.timed(step, 1)
    kept = ("parameters", "compile_s", "gflop_per_window")
    serve(step, {"version": f"jax {jax.__version__}", **{key: figures[key] for key in kept}})


def torch_python(folder: Path) -> str:
    """Python of an environment that holds PyTorch; it is made where it does not exist."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"installing {', '.join(TORCH)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *TORCH], check=True)
    return str(python)


def compare(
    name: str, variants: list[str], python: str, args: argparse.Namespace
) -> dict[str, Any]:
    """Median seconds a step of each, and ratios of neighbouring turns."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    flags = ["--batch", str(args.batch), *["--tiny"] * args.tiny]
    ours = [sys.executable, __file__, "--serve", "--model", name, *flags]
    theirs = [python, str(HERE / "torch_step.py"), "--serve", "--model", name, *flags]
    bare = {k: v for k, v in environment.items() if k != "PYTHONPATH"}
    steps = 1 if args.tiny else MODELS[name]
    with ExitStack() as stack:
        sides, failed = {"sleepjax": stack.enter_context(Served(ours, environment))}, {}
        for variant in variants:
            side = f"torch {variant}"
            try:
                sides[side] = stack.enter_context(Served([*theirs, *VARIANTS[variant]], bare))
            except RuntimeError as error:  # PyTorch has crashed on some layouts
                failed[side] = {"error": str(error)}
        turns = [
            {side: one.seconds(steps) for side, one in sides.items()} for _ in range(args.rounds)
        ]
    median = lambda values: float(f"{statistics.median(values):.4g}")
    seconds = lambda side, i: [turn[side][i] / steps for turn in turns]
    rows = failed
    for side, one in sides.items():
        rows[side] = {
            "seconds_a_step": median(seconds(side, 0)),
            "cpu_seconds_a_step": median(seconds(side, 1)),
            **one.about,
        }
        if side != "sleepjax":
            each = [a / b for a, b in zip(seconds(side, 0), seconds("sleepjax", 0), strict=True)]
            rows[side]["ratio"] = median(each)
            rows[side]["ratio_min_max"] = [round(min(each), 3), round(max(each), 3)]
    return {"model": name, "batch": args.batch, "steps_a_turn": steps, "rounds": len(turns), **rows}


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "load_average_before": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=list(MODELS), action="append", help="default: all")
    parser.add_argument("--variant", choices=list(VARIANTS), action="append")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--venv", type=Path, help="default: in the folder of temporary files")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve_ours(args.model[0], args.batch, args.tiny)
    python = torch_python(args.venv or Path(tempfile.gettempdir()) / "sleepjax-torch")
    found = {"machine": machine(), "rows": []}
    for name in args.model or MODELS:
        row = compare(name, args.variant or ["eager", "channels last"], python, args)
        found["rows"].append(row)
        print(json.dumps(row, indent=1), flush=True)
        if args.out:
            args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
