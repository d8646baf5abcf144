r"""The convolutions of configs/spec2d.py on a CPU, layer by layer, and other ways to compute them.

python benchmarks/conv_cpu.py --batch 2 --out benchmarks/results/conv_cpu.json
python benchmarks/conv_cpu.py --minimal        # what XLA's CPU compiler would have to do better

Per layer the processor time (all cores, least of the repeats) of the output, the gradient of the
input and the gradient of the kernel, and the same results in other ways, which are checked to be
equal:

nchw      channels first
patches   gradient of the kernel as one product of unfolded patches [N,k*k*C] with [N,C']
shifts    gradient of the kernel as a product for each place of the kernel
blocks    a convolution of stride 2 on 2x2 blocks, without stride
parts     a joined input convolved part by part and summed: nothing is joined
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sleepjax.models.blocks import blocks_from_pixels

LAYERS = {  # name: T, H, input channels (of each part), output channels, kernel, stride, how many
    "stem": (2880, 64, (3,), 64, 7, 2, 1),
    "layer1": (720, 16, (64,), 64, 3, 1, 6),
    "layer2 stride": (720, 16, (64,), 128, 3, 2, 1),
    "layer2": (360, 8, (128,), 128, 3, 1, 7),
    "layer3 stride": (360, 8, (128,), 256, 3, 2, 1),
    "layer3": (180, 4, (256,), 256, 3, 1, 11),
    "layer4 stride": (180, 4, (256,), 512, 3, 2, 1),
    "layer4": (90, 2, (512,), 512, 3, 1, 5),
    "up4": (180, 4, (256, 256), 256, 3, 1, 1),
    "up3": (360, 8, (128, 128), 128, 3, 1, 1),
    "up2": (720, 16, (64, 64), 64, 3, 1, 1),
    "up1": (1440, 32, (32, 64, 12), 32, 3, 1, 1),
    "up1 second": (1440, 32, (32,), 32, 3, 1, 1),
    "head": (1440, 32, (32,), 4, 3, 1, 1),
}
Conv = Callable[[jax.Array, jax.Array], jax.Array]


def plain(stride: int, layout: str = "NHWC") -> Conv:
    """Convolution with torch's padding; kernels are HWIO in either layout."""
    numbers = (layout, "HWIO", layout)

    def conv(x: jax.Array, w: jax.Array) -> jax.Array:
        half = (w.shape[0] - 1) // 2
        pad = ((half, half),) * 2
        return lax.conv_general_dilated(x, w, (stride, stride), pad, dimension_numbers=numbers)

    return conv


def on_blocks(x: jax.Array, w: jax.Array) -> jax.Array:
    """A kernel of odd size with stride 2 as one on 2x2 blocks; T and H are even."""
    k, c = w.shape[0], x.shape[-1]
    before = (k - 1) // 2 % 2  # an empty row in front, so that the kernel begins with a block
    size = -(-(k + before) // 2)
    w = jnp.pad(w, ((before, 2 * size - k - before),) * 2 + ((0, 0),) * 2)
    w = w.reshape(size, 2, size, 2, c, -1).transpose(0, 2, 1, 3, 4, 5)
    w = w.reshape(size, size, 4 * c, -1)
    left = ((k - 1) // 2 + before) // 2
    pad = ((left, size - 1 - left),) * 2
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        blocks_from_pixels(x, 2), w, (1, 1), pad, dimension_numbers=numbers
    )


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """[B,T,H,C], [B,T,H,C'] -> [C,C'], summed over all places."""
    return lax.dot_general(a, b, (((0, 1, 2), (0, 1, 2)), ((), ())))


def shifted(x: jax.Array, k: int) -> list[jax.Array]:
    """x as each of the k*k places of a kernel sees it."""
    (_, t, h, _), half = x.shape, (k - 1) // 2
    x = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    return [x[:, i : i + t, j : j + h] for i in range(k) for j in range(k)]


def kernel_by_patches(x: jax.Array, g: jax.Array, k: int) -> jax.Array:
    patches = jnp.concatenate(shifted(x, k), axis=-1)
    return product(patches, g).reshape(k, k, x.shape[-1], -1)


def kernel_by_shifts(x: jax.Array, g: jax.Array, k: int) -> jax.Array:
    places = [product(one, g) for one in shifted(x, k)]
    return jnp.stack(places).reshape(k, k, x.shape[-1], -1)


def in_parts(channels: tuple[int, ...]) -> Callable:
    """Parts of an input [B,T,H,C_i], kernel of all of them -> output."""
    ends = np.cumsum(channels)

    def conv(parts: list[jax.Array], w: jax.Array) -> jax.Array:
        kernels = jnp.split(w, ends[:-1], axis=2)
        return sum(plain(1)(x, kernel) for x, kernel in zip(parts, kernels, strict=True))

    return conv


def gradients(conv: Conv) -> dict[str, Callable]:
    """Output, gradient of the input and of the kernel, as functions of x, w and g."""
    return {
        "output": lambda x, w, g: conv(x, w),
        "input": lambda x, w, g: jax.vjp(lambda x: conv(x, w), x)[1](g)[0],
        "kernel": lambda x, w, g: jax.vjp(lambda w: conv(x, w), w)[1](g)[0],
    }


def measure(name: str, batch: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of processor time of each way."""
    t, h, channels, out, k, stride, count = LAYERS[name]
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    parts = [draw(batch, t, h, c) for c in channels]
    x, w = jnp.concatenate(parts, axis=-1), draw(k, k, sum(channels), out)
    g = draw(batch, t // stride, h // stride, out)
    first = lambda a: jnp.moveaxis(a, -1, 1)
    usual = gradients(plain(stride))
    ways = {("usual", what): (function, (x, w, g)) for what, function in usual.items()}
    other = gradients(plain(stride, "NCHW"))
    ways |= {("nchw", what): (f, (first(x), w, first(g))) for what, f in other.items()}
    if stride == 2:
        ways |= {("blocks", what): (f, (x, w, g)) for what, f in gradients(on_blocks).items()}
    else:
        ways["patches", "kernel"] = (lambda x, w, g: kernel_by_patches(x, g, k), (x, w, g))
        ways["shifts", "kernel"] = (lambda x, w, g: kernel_by_shifts(x, g, k), (x, w, g))
    if len(channels) > 1:
        joined = lambda parts, w: plain(1)(jnp.concatenate(parts, axis=-1), w)
        for way, conv in (("joined", joined), ("parts", in_parts(channels))):
            ways |= {(way, what): (f, (parts, w, g)) for what, f in gradients(conv).items()}
    compiled = {key: (jax.jit(function), args) for key, (function, args) in ways.items()}
    expected = {what: compiled["usual", what][0](x, w, g) for what in usual}
    best = dict.fromkeys(compiled, float("inf"))
    for (way, what), (function, args) in compiled.items():
        found = jnp.concatenate(r, axis=-1) if isinstance(r := function(*args), list) else r
        found = jnp.moveaxis(found, 1, -1) if way == "nchw" and what != "kernel" else found
        scale = float(jnp.abs(expected[what]).max())
        assert float(jnp.abs(found - expected[what]).max()) < 1e-3 * scale, (name, way, what)
    for _ in range(repeats):
        for key, (function, args) in compiled.items():
            cpu = time.process_time()
            jax.block_until_ready(function(*args))
            best[key] = min(best[key], 1e3 * (time.process_time() - cpu))
    row: dict[str, Any] = {"layer": name, "count": count}
    row["gflop"] = round(2 * g.size * k * k * sum(channels) / 1e9, 2)
    for (way, what), ms in best.items():
        row.setdefault(way, {})[what] = round(ms, 1)
    return row


def minimal(batch: int) -> None:
    """The gradient of a kernel with 4 outputs takes three times as long as with 32."""
    x = jnp.ones((batch, 1440, 32, 32))
    for outputs in (4, 8, 16, 32):
        g, w = jnp.ones((batch, 1440, 32, outputs)), jnp.ones((3, 3, 32, outputs))
        run = jax.jit(gradients(plain(1))["kernel"])
        best = float("inf")
        for _ in range(6):
            cpu = time.process_time()
            run(x, w, g).block_until_ready()
            best = min(best, time.process_time() - cpu)
        gflop = 2 * g.size * 9 * 32 / 1e9
        print(f"{outputs:3} outputs: {1e3 * best:6.1f} ms, {gflop / best:5.1f} GFLOP/s of a core")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--layer", choices=list(LAYERS), action="append")
    parser.add_argument("--minimal", action="store_true", help="only the minimal program")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    args = parser.parse_args()
    if args.minimal:
        return minimal(args.batch)
    about = {"jax": jax.__version__, "batch": args.batch, "cores": os.cpu_count()}
    rows = []
    for name in args.layer or LAYERS:
        rows.append(measure(name, args.batch, args.repeats))
        print(json.dumps(rows[-1]), flush=True)
        if args.out:
            load = round(os.getloadavg()[0], 1)
            result = {**about, "load_average": load, "rows": rows}
            args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
