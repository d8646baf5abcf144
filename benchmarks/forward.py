r"""What a forward pass of the shipped weights takes on a core, and what other forms of it would.

taskset -c 1 python benchmarks/forward.py --out benchmarks/results/forward.json

Processor time in ms for a window of 24 hours, least of several turns: of one member by batch size,
of its layers, of its norms; of all members in turn, in one program, and mapped; of each way to
write the convolutions of the decoder, in GFLOP/s. One core, since XLA would use all.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sleepjax.member import predict_together
from sleepjax.models import blocks
from sleepjax.predict import load
from sleepjax.training.build import build

TURNS, BATCH = 15, 4
LAYERS = ("down0", "down1", "down2", "down3", "down4", "down5", "up4", "up3", "up2", "up1", "up0")
SHAPES = ((1440, 80, 16), (1440, 16, 16), (720, 24, 24), (360, 32, 32), (180, 48, 48))
SHAPES += ((45, 96, 96), (90, 128, 64), (360, 64, 32), (1440, 32, 16))
"""Frames, inputs and outputs of convolutions of the decoder."""
WAYS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "convolution": lambda x, k: jax.lax.conv_general_dilated(
        x, k, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
    ),
    "summed by taps": blocks.summed_by_taps,
    "patches": lambda x, k: _patches(x) @ k.reshape(-1, k.shape[-1]),
}


class NoNorm(nn.Module):
    """In place of a batch norm: what folding it into the convolution could save at most."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """The same."""
        for name in ("scale", "bias"):
            self.param(name, nn.initializers.zeros, x.shape[-1:])
        return x


def _patches(x: jax.Array) -> jax.Array:
    """[B,T,C] -> [B*T,3*C]: each place with its neighbours."""
    steps = x.shape[1]
    x = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    around = jnp.concatenate([x[:, i : i + steps] for i in range(3)], axis=-1)
    return around.reshape(-1, around.shape[-1])


def ms(work: Callable[..., Any], *args: Any) -> float:
    """Processor time of a call, least of several."""
    jax.block_until_ready(work(*args))
    taken = []
    for _ in range(TURNS):
        begin = time.process_time()
        jax.block_until_ready(work(*args))
        taken.append(1e3 * (time.process_time() - begin))
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    args = parser.parse_args()
    rng, members = np.random.default_rng(0), load().members
    built = build(members[0].config)
    model: Any = built.predict_step.keywords["model"]  # type: ignore[attr-defined]
    each = [member.variables for member in members]
    stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *each)
    length, features = members[0].config.data.duration, len(members[0].config.data.features)
    result: dict[str, Any] = {}

    def row(part: str, name: str, value: float) -> None:
        result.setdefault(part, {})[name] = round(value, 3)
        print(f"{part}, {name}: {value:.3f}", flush=True)

    def x_of(batch: int) -> dict[str, np.ndarray]:
        return {"x": rng.standard_normal((batch, length, features), np.float32)}

    for batch in (1, 2, 4, 8, 16):
        x = x_of(batch)
        row("one member by batch", str(batch), ms(members[0].predict_fn, x) / batch)

    x = x_of(BATCH)
    for name in ("image", *(f"decoder/{layer}" for layer in LAYERS)):
        until = partial(lambda name, v, x: model.apply(v, x, train=False)[1][name].sum(), name)
        row("one member until", name, ms(jax.jit(until), each[0], x["x"]) / BATCH)
    row("one member until", "the end", ms(members[0].predict_fn, x) / BATCH)
    norm, blocks.NORMS["batch"] = blocks.NORMS["batch"], lambda name, **_: NoNorm(name=name)
    bare = jax.jit(lambda v, x: built.predict_step(v, x))
    row("one member until", "the end, no norms", ms(bare, each[0], x["x"]) / BATCH)
    blocks.NORMS["batch"] = norm

    # Of all members: apart, as they are predicted, in one program, and mapped over their weights.
    mapped = jax.jit(lambda v, x: jax.vmap(built.predict_step, (0, None))(v, x).mean(axis=0))
    joined = jax.jit(lambda vs, x: sum(built.predict_step(v, x) for v in vs) / len(vs))
    for batch in (BATCH, 2 * BATCH):
        x = x_of(batch)
        in_turn = lambda x: [member.predict_fn(x) for member in members]
        row("all members in turn", str(batch), ms(in_turn, x) / batch)
        row(
            "all members, their images at once",
            str(batch),
            ms(predict_together(members), x) / batch,
        )
        row("all members in one program", str(batch), ms(joined, each, x["x"]) / batch)
        row("all members mapped", str(batch), ms(mapped, stacked, x["x"]) / batch)

    for steps, inputs, outputs in SHAPES:
        signal = jnp.asarray(rng.standard_normal((BATCH, steps, inputs), np.float32))
        kernel = jnp.asarray(rng.standard_normal((3, inputs, outputs), np.float32))
        flop = 6 * BATCH * steps * inputs * outputs
        for name, way in WAYS.items():
            taken = ms(jax.jit(way), signal, kernel)
            row(f"GFLOP/s of {steps} x {inputs} -> {outputs}", name, flop / taken / 1e6)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
