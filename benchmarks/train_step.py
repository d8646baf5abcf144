r"""Cost of a training step of a config: speed, compilation, memory, arithmetic, share of the peak.

python benchmarks/train_step.py --config configs/spec2d.py --config configs/spec1d.py
python benchmarks/train_step.py --demo --steps 20 --out benchmarks/results/train_step_cpu.json
python benchmarks/train_step.py --all --steps 1 --out benchmarks/results/train_step_cpu_full.json

The whole update as the loop runs it (augmentation, gradient, clipping, AdamW, EMA, guard), donated
and without waiting between steps, on noise windows already on the device. ``--demo`` and ``--all``
take every config of the folder ``configs``. FLOPs are those XLA counts in the traced program.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sleepjax.config import load_config, override_from_text
from sleepjax.parallel import sharding
from sleepjax.training.build import build
from sleepjax.types import InputError

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
PEAKS = {
    "H200": {"bfloat16": 989e12, "float32": 495e12},
    "H100": {"bfloat16": 989e12, "float32": 495e12},
    "A100": {"bfloat16": 312e12, "float32": 156e12},
}
"""FLOP/s that the makers state for dense matrix products (float32 inputs: as TF32)."""


def add_configs(parser: argparse.ArgumentParser) -> None:
    """Flags that choose what is measured."""
    parser.add_argument("--config", action="append", default=[], help="may be given repeatedly")
    parser.add_argument("--all", action="store_true", help="every config")
    parser.add_argument("--demo", action="store_true", help="the demo variant of every config")


def chosen_configs(args: argparse.Namespace) -> list[str]:
    """What the flags of `add_configs` name."""
    paths = [str(path.relative_to(CONFIGS.parent)) for path in sorted(CONFIGS.glob("*.py"))]
    return args.config + paths * args.all + [f"{path}:demo" for path in paths] * args.demo


def make_batch(batch: int, steps: int, features: int, downsample: int) -> dict[str, np.ndarray]:
    """Noise windows with all that an objective may ask for."""
    rng = np.random.default_rng(0)
    frames = -(-steps // downsample)
    return {
        "x": rng.normal(size=(batch, steps, features)).astype(np.float32),
        "asleep": (rng.random((batch, frames)) < 0.3).astype(np.float32),
        "distance": rng.integers(-9000, 9000, (batch, frames, 2)).astype(np.float32),
        "mask": np.ones((batch, frames), np.float32),
        "worn": (rng.random((batch, frames)) < 0.9).astype(np.float32),
        "worn_mask": np.ones((batch, frames), np.float32),
    }


def prepare(config: Any, split_optimizer: bool) -> tuple:
    """(jitted update, state, batch, key), the latter three on the devices."""
    mesh = sharding.data_mesh()
    replicated, by_batch = sharding.shardings(mesh)
    built = build(config)
    shapes, key = built.shapes(), jax.random.key(0)
    where = jax.tree.map(lambda _: replicated, shapes)
    if split_optimizer:
        where = where._replace(opt_state=sharding.split(shapes.opt_state, mesh))
    update = jax.jit(built.train_step, donate_argnums=0, out_shardings=(where, replicated))
    state = jax.jit(built.init, out_shardings=where)(key)
    features, data = len(config.data.features), config.data
    host = make_batch(config.batch_size, data.duration, features, data.downsample)
    return update, state, sharding.to_global(host, by_batch), jax.device_put(key, replicated)


@dataclass
class Step:
    """A compiled update with what it is called with, and what compiling it cost and told."""

    config: Any
    step: Any
    args: tuple
    """(state, batch, key); each call replaces the state."""
    flops: float
    """Of a whole update over all devices."""
    trace_s: float
    compile_s: float

    def __call__(self, n: int) -> dict[str, jax.Array]:
        """So many updates, one behind the other; metrics of the last one."""
        state, batch, key = self.args
        for _ in range(n):
            state, metrics = self.step(state, batch, key)
        self.args = state, batch, key
        return jax.block_until_ready(metrics)


def compiled(config: Any, split_optimizer: bool = False) -> Step:
    """The update of a config, compiled, and run once.

    FLOPs are those that XLA counts in the program before it is optimised for a device (its
    libraries' calls would count as nothing): convolutions, products and elementwise operations; the
    body of a recurrence counts once.
    """
    update, *args = prepare(config, split_optimizer)
    begin = time.perf_counter()
    lowered = update.lower(*args)
    traced = time.perf_counter() - begin
    step = lowered.compile()
    seconds = time.perf_counter() - begin - traced
    try:
        flops = (lowered.cost_analysis() or {}).get("flops", 0.0)
    except (NotImplementedError, RuntimeError):  # a backend that cannot tell: times are left
        flops = 0.0
    found = Step(config, step, tuple(args), flops, traced, seconds)
    found(1)  # buffers are allocated, algorithms chosen
    return found


def peak_flops(dtype: str) -> float | None:
    """FLOP/s of the device that its maker states, where it is known."""
    kind = jax.devices()[0].device_kind
    return next((v for name, v in PEAKS.items() if name in kind), {}).get(dtype)


def planned_bytes(step: Any) -> int:
    """Memory of a compiled program by XLA's plan: what it is given and what it needs meanwhile."""
    plan = step.memory_analysis()
    return plan.temp_size_in_bytes + plan.argument_size_in_bytes if plan else 0


def timed(step: Step, steps: int) -> dict[str, Any]:
    """All figures of a compiled update, from so many steps."""
    config, device = step.config, jax.devices()[0]
    begin, cpu = time.perf_counter(), time.process_time()
    metrics = step(steps)
    seconds, cpu = (time.perf_counter() - begin) / steps, (time.process_time() - cpu) / steps
    dtype = config.model.get("dtype", "float32")
    peak = peak_flops(dtype)
    in_use = (device.memory_stats() or {}).get("peak_bytes_in_use")
    optimizer = jax.tree.leaves(step.args[0].opt_state)
    return {
        "device": f"{jax.device_count()} x {device.device_kind}",
        "dtype": dtype,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(step.args[0].params)),
        "batch": config.batch_size,
        "window_steps": config.data.duration,
        "steps_per_second": rounded(1 / seconds),
        "windows_per_second": rounded(config.batch_size / seconds),
        "cpu_seconds_per_step": rounded(cpu),
        "trace_s": rounded(step.trace_s, 3),
        "compile_s": rounded(step.compile_s, 3),
        "planned_memory_mb": round(planned_bytes(step.step) / 1e6, 1),
        "peak_device_memory_mb": in_use and round(in_use / 1e6, 1),
        "peak_process_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        "optimizer_mb_per_device": round(
            sum(a.addressable_shards[0].data.nbytes for a in optimizer) / 1e6, 2
        ),
        "gflop_per_window": rounded(step.flops / config.batch_size / 1e9),
        "tflop_per_second": rounded(step.flops / seconds / 1e12),
        "share_of_peak": rounded(step.flops / seconds / peak / jax.device_count())
        if peak
        else None,
        "loss": rounded(float(metrics["loss"])),
        "skipped": bool(metrics["skipped"]),
        "load_average": round(os.getloadavg()[0], 1),
    }


def rounded(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def measure(spec: str, settings: list[str], steps: int, split_optimizer: bool) -> dict[str, Any]:
    """All figures of one config."""
    config = load_config(spec).unlock()
    for item in settings:
        override_from_text(config, *item.split("=", 1))
    found = timed(compiled(config, split_optimizer), steps)
    assert not found["skipped"], "the guard skipped the noise"
    return {"config": spec, "settings": settings, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_configs(parser)
    parser.add_argument("--set", action="append", default=[], help="model.dtype=bfloat16, ...")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--shard_optimizer", action="store_true")
    parser.add_argument("--out", help="write the results as JSON")
    args = parser.parse_args()
    jax.config.update(
        "jax_enable_compilation_cache", False
    )  # compile times are those of a first run
    specs = chosen_configs(args)
    results = []
    for spec in specs:
        if len(specs) == 1:
            try:
                found = measure(spec, args.set, args.steps, args.shard_optimizer)
            except InputError as error:
                print(f"error: {error}", file=sys.stderr)
                raise SystemExit(2) from None
            print(json.dumps(found, indent=1), flush=True)
        else:  # a process for each: the peak of its memory is its own
            flags = ["--config", spec, "--steps", str(args.steps)]
            flags += [f"--set={item}" for item in args.set]
            flags += ["--shard_optimizer"] * args.shard_optimizer
            command = [sys.executable, __file__, *flags]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(done.stdout, end="", flush=True)
            found = json.loads(done.stdout)
        results.append(found)
        if args.out:
            Path(args.out).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
