r"""A training step of the recipe in PyTorch (torch_reference.py), timed.

python benchmarks/torch_step.py --model spec2d --batch 4 --steps 5
python benchmarks/torch_step.py --model spec2d --dtype bfloat16 --compile --channels_last

One JSON object: a whole update (forward, loss, gradient, clipping, AdamW, the demo's averaged
parameters) on noise windows that are already on the device; there is no guard against ruinous
updates, and AdamW decays every parameter. It imports torch and numpy alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_reference import DEMO, FEATURES, SIZES, TINY, Recipe

SIGMA, WEIGHTS = 20.0, (1.0, 1.0, 1.0)


def loss_of(logits: Tensor, asleep: Tensor, distance: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy against sleep and Gaussians of the distance to events, over known frames."""
    events = torch.exp(-0.5 * (distance / SIGMA) ** 2)
    target = torch.cat([asleep[:, None], events.transpose(1, 2)], 1)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weights = each.new_tensor(WEIGHTS)[:, None]
    return (each * weights * mask[:, None]).sum() / (mask.sum() * sum(WEIGHTS))


def noise(batch: int, steps: int, downsample: int, device: str) -> tuple[Tensor, ...]:
    """Windows without meaning: x, asleep, distance, mask."""
    rng, frames = np.random.default_rng(0), steps // downsample
    arrays = (
        rng.normal(size=(batch, steps, FEATURES)),
        rng.random((batch, frames)) < 0.3,
        rng.integers(-9000, 9000, (batch, frames, 2)),
        np.ones((batch, frames)),
    )
    return tuple(torch.tensor(a.astype(np.float32), device=device) for a in arrays)


def stepper(
    name: str,
    *,
    batch: int,
    window: int = 5760,
    dtype: str = "float32",
    compile: bool = False,
    channels_last: bool = False,
    ema: float = 0.0,
    device: str = "cpu",
    **sizes,
):
    """(one update as a function of nothing that returns the loss, the model)."""
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")  # TF32, as XLA's default
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    model = Recipe(name.partition(":")[0], **sizes).to(device)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    run = torch.compile(model) if compile else model
    cuda = device == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=1e-2, fused=cuda)
    x, *labels = noise(batch, window, sizes.get("downsample", 2), device)
    parameters = list(model.parameters())
    averages = [p.detach().clone() for p in parameters] if ema else []
    half = dtype == "bfloat16"

    def step() -> Tensor:
        with torch.autocast(device, torch.bfloat16) if half else contextlib.nullcontext():
            logits = run(x)
        loss = loss_of(logits, *labels)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if ema:
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1 - ema)
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step, model


def measure(name: str, *, steps: int = 20, rounds: int = 5, device: str = "cpu", **how) -> dict:
    """Median of the rounds of ``steps`` updates each; the first updates, which compile, apart."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    step, model = stepper(name, device=device, **how)
    begin = time.perf_counter()
    for _ in range(2):
        step()
    wait()
    first, seconds = time.perf_counter() - begin, []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(steps):
            loss = step()
        wait()
        seconds.append((time.perf_counter() - begin) / steps)
    second = statistics.median(seconds)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return {
        "library": f"torch {torch.__version__}",
        "model": name,
        **{key: value for key, value in how.items() if key not in {*TINY, *DEMO} - {"window"}},
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps_per_second": round(1 / second, 4),
        "windows_per_second": round(how["batch"] / second, 3),
        "seconds_of_rounds": [round(s, 5) for s in seconds],
        "first_two_steps_s": round(first, 2),
        "peak_device_memory_mb": round(peak / 1e6) or None,
        "loss": round(float(loss), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(SIZES), default="spec2d")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--window", type=int, help="steps of 5 s")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels_last", action="store_true")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="smallest sizes")
    parser.add_argument("--serve", action="store_true", help="for compare_torch.py")
    args = vars(parser.parse_args())
    name, rounds, serves = args.pop("model"), args.pop("rounds"), args.pop("serve")
    sizes = SIZES[name] | (TINY if args.pop("tiny") else {})
    how = sizes | {key: value for key, value in args.items() if value is not None}
    how["device"] = "cuda" if torch.cuda.is_available() else "cpu"
    if not serves:
        print(json.dumps(measure(name, rounds=rounds, **how)))
        return
    import served

    del how["steps"]
    step, model = stepper(name, **how)
    parameters = sum(p.numel() for p in model.parameters())
    about = {"version": f"torch {torch.__version__}", "parameters": parameters}
    served.serve(lambda n: [step() for _ in range(n)], about)


if __name__ == "__main__":
    main()
