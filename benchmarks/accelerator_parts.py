"""Parts of sleepjax other than its step, measured on an accelerator against their alternatives.

JAX is imported when a job runs: the process that only starts the others needs none.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Rows = Iterator[dict[str, Any]]


def attempt(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A row of one variant, or why it failed: the others go on."""
    try:
        return {"variant": name, **work()}
    except Exception as error:
        return {"variant": name, "error": f"{type(error).__name__}: {error}"[:300]}


@contextlib.contextmanager
def cohort(tiny: bool) -> Iterator[str]:
    """Folder of a simulated cohort."""
    from sleepjax.simulation import simulate_cohort

    with tempfile.TemporaryDirectory() as folder:
        series, days = (6, 3) if tiny else (20, 8)
        simulate_cohort(Path(folder), series=series, days=days, seed=0)
        yield folder


def feeds(out: Path, tiny: bool) -> Rows:
    """Steps per second and share of waiting, fed by the thread and from recordings on the device.

    The ceiling is the same step on one batch that stays on the device.
    """
    import jax
    from accelerator_jobs import load

    from sleepjax.parallel import sharding
    from sleepjax.runs.runtime import AS_USUAL
    from sleepjax.training import input_pipeline
    from sleepjax.training.build import build, compiled

    mesh = sharding.data_mesh()
    with cohort(tiny) as root:
        for name, variant, dtype in (("spec1d", "", "bfloat16"), ("spec1d", ":demo", "float32")):
            config = load(name, tiny, variant, data__root=root, model__dtype=dtype)
            data = input_pipeline.open_data(config)
            for resident in (False, True):
                feed = input_pipeline.make(data.train, config, mesh, resident=resident)
                program = compiled(build(config), feed, mesh, AS_USUAL)
                state, key = program.start(0), program.train_key(0)
                make = lambda s, p=program, f=feed: p.to_device(f.batch_at(s))

                def loop(batches, n: int, state, program=program, feed=feed, key=key):
                    begin, waited = time.perf_counter(), 0.0
                    for _ in range(n):
                        asked = time.perf_counter()
                        batch = next(batches)
                        waited += time.perf_counter() - asked
                        state, _ = program.update(state, feed.store, batch, key)
                    jax.block_until_ready(state)
                    seconds = time.perf_counter() - begin
                    return n / seconds, waited / seconds, state

                n = 4 if tiny else 150
                with input_pipeline.prefetch(make, 0, 2 * n) as ahead:
                    *_, state = loop(ahead, n, state)  # compiles
                    rate, waiting, state = loop(ahead, n, state)
                one = make(0)
                ceiling, _, state = loop(iter(lambda one=one: one, None), n, state)
                yield {
                    "model": name + variant,
                    "fed": "resident" if resident else "thread",
                    "steps_per_s": round(rate, 2),
                    "share_waiting": round(waiting, 4),
                    "steps_per_s_same_batch": round(ceiling, 2),
                }


def recurrences(out: Path, tiny: bool) -> Rows:
    """Forward and gradient of the recurrences of configs/lstm.py, written in several ways."""
    import jax
    import jax.numpy as jnp
    from accelerator_jobs import timed
    from recurrence_kernels import cudnn_lstm, fused, serial

    from sleepjax.models.recurrent import BiLSTM, linear_recurrence

    t, b, w = (64, 2, 8) if tiny else (2880, 32, 128)
    rng = np.random.default_rng(0)
    keep = jnp.asarray(rng.uniform(0.5, 1, (t, 2, b, w)), jnp.float32)
    add = jnp.asarray(rng.normal(size=(t, 2, b, w)), jnp.float32)
    kinds = {"associative scan": linear_recurrence, "lax.scan": serial, "fused kernel": fused}
    expected = None
    for name, function in kinds.items():

        def measured(function=function) -> dict[str, Any]:
            nonlocal expected
            both = jax.jit(jax.value_and_grad(lambda *a: jnp.sum(function(*a) ** 2), (0, 1)))
            run = jax.jit(function)
            found = jax.device_get(run(keep, add))
            expected = found if expected is None else expected
            return {
                "forward_ms": round(
                    1e3 * timed(lambda: run(keep, add).block_until_ready(), tiny), 3
                ),
                "gradient_ms": round(
                    1e3 * timed(lambda: jax.block_until_ready(both(keep, add)), tiny), 3
                ),
                "difference": float(f"{np.abs(found - expected).max():.1e}"),
            }

        yield attempt(name, measured) | {"recurrence": "linear (mingru)"}

    x = jnp.asarray(rng.normal(size=(b, t, w)), jnp.float32)
    cell = BiLSTM(w)
    variables = jax.jit(cell.init)(jax.random.key(0), x)
    layers = {"lax.scan": lambda v, x: cell.apply(v, x), "cuDNN": cudnn_lstm(w, b, t)}
    for name, layer in layers.items():

        def lstm(layer=layer) -> dict[str, Any]:
            both = jax.jit(jax.grad(lambda v, x: jnp.sum(layer(v, x) ** 2)))
            weights = variables if layer is layers["lax.scan"] else layer.weights()
            run = lambda: jax.block_until_ready(both(weights, x))
            return {"gradient_ms": round(1e3 * timed(run, tiny), 3)}

        yield attempt(name, lstm) | {"recurrence": "LSTM"}


def peaks(out: Path, tiny: bool) -> Rows:
    """Peaks of probabilities that lie on the device: there, and on the host with their transfer."""
    import jax
    import jax.numpy as jnp
    from accelerator_jobs import timed
    from device_peaks import peaks_of

    from sleepjax.postprocess import find_peaks

    series, steps = (2, 5_000) if tiny else (64, 460_000)
    rng = np.random.default_rng(0)
    width, smooth = 61, np.cumsum(rng.random((2 * series, steps)), axis=1)
    smooth = (smooth[:, width:] - smooth[:, :-width]) / width
    x = jnp.asarray(np.maximum(smooth - 0.5, 0) * 10, jnp.float32)
    height, distance = 0.001, 100
    found = find_peaks(np.asarray(x), height, distance)
    most = 2 ** int(np.ceil(np.log2(len(found) + 1)))
    run = jax.jit(lambda x: peaks_of(x, height, distance, most))
    same = lambda: np.asarray(run(x + 0.0))
    on_host = lambda: find_peaks(np.asarray(x + 0.0), height, distance)  # a new array: no cache
    device = {tuple(place) for place in same().tolist() if place[0] >= 0}
    yield {
        "signals": len(x),
        "steps": x.shape[1],
        "peaks": len(found),
        "different": len(device ^ {tuple(place) for place in found.tolist()}),  # equal heights
        "device_ms": round(1e3 * timed(same, tiny), 2),
        "host_ms": round(1e3 * timed(on_host, tiny), 2),
        "transfer_ms": round(1e3 * timed(lambda: np.asarray(x + 0.0), tiny), 2),
    }


def demo(out: Path, tiny: bool) -> Rows:
    """A whole training of the demo, without pictures."""
    from accelerator_jobs import load

    from sleepjax.training import loop

    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)  # simulates into the current folder
        begin, cpu = time.perf_counter(), time.process_time()
        try:
            result = loop.run(load("spec1d", tiny, ":demo"), Path(folder, "run"), evaluators={})
        finally:
            os.chdir(before)
        yield {
            "model": "spec1d:demo",
            "seconds": round(time.perf_counter() - begin, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "event_ap": round(result.metrics["event_ap"], 4),
            "data": "simulated",
        }


def inference(out: Path, tiny: bool) -> Rows:
    """Days of recording per second, from prepared features to probabilities on the host."""
    import jax
    from accelerator_jobs import load, timed

    from sleepjax.inference import Windowing, predict_series
    from sleepjax.parallel import sharding
    from sleepjax.training import input_pipeline
    from sleepjax.training.build import build
    from sleepjax.training.state import eval_variables
    from sleepjax.types import STEPS_PER_DAY

    _, by_batch = sharding.shardings(sharding.data_mesh())
    kinds = (("spec1d", ":demo", "float32"), ("spec1d", "", "bfloat16"), ("spec2d", "", "bfloat16"))
    with cohort(tiny) as root:
        for name, variant, dtype in kinds[:1] if tiny else kinds:
            config = load(name, tiny, variant, data__root=root, model__dtype=dtype)
            series, built = input_pipeline.open_data(config).train, build(config)
            variables = eval_variables(jax.jit(built.init)(jax.random.key(0)))
            apply = jax.jit(built.predict_step)
            predict = lambda batch, apply=apply, variables=variables: apply(
                variables, sharding.to_global({"x": batch["x"]}, by_batch)["x"]
            )
            how = Windowing.of(config)
            once = lambda s=series, p=predict, h=how: sum(len(a) for a in predict_series(s, p, h))
            days = sum(one.meta.n_steps for one in series) / STEPS_PER_DAY
            yield {
                "model": name + variant,
                "dtype": dtype,
                "days": round(days, 1),
                "days_per_s": round(days / timed(once, tiny), 1),
            }
