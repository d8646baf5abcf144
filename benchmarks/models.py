r"""Cost of a config's model: parameters, arithmetic, prediction's time and memory, reach in time.

python benchmarks/models.py --config configs/spec2d.py --batch 4
python benchmarks/models.py --all --demo --out benchmarks/results/models.json

One JSON object per config, on noise windows. ``wall_ms`` is the fastest repeat per window,
``cpu_ms`` processor time over all cores; on a busy machine only the latter means much.
``reach_hours`` is how far from a frame, to either side, the signal can change its logits (a query's
answer comes from the whole window). ``gflop_per_day`` is twice the multiplications of all matrix
products and convolutions of a prediction, for a day of recording; XLA's own count agrees, but
leaves out all but one step of a recurrence. What training costs: benchmarks/train_step.py.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from train_step import add_configs, chosen_configs

from sleepjax import models
from sleepjax.config import load_config
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, InputError


def compiled(function, *args):
    """The compiled function, and the seconds that tracing and compiling it took."""
    start = time.perf_counter()
    executable = jax.jit(function).lower(*args).compile()
    return executable, round(time.perf_counter() - start, 2)


def cost(function, args, windows: int, repeats: int) -> dict[str, float]:
    """Compile and time ``function(*args)``; the first run is not counted."""
    executable, seconds = compiled(function, *args)
    jax.block_until_ready(executable(*args))
    walls, cpu = [], time.process_time()
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(executable(*args))
        walls.append(time.perf_counter() - start)
    cpu = (time.process_time() - cpu) / repeats
    memory = executable.memory_analysis()
    return {
        "wall_ms": round(1e3 * min(walls) / windows, 1),
        "cpu_ms": round(1e3 * cpu / windows, 1),
        "compile_s": seconds,
        "memory_mb_per_window": round(memory.temp_size_in_bytes / 1e6 / windows, 1),
    }


def flops(jaxpr) -> int:
    """Twice the multiplications of products and convolutions, a scan's body once per step."""
    total = 0
    for eqn in jaxpr.eqns:
        shapes = [v.aval.shape for v in eqn.invars if hasattr(v.aval, "shape")]
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            depth = math.prod(shapes[0][axis] for axis in contracted)
            total += 2 * depth * math.prod(eqn.outvars[0].aval.shape)
        elif eqn.primitive.name == "conv_general_dilated":
            out_axis = eqn.params["dimension_numbers"].rhs_spec[0]
            depth = math.prod(shapes[1]) // shapes[1][out_axis]
            total += 2 * depth * math.prod(eqn.outvars[0].aval.shape)
        inner = [p for p in eqn.params.values() if hasattr(p, "eqns") or hasattr(p, "jaxpr")]
        length = eqn.params["length"] if eqn.primitive.name == "scan" else 1
        total += length * sum(flops(getattr(p, "jaxpr", p)) for p in inner)
    return total


def measure(spec: str, batch: int, repeats: int) -> dict:
    """All figures of one config."""
    config = load_config(spec)
    shape = (batch, config.data.duration, len(config.data.features))
    model = models.build(
        **config.model.to_dict(), features=shape[-1], downsample=config.data.downsample
    )
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    key = jax.random.key(0)

    init, init_seconds = compiled(partial(model.init, train=False), key, x)
    variables = dict(init(key, x))
    params = variables.pop("params")

    def predict(params, x):
        return model.apply({"params": params, **variables}, x, train=False)[0]

    def middle(x):
        logits = predict(params, x)
        return logits[:, logits.shape[1] // 2].sum()

    count = lambda tree: sum(leaf.size for leaf in jax.tree.leaves(tree))
    moved = np.flatnonzero(np.abs(np.array(jax.jit(jax.grad(middle))(x[:1]))).max(axis=(0, 2)))
    return {
        "config": spec,
        "window_steps": shape[1],
        "batch": batch,
        "parameters": count(params),
        "parts": {name: count(part) for name, part in params.items()},
        "init_compile_s": init_seconds,
        **cost(predict, (params, x), batch, repeats),
        "gflop_per_day": round(
            flops(jax.make_jaxpr(predict)(params, x).jaxpr)
            / 1e9
            / batch
            / shape[1]
            * STEPS_PER_DAY,
            3,
        ),
        "reach_hours": round((moved.max() - moved.min() + 1) / 2 / STEPS_PER_HOUR, 2),
        "device": jax.devices()[0].device_kind,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_configs(parser)
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    parser.add_argument("--batch", type=int, default=4, help="windows per step")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    results = []
    try:
        for spec in chosen_configs(args):
            results.append(measure(spec, args.batch, args.repeats))
            print(json.dumps(results[-1], indent=1), flush=True)
            if args.out:
                args.out.write_text(json.dumps(results, indent=1) + "\n")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
