"""Results of single inputs: a folder each, named after all that the result depends on.

    results/3f/3f0c...      nights.parquet, recordings.parquet, reports, result.json
    results/shard-3-of-100.json   what became of the inputs of one shard

A folder is made under another name and renamed, so that it is there whole or not at all. The same
input with the same settings, weights and code has the same folder: it is computed once.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sleepjax.io import text_hash

RESULT = "result.json"
DONE, PARTIAL, FAILED, DUPLICATE = "done", "partial", "failed", "duplicate"
"""States of an input: all of it was used; some of its series; nothing; another input's content."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    name: str
    state: str
    reason: str = ""
    """Of what was not used, and a warning of what was; empty where there is neither."""
    sha256: str = ""
    """Of the file's bytes; empty where they were not read to the end."""
    key: str = ""
    """Names the folder of the result; empty where there is none."""
    series: tuple[str, ...] = ()
    nights: int = 0
    seconds: float = 0.0
    days: float = 0.0
    """Of recording, all series together."""
    reports: tuple[str, ...] = ()
    """File of each series' report within the folder of the result."""


def from_json(values: dict[str, Any]) -> Outcome:
    """The outcome that `dataclasses.asdict` and JSON made a dictionary of."""
    tuples: dict[str, Any] = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    return Outcome(**values | tuples)


def key(sha256: str, name: str, identity: str) -> str:
    """Hash of a file's content, its own name (a series may be called after it) and the identity."""
    return text_hash("\n".join((sha256, os.path.basename(name), identity)))[:32]


def folder(out: Path, key: str) -> Path:
    """Where the result of that key is or will be."""
    return out / "results" / key[:2] / key


def read(out: Path, key: str) -> Outcome | None:
    """The outcome that is stored under a key; what a power failure left of one is removed."""
    place = folder(out, key)
    try:
        return from_json(json.loads((place / RESULT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError):
        shutil.rmtree(place)
        return None


def unused(out: Path, keys: Collection[str]) -> int:
    """Number of stored results that have none of these keys."""
    return sum(path.name not in keys for path in (out / "results").glob("??/*"))


@contextmanager
def written(out: Path, key: str, workplace: Path) -> Iterator[Path]:
    """Give an empty folder to write a result into; it is put in its place at the end."""
    new = workplace / f"{key}-{os.getpid()}"
    new.mkdir(parents=True)
    try:
        yield new
        place = folder(out, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.rename(place)
        except OSError:
            if not (place / RESULT).exists():  # else another process was first, with the same
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the outcome into the folder of its result."""
    (folder / RESULT).write_text(json.dumps(asdict(outcome)), encoding="utf-8")
