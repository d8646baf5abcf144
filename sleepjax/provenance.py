"""Provenance of results: what they were made with, as JSON beside them and as words for a paper."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import custom, release

if TYPE_CHECKING:
    from sleepjax.predict import Predictor

FORMAT = 1


def record(
    predictor: Predictor,
    *,
    inputs: Sequence[Path],
    results: Mapping[str, Path],
    zone: str | None = None,
    series: int,
) -> dict[str, Any]:
    """What a prediction was made with.

    Args:
      predictor: what predicted.
      inputs: files that were read.
      results: name of each result -> where it lies now.
      zone: IANA zone of the wall clock, where timestamps carried no UTC offset or were UTC.
      series: recordings in which something was found.

    Returns a JSON object: format, created (UTC), software, weights (of each model: sha256, updates,
    whether trained on simulated people, config), post_processing, zone, inputs and results (name,
    bytes, sha256), series, and methods, sentences for a paper.
    """
    from sleepjax.runs.resume import environment  # JAX; words need none

    members = [
        {
            "sha256": release.digest(member.variables),
            "updates": member.run["step"],
            "simulated": member.run["simulated"],
            "trained_with": {k: member.run.get(k) for k in ("sleepjax", "git_commit")},
            "config": custom.renamed(member.config.to_dict(), custom.short),
        }
        for member in predictor.members
    ]
    found = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": environment(),
        "weights": members,
        "post_processing": custom.renamed(predictor.post, custom.short),
        "zone": zone,
        "inputs": [_described(path.name, path) for path in inputs],
        "results": [_described(name, path) for name, path in results.items()],
        "series": series,
    }
    return {**found, "methods": methods(found)}


def methods(found: Mapping[str, Any]) -> str:
    """The methods of a `record` in sentences for a paper."""
    software, weights = found["software"], found["weights"]
    commit = f", commit {software['git_commit'][:12]}" if software["git_commit"] else ""
    kinds = list(dict.fromkeys(_architecture(one["config"]["model"]) for one in weights))
    what = "a model" if len(weights) == 1 else f"an ensemble of {len(weights)} models"
    hashes = ", ".join(one["sha256"][:12] for one in weights)
    people = "simulated people" if all(w["simulated"] for w in weights) else "recordings of people"
    if len({one["simulated"] for one in weights}) > 1:
        people = "simulated people and recordings of people"
    updates = sorted({one["updates"] for one in weights})
    span = f"{updates[0]:,}" if len(updates) == 1 else f"{updates[0]:,} to {updates[-1]:,}"
    features = dict.fromkeys(f for w in weights for f in w["config"]["data"]["features"])
    clock = (
        f"the time zone {found['zone']}" if found["zone"] else "the UTC offsets of the timestamps"
    )
    settings = ", ".join(
        f"{name} {value}"
        for name, value in found["post_processing"].items()
        if value not in ((), [])
    )
    return (
        f"Sleep onsets, wakeups and sleep windows were found with sleepjax {software['sleepjax']} "
        f"(Python {software['python']}, JAX {software['versions']['jax']}{commit}) in "
        f"{found['series']} wrist-accelerometer recordings of 5-second epochs of arm angle and "
        f"ENMO, by {what} ({'; '.join(kinds)}; {span} updates; SHA-256 of the weights {hashes}) "
        f"trained on {people}, from the features {', '.join(features)}. Probabilities were turned "
        f"into events with {settings or 'default settings'}. Local times follow {clock}."
    )


def _architecture(model: Mapping[str, Any]) -> str:
    """``spec1d with panns and unet1d``."""
    parts = [
        model[k]["name"] for k in ("extractor", "unet2d", "decoder") if "name" in model.get(k, {})
    ]
    return model["name"] + (f" with {' and '.join(parts)}" if parts else "")


def _described(name: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": name, "bytes": path.stat().st_size, "sha256": digest}
