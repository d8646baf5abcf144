r"""Does the input starve the step? Batches per second, and time blocked, for each way to feed it.

python benchmarks/input_pipeline.py --config configs/spec2d.py --config configs/spec1d.py:demo
python benchmarks/input_pipeline.py --demo --out benchmarks/results/input_pipeline_cpu.json

``--all`` and ``--demo`` take every config of the folder ``configs``; without any flag `spec2d.py`
and its demo variant are measured. Batches of a simulated cohort, made from memory maps. The step is
a wait of the given milliseconds (a device that computes elsewhere, so that the figures are those of
the input alone), fed

direct     batch made and sent between two steps
prefetch   by the loop's thread
resident   by the loop's thread, as indices; the windows are cut on the device

``blocked`` is the share of the time in which the step waits for its batch.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from train_step import add_configs, chosen_configs

from sleepjax.config import load_config
from sleepjax.data import source
from sleepjax.parallel import sharding
from sleepjax.simulation import simulate_cohort
from sleepjax.training import input_pipeline
from sleepjax.types import InputError


def timed_loop(
    feeder: input_pipeline.Feed, by_batch, step_s: float, steps: int, prefetch: bool
) -> dict:
    """Feed so many steps of a device that takes ``step_s`` seconds each."""
    make = lambda step: sharding.to_global(feeder.batch_at(step), by_batch)
    expand = jax.jit(feeder.expand)
    jax.block_until_ready(expand(feeder.store, make(0)))
    blocked, begin = 0.0, time.perf_counter()
    with input_pipeline.prefetch(make, 0, steps if prefetch else 0) as ahead:
        for step in range(steps):
            asked = time.perf_counter()
            batch = next(ahead) if prefetch else make(step)
            jax.block_until_ready(batch)
            blocked += time.perf_counter() - asked
            jax.block_until_ready(expand(feeder.store, batch))
            time.sleep(step_s)
    seconds = time.perf_counter() - begin
    return {
        "steps_per_second": round(steps / seconds, 2),
        "blocked": round(blocked / seconds, 4),
        "blocked_ms_per_step": round(1e3 * blocked / steps, 2),
    }


def measure(spec: str, data: Path, step_ms: float, steps: int) -> dict[str, Any]:
    """All figures of one config."""
    config = load_config(spec, {"data.root": str(data)})
    found = source.open_training_data(config.data, config.simulate)
    mesh = sharding.data_mesh()
    _, by_batch = sharding.shardings(mesh)
    host = input_pipeline.make(found.train, config, mesh)
    device = input_pipeline.make(found.train, config, mesh, resident=True)
    expected = host.batch_at(1)
    cut = jax.jit(device.expand)(device.store, sharding.to_global(device.batch_at(1), by_batch))
    equal = all(np.array_equal(np.asarray(cut[name]), expected[name]) for name in expected)

    begin, cpu = time.perf_counter(), time.process_time()
    for step in range(steps):
        host.batch_at(step)
    wall, cpu = (time.perf_counter() - begin) / steps, (time.process_time() - cpu) / steps
    return {
        "config": spec,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "batch": config.batch_size,
        "window_steps": config.data.duration,
        "features": len(config.data.features),
        "batch_mb": round(sum(a.nbytes for a in expected.values()) / 1e6, 2),
        "make_ms": round(1e3 * wall, 2),
        "make_cpu_ms": round(1e3 * cpu, 2),
        "windows_per_second_made": round(config.batch_size / wall),
        "step_ms": step_ms,
        "direct": timed_loop(host, by_batch, step_ms / 1e3, steps, prefetch=False),
        "prefetch": timed_loop(host, by_batch, step_ms / 1e3, steps, prefetch=True),
        "resident": timed_loop(device, by_batch, step_ms / 1e3, steps, prefetch=True),
        "resident_mb": round(sum(a.nbytes for a in jax.tree.leaves(device.store)) / 1e6, 1),
        "resident_equal": equal,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_configs(parser)
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--step_ms", type=float, default=50.0, help="length of a step")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--out", help="write the results as JSON")
    args = parser.parse_args()
    specs = chosen_configs(args) or ["configs/spec2d.py", "configs/spec2d.py:demo"]
    results = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            simulate_cohort(Path(folder), series=args.series, days=args.days, seed=0)
            for spec in specs:
                results.append(measure(spec, Path(folder), args.step_ms, args.steps))
                print(json.dumps(results[-1], indent=1), flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    if args.out:
        Path(args.out).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
