"""Jobs of benchmarks/accelerator.py, in the order of their importance; each yields rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

Rows = Iterator[dict[str, Any]]
LONG = 2.0
"""Seconds that a timing lasts at least, on an accelerator."""


@dataclass(frozen=True)
class Job:
    """Something to measure."""

    library: str
    limit: float
    """Seconds after which it is stopped."""
    run: Callable[[Path, bool], Rows]
    """(folder of the results, smallest sizes) -> rows."""


def timed(once: Callable[[], Any], tiny: bool) -> float:
    """Seconds of one call that waits for its result: median of three rounds after a warm-up."""
    once()
    begin = time.perf_counter()
    once()
    first = time.perf_counter() - begin
    n = 1 if tiny else max(1, min(1000, round(LONG / 3 / max(first, 1e-6))))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        for _ in range(n):
            once()
        seconds.append((time.perf_counter() - begin) / n)
    return sorted(seconds)[1]


def load(name: str, tiny: bool, variant: str = "", **overrides: Any) -> Any:
    """A config; with ``tiny`` its smallest variant."""
    from train_step import CONFIGS

    from sleepjax.config import load_config

    variant = ":tiny" if tiny else variant
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_config(f"{CONFIGS / name}.py{variant}", keys)


def step(out: Path, tiny: bool, *, name: str, dtype: str, trace: bool = False) -> Rows:
    """A training step of a config; with ``trace`` also where its time goes."""
    found = compiled(name, dtype, tiny)
    yield step_row(name, found, tiny)
    if trace:
        from device_trace import most_expensive

        share, operations = most_expensive(found, out / "trace", steps=3)
        yield {"job": "trace", "model": name, "dtype": dtype, "busy_share": share}
        for i, operation in enumerate(operations[:10]):
            yield {"job": f"trace/{i + 1}", **operation}


def compiled(name: str, dtype: str, tiny: bool, **overrides: Any) -> Any:
    import train_step

    return train_step.compiled(load(name, tiny, model__dtype=dtype, **overrides))


def step_row(name: str, found: Any, tiny: bool) -> dict[str, Any]:
    """Figures of a compiled step."""
    import jax
    import train_step

    begin = time.perf_counter()
    found(1)
    n = 2 if tiny else max(5, min(500, round(LONG / (time.perf_counter() - begin))))
    row = max((train_step.timed(found, n) for _ in range(3)), key=lambda r: r["steps_per_second"])
    peak = train_step.peak_flops(row["dtype"])
    return {
        "model": name,
        "how": "sleepjax",
        "jax": jax.__version__,
        **row,
        "peak_tflop_per_second": peak and peak / 1e12,
    }


def largest_batch(out: Path, tiny: bool, *, name: str, dtype: str) -> Rows:
    """The step with the largest batch that fits, by the memory plan of a small one."""
    import jax
    import train_step

    small = 4 if tiny else 32
    needed = train_step.planned_bytes(compiled(name, dtype, tiny, batch_size=small).step)
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit", 3 * needed)
    batch = int(0.92 * limit / max(needed, 1) * small) // small * small
    while batch >= small:
        try:
            found = compiled(name, dtype, tiny, batch_size=batch)
            yield step_row(name, found, tiny) | {"memory_limit_mb": round(limit / 1e6)}
            return
        except Exception as error:  # XLA's out-of-memory is a JaxRuntimeError
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            yield {"model": name, "does_not_fit": batch}
            batch = int(0.8 * batch) // small * small


def torch_step(
    out: Path, tiny: bool, *, name: str, dtype: str, compile: bool, channels_last: bool
) -> Rows:
    """The same recipe in PyTorch."""
    import torch
    import torch_step

    cuda = torch.cuda.is_available()
    how = dict(dtype=dtype, compile=compile and not tiny, channels_last=channels_last)
    sizes = dict(batch=2, window=960, **torch_step.TINY) if tiny else dict(batch=32)
    probe = dict(steps=1, rounds=1) if tiny or not cuda else dict(steps=20, rounds=3)
    row = torch_step.measure(name, device="cuda" if cuda else "cpu", **probe, **how, **sizes)
    kind = "torch.compile" if compile else "torch eager"
    row["how"] = kind + ", channels last" * channels_last
    yield row | {"compile_s": row.pop("first_two_steps_s")}


def listed() -> dict[str, Job]:
    """Name -> job; what one machine has minutes for comes first."""
    import accelerator_parts as parts

    ours = lambda name, dtype, limit=75, **more: Job(
        "jax", limit, partial(step, name=name, dtype=dtype, **more)
    )
    theirs = lambda name, dtype, compile, channels_last, limit=45: Job(
        "torch",
        limit,
        partial(torch_step, name=name, dtype=dtype, compile=compile, channels_last=channels_last),
    )
    half, single = "bfloat16", "float32"
    return {
        "step/spec2d/bfloat16": ours("spec2d", half, 150, trace=True),
        "step/spec1d/bfloat16": ours("spec1d", half, 45),
        "torch/spec2d/bfloat16/compile/channels_last": theirs("spec2d", half, True, True, 100),
        "torch/spec2d/bfloat16/eager/channels_last": theirs("spec2d", half, False, True),
        "torch/spec1d/bfloat16/compile": theirs("spec1d", half, True, False, 60),
        "step/spec2d/float32": ours("spec2d", single),
        "demo": Job("jax", 120, parts.demo),
        "input": Job("jax", 60, parts.feeds),
        "peaks": Job("jax", 25, parts.peaks),
        "inference": Job("jax", 40, parts.inference),
        "recurrences": Job("jax", 40, parts.recurrences),
        "largest/spec2d/bfloat16": Job(
            "jax", 90, partial(largest_batch, name="spec2d", dtype=half)
        ),
        "torch/spec2d/float32/compile/channels_last": theirs("spec2d", single, True, True, 75),
        "torch/spec2d/bfloat16/compile": theirs("spec2d", half, True, False, 75),
        "torch/spec2d/float32/eager": theirs("spec2d", single, False, False),
        "torch/spec1d/float32/compile": theirs("spec1d", single, True, False),
        "step/spec1d/float32": ours("spec1d", single, 45),
        **{
            f"step/{name}/{dtype}": ours(name, dtype, 60)
            for name in ("centernet", "detr", "transformer", "lstm")
            for dtype in (half, single)
        },
        "largest/spec1d/bfloat16": Job(
            "jax", 60, partial(largest_batch, name="spec1d", dtype=half)
        ),
    }


JOBS = listed()
