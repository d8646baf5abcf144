"""DETR's assignment of intervals to queries: inside jit against a callback to scipy's solver.

python benchmarks/assignment.py prints the fastest of 20 calls each, and the seconds of compilation.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from sleepjax.objectives.interval_queries import assign


def by_callback(cost, real):
    """What `assign` returns, computed on the host."""

    def solve(cost):
        return np.stack([linear_sum_assignment(one.T)[1] for one in cost]).astype(np.int32)

    shape = jax.ShapeDtypeStruct(cost.shape[:2], jnp.int32)
    return jax.pure_callback(solve, shape, jnp.where(real[:, None], cost, 0.0))


def main() -> None:
    for batch, queries in ((4, 8), (32, 8), (32, 16)):
        rng = np.random.default_rng(0)
        cost = jnp.asarray(rng.normal(size=(batch, queries, queries)), jnp.float32)
        real = jnp.broadcast_to(jnp.arange(queries) < 3, (batch, queries))
        for name, function in (("in jit", assign), ("callback", by_callback)):
            start = time.perf_counter()
            call = jax.jit(function).lower(cost, real).compile()
            compiling, times = time.perf_counter() - start, []
            for _ in range(20):
                start = time.perf_counter()
                jax.block_until_ready(call(cost, real))
                times.append(time.perf_counter() - start)
            print(
                f"batch {batch}, {queries} queries, {name}: {1e3 * min(times):.2f} ms, "
                f"compiled in {compiling:.1f} s"
            )


if __name__ == "__main__":
    main()
