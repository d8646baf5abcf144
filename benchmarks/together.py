r"""One training step of M members: one after the other, or together in one program.

python benchmarks/together.py --config configs/spec1d.py:tiny --members 4 --repeats 20
python benchmarks/together.py --config configs/spec1d.py:demo --members 4 --repeats 5

One JSON object per config, on noise. ``in_turn`` runs the compiled step of one member M times,
``vmap`` is what crossval.py --together does, ``unrolled`` puts the M steps into one program without
mixing them, and ``map`` is `jax.lax.map` over members. ``wall_ms`` is the fastest repeat for all
members, ``cpu_ms`` processor time over all cores; on a busy machine only the latter means much.
``gain`` is the processor time of ``in_turn`` divided by that of the variant, ``difference`` the
largest difference in a member's loss after three steps, relative to ``in_turn``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from sleepjax.config import load_config
from sleepjax.training.build import build
from sleepjax.types import InputError


def noise(config, seed: int) -> dict[str, jax.Array]:
    """A batch of windows without meaning."""
    rng = np.random.default_rng(seed)
    batch, steps = config.batch_size, config.data.duration
    frames = -(-steps // config.data.downsample)
    arrays = {
        "x": rng.normal(size=(batch, steps, len(config.data.features))),
        "asleep": rng.random((batch, frames)),
        "distance": rng.integers(-500, 500, (batch, frames, 2)),
        "mask": np.ones((batch, frames)),
    }
    return {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def variants(built, members: list[tuple]) -> dict:
    """Name -> (compiled function of the members, its argument, seconds of compilation)."""
    learn = built.train_step
    together = tuple(stacked(part) for part in zip(*members, strict=True))
    jobs = {
        "in_turn": (learn, members[0]),
        "vmap": (jax.vmap(learn), together),
        "unrolled": (lambda each: [learn(*one) for one in each], (members,)),
        "map": (lambda *all_: jax.lax.map(lambda one: learn(*one), all_), together),
    }
    compiled = {}
    for name, (function, args) in jobs.items():
        start = time.perf_counter()
        executable = jax.jit(function).lower(*args).compile()
        compiled[name] = (executable, args, time.perf_counter() - start)
    one = compiled["in_turn"][0]
    compiled["in_turn"] = (
        lambda each: [one(*member) for member in each],
        (members,),
        compiled["in_turn"][2],
    )
    return compiled


def losses(name: str, function, args, steps: int) -> np.ndarray:
    """Loss of each member after some steps on the same batch."""
    for _ in range(steps):
        found = function(*args)
        if name in ("in_turn", "unrolled"):
            args = ([(s, b, k) for (s, _), (_, b, k) in zip(found, args[0], strict=True)],)
            metrics = stacked([metrics for _, metrics in found])
        else:
            args, metrics = (found[0], *args[1:]), found[1]
    return np.asarray(metrics["loss"])


def measure(spec: str, n: int, repeats: int) -> dict:
    """All figures of one config."""
    config = load_config(spec)
    built = build(config)
    init = jax.jit(built.init)
    members = [
        (init(jax.random.key(seed)), noise(config, seed), jax.random.key(seed)) for seed in range(n)
    ]
    figures, reference = {}, None
    for name, (function, args, seconds) in variants(built, members).items():
        last = losses(name, function, args, 3)
        reference = last if reference is None else reference
        walls, cpu = [], time.process_time()
        for _ in range(repeats):
            start = time.perf_counter()
            jax.block_until_ready(function(*args))
            walls.append(time.perf_counter() - start)
        figures[name] = {
            "wall_ms": round(1e3 * min(walls), 1),
            "cpu_ms": round(1e3 * (time.process_time() - cpu) / repeats, 1),
            "compile_s": round(seconds, 1),
            "difference": float(f"{np.max(np.abs(last / reference - 1)):.1e}"),
        }
    for one in figures.values():
        one["gain"] = round(figures["in_turn"]["cpu_ms"] / one["cpu_ms"], 2)
    return {
        "config": spec,
        "members": n,
        "batch_size": config.batch_size,
        "parameters": built.count_parameters(),
        "device": jax.devices()[0].device_kind,
        **figures,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", action="append", required=True)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    try:
        for spec in args.config:
            print(json.dumps(measure(spec, args.members, args.repeats)), flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
