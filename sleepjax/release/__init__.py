"""Released weights: what prediction needs of one or several runs, in files small enough to ship.

    model.safetensors   the arrays of every member: ``0/params/decoder/head/logits/kernel``
    config.json         config and facts of every member, post-processing, features, a hash of
                        these and of model.safetensors; written last
    card.md             for a person: what it was trained on, what it is and is not fit for
    code/               files of user-defined parts, where a member has any

Reading needs neither Orbax nor a run directory. The package's own release stands in this folder,
and in small/ a small network that learned from it, for where time or memory is short.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors.numpy import load, save

from sleepjax import custom
from sleepjax.config import from_json
from sleepjax.data import identity
from sleepjax.io import read_json, write_json, write_text
from sleepjax.types import InputError

FOLDER = Path(__file__).parent
SHIPPED = {"release": FOLDER, "small": FOLDER / "small"}
"""Folders of the weights in the package, by the names that people give."""
MODEL, CONFIG, CARD = "model.safetensors", "config.json", "card.md"
FORMAT = 1
MOST_BYTES = 4_000_000
"""Of model.safetensors; the package is downloaded by everybody."""


@dataclass(frozen=True)
class Weights:
    """What one run learned."""

    config: Any
    """ConfigDict of the run."""
    run: dict[str, Any]
    """Facts of its run.json, and ``step``, the updates it did."""
    variables: dict[str, Any]
    """What the model is applied with: NumPy arrays in {"params": ..., "batch_stats": ...}."""


def named(name: str | Path | None) -> Path:
    """Folder of the weights that a person names: a key of `SHIPPED` (None: release), or a path.

    The path may be that of its model.safetensors.

    Raises InputError for a key that a folder here has as its name too.
    """
    if name is None:
        return SHIPPED["release"]
    if not isinstance(name, str) or name not in SHIPPED:
        return Path(name).parent if Path(name).name == MODEL else Path(name)
    if Path(name).is_dir():
        raise InputError(
            f"{name!r} is the name of weights in the package, and of a folder here; write "
            f"./{name} for the folder, or start in another folder for the former."
        )
    return SHIPPED[name]


def is_release(folder: Path) -> bool:
    """Whether the folder holds a release, rather than a run, or is to hold one of the package."""
    return folder in SHIPPED.values() or (folder / MODEL).is_file()


def write(
    folder: Path,
    members: Sequence[Weights],
    post: Mapping[str, Any],
    card: str,
    *,
    half: bool = False,
) -> None:
    """Write the three files, or replace them; with ``half`` as float16, in half the bytes.

    The files of user-defined parts are copied. Raises InputError where the arrays need more than
    `MOST_BYTES`, or are beyond what float16 can hold.
    """
    arrays = {
        f"{i}/{name}": np.ascontiguousarray(array, np.float32)
        for i, one in enumerate(members)
        for name, array in flatten_dict(one.variables, sep="/").items()
    }
    if half:
        arrays = {name: _halved(name, array) for name, array in arrays.items()}
    model = save(arrays)
    if len(model) > MOST_BYTES:
        raise InputError(
            f"the arrays need {len(model):,} bytes, a release at most {MOST_BYTES:,}; release "
            "fewer members or a smaller model."
        )
    names = {name for one in members for name in one.config.data.features}
    configs = [json.loads(one.config.to_json()) for one in members]
    folder.mkdir(parents=True, exist_ok=True)
    code = custom.copy([configs, dict(post)], folder)
    facts = {
        "format": FORMAT,
        "features": identity.probe(sorted(names)),
        "post": custom.renamed(dict(post), custom.short),
        "members": [
            {"config": custom.renamed(config, custom.short), "run": one.run}
            for config, one in zip(configs, members, strict=True)
        ],
        **({"code": code} if code else {}),
    }
    facts["sha256"] = _hash(model, facts)
    (folder / CONFIG).unlink(missing_ok=True)
    (folder / MODEL).write_bytes(model)
    write_text(folder / CARD, card)
    write_json(folder / CONFIG, facts)


def read(folder: Path = FOLDER) -> tuple[tuple[Weights, ...], dict[str, Any]]:
    """(members, arguments of the post-processing) of a release; by default the package's own.

    Raises InputError where there is none, it is damaged, or this version computes other features.
    """
    path = folder / CONFIG
    if not path.is_file() or not (folder / MODEL).is_file():
        if folder in SHIPPED.values():
            raise InputError(
                "this sleepjax comes without released weights; name a run with --workdir "
                "(sleepjax.load(workdir) in Python), or make a release of your own runs with "
                f"scripts/release.py --workdir RUN --out {folder}."
            )
        raise InputError(f"{folder} is not a release: it needs {MODEL} and {CONFIG}.")
    facts, model = read_json(path, "the release"), (folder / MODEL).read_bytes()
    if facts.get("format") != FORMAT:
        raise InputError(
            f"{path} has release format {facts.get('format')!r}, this sleepjax reads {FORMAT}; use "
            "the version that wrote it."
        )
    if _hash(model, facts) != facts.get("sha256"):
        raise InputError(
            f"{folder / MODEL} is not the file that {CONFIG} belongs to, or one of them was "
            "changed (the hash differs); copy or download the release again."
        )
    custom.check_copies(folder, facts.get("code", {}))
    kept = custom.kept_in(facts, folder)
    _check_features(facts["features"], folder)
    arrays = {name: array.astype(np.float32) for name, array in load(model).items()}
    members = []
    for i, one in enumerate(kept["members"]):
        own = {k.removeprefix(f"{i}/"): v for k, v in arrays.items() if k.startswith(f"{i}/")}
        members.append(Weights(from_json(one["config"]), one["run"], unflatten_dict(own, sep="/")))
    return tuple(members), from_json(kept["post"]).to_dict()


def _halved(name: str, array: np.ndarray) -> np.ndarray:
    most, limit = float(np.abs(array).max(initial=0)), float(np.finfo(np.float16).max)
    if most > limit:
        raise InputError(
            f"{name} has a value of {most:g}, and float16 ends at {limit:g}; "
            "release without --half."
        )
    return array.astype(np.float16)


def _hash(model: bytes, facts: Mapping[str, Any]) -> str:
    """Of the arrays and of all that config.json says but for the hash itself."""
    said = {key: value for key, value in facts.items() if key != "sha256"}
    return hashlib.sha256(model + json.dumps(said, sort_keys=True).encode()).hexdigest()


def _check_features(expected: Mapping[str, Sequence[float]], folder: Path) -> None:
    found = identity.probe(custom.kept_in(list(expected), folder))
    different = [n for n in expected if not np.allclose(found[n], expected[n], atol=1e-3)]
    if different:
        raise InputError(
            f"{folder} was trained on other definitions of the features {', '.join(different)} "
            "than this sleepjax has; use the version that it was released with."
        )


def digest(variables: Mapping[str, Any]) -> str:
    """SHA-256 of the names and values of weights."""
    found = hashlib.sha256()
    for name, array in sorted(flatten_dict(variables, sep="/").items()):
        found.update(name.encode() + np.asarray(array).tobytes())
    return found.hexdigest()


def misfits(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """One line for each array that two trees do not share in name and shape."""
    arrays: list[dict[str, Any]] = [flatten_dict(tree, sep="/") for tree in (found, wanted)]
    have, want = ({name: array.shape for name, array in one.items()} for one in arrays)
    show = lambda table, name: str(table[name]) if name in table else "absent"
    return [
        f"{name}: {show(have, name)} in the weights, {show(want, name)} in the model"
        for name in sorted(have.keys() | want.keys())
        if have.get(name) != want.get(name)
    ]
