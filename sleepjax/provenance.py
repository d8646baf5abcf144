"""Provenance of results: what they were made with, as JSON beside them and as words for a paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import custom, release
from sleepjax.io import file_hash, provenance_path, write_json
from sleepjax.runs.environment import environment
from sleepjax.text import counted

if TYPE_CHECKING:
    from sleepjax.predict import Predictor

FORMAT = 1
Files = Iterable[Path] | Mapping[str, Path]


def of_model(predictor: Predictor) -> dict[str, Any]:
    """What every prediction of a model has in common, as JSON."""
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
    post = custom.renamed(predictor.post, custom.short)
    return {"software": environment(), "weights": members, "post_processing": post}


def of_prediction(
    model: Mapping[str, Any], *, zone: str | None, series: int, **more: Any
) -> dict[str, Any]:
    """Provenance of what a model found, as JSON.

    Args:
      model: of the predictor, by `of_model`.
      zone: IANA zone of the wall clock, where timestamps carried no UTC offset or were UTC.
      series: recordings in which something was found.
      more: inputs and results as `described`, and whatever else there is to say.
    """
    found = _dated({**model, "zone": zone, "series": series, **more})
    return {**found, "methods": methods(found)}


def write_of_work(sentence: str, inputs: Files, results: Sequence[Path], **more: Any) -> None:
    """Write, beside the first of the results, how they were made without a model of ours.

    ``sentence`` says for a paper what was done; ``{software}`` in it becomes sleepjax's version.
    ``more`` is whatever else there is to say.
    """
    software = environment()
    files = {"inputs": described(inputs), "results": described(results)}
    text = sentence.format(software=f"sleepjax {software['sleepjax']} ({_built(software)})")
    facts = {**_dated({"software": software, **files}), "methods": text, **more}
    write_json(provenance_path(results[0]), facts)


def _dated(facts: Mapping[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"format": FORMAT, "created": now, **facts}


def methods(found: Mapping[str, Any]) -> str:
    """The methods of a prediction in sentences for a paper."""
    software, weights = found["software"], found["weights"]
    kinds = list(dict.fromkeys(_architecture(one["config"]["model"]) for one in weights))
    what = "a model" if len(weights) == 1 else f"an ensemble of {len(weights)} models"
    hashes = ", ".join(one["sha256"][:12] for one in weights)
    words = {True: "simulated people", False: "recordings of people"}
    people = " and ".join(words[of] for of in sorted({one["simulated"] for one in weights})[::-1])
    updates = sorted({one["updates"] for one in weights})
    span = f"{updates[0]:,} to " * (len(updates) > 1) + counted(updates[-1], "update")
    features = dict.fromkeys(f for w in weights for f in w["config"]["data"]["features"])
    clock = (
        f"the time zone {found['zone']}" if found["zone"] else "the UTC offsets of the timestamps"
    )
    settings = ", ".join(
        f"{name} {value}"
        for name, value in found["post_processing"].items()
        if value not in ((), [])
    )
    recordings = counted(found["series"], "wrist-accelerometer recording")
    return (
        f"Sleep onsets, wakeups and sleep windows were found with sleepjax {software['sleepjax']} "
        f"({_built(software)}) in {recordings} of 5-second epochs of arm angle and "
        f"ENMO, by {what} ({'; '.join(kinds)}; {span}; SHA-256 of the weights {hashes}) "
        f"trained on {people}, from the features {', '.join(features)}. Probabilities were turned "
        f"into events with {settings or 'default settings'}. Local times follow {clock}."
    )


def _architecture(model: Mapping[str, Any]) -> str:
    """``spec1d with panns and unet1d``."""
    parts = [
        model[k]["name"] for k in ("extractor", "unet2d", "decoder") if "name" in model.get(k, {})
    ]
    return model["name"] + (f" with {' and '.join(parts)}" if parts else "")


def _built(software: Mapping[str, Any]) -> str:
    commit = f", commit {software['git_commit'][:12]}" if software["git_commit"] else ""
    return f"Python {software['python']}, JAX {software['versions']['jax']}{commit}"


def described(files: Files) -> list[dict[str, Any]]:
    """Name, size and SHA-256 of files; of a mapping, name -> where the file lies now."""
    named = files.items() if isinstance(files, Mapping) else ((path.name, path) for path in files)
    return [
        {"name": name, "bytes": path.stat().st_size, "sha256": file_hash(path)}
        for name, path in named
    ]
