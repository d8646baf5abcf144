"""The operations of a compiled training step that take most of a device's time."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import jax


def most_expensive(step: Any, folder: Path, steps: int) -> tuple[float, list[dict[str, Any]]]:
    """(share of the traced time in which the device computed, operations from the longest down).

    ``step`` is a `train_step.Step`. A row has the operation's name in the compiled program, the
    kernel, the line of the model it came from, its milliseconds a step and its share of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with jax.profiler.trace(str(folder)):
        step(steps)
    files = sorted(folder.rglob("*.xplane.pb"))
    planes = jax.profiler.ProfileData.from_file(str(files[-1])).planes
    spent, kernel, begin, end = Counter(), {}, float("inf"), 0.0
    for plane in planes:
        if not plane.name.startswith(("/device:", "/host:CPU")):
            continue
        on_device = plane.name.startswith("/device:")
        for line in plane.lines:
            if on_device and not line.name.startswith("Stream"):
                continue  # sums of others
            for event in line.events:
                operation = dict(event.stats).get("hlo_op", event.name if on_device else None)
                if operation is None or event.name.startswith("end: "):
                    continue
                spent[operation] += event.duration_ns
                kernel[operation] = event.name
                begin = min(begin, event.start_ns)
                end = max(end, event.start_ns + event.duration_ns)
    shutil.rmtree(folder, ignore_errors=True)  # hundreds of megabytes
    places, total = sources(step.step.as_text()), max(sum(spent.values()), 1)
    rows = [
        {
            "operation": operation,
            "kernel": kernel[operation][:80],
            "source": places.get(operation, "")[-120:],
            "ms_per_step": round(ns / steps / 1e6, 3),
            "share": round(ns / total, 4),
        }
        for operation, ns in spent.most_common(40)
    ]
    return round(total / max(end - begin, 1), 3), rows


def sources(program: str) -> dict[str, str]:
    """Instruction -> what of the traced function it computes, from a program's text."""
    pairs = re.findall(r'%?([\w.-]+) = .*?metadata=\{[^}]*?op_name="([^"]*)"', program)
    return dict(pairs)
