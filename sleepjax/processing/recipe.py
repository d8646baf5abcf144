"""Recipe of a result: how inputs are read, and which program and weights find sleep in them."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sleepjax
from sleepjax.io import text_hash
from sleepjax.nights.reasons import MIN_HOURS


@dataclass(frozen=True)
class Settings:
    """How every input is read, and with which weights sleep is found in it."""

    workdir: str | None = None
    """As of `sleepjax.load`."""
    tz: str | None = None
    device_tz: str | None = None
    columns: dict[str, str] | None = None
    units: str | None = None
    lenient: bool = False
    """As of `devices.recordings`."""
    min_hours: float = MIN_HOURS
    """As of `nights.nights_table`."""
    reports: bool = True
    """Whether to write a page about each recording."""


@dataclass(frozen=True)
class Identity:
    """Of two results that differ in none of these and in no input, one is enough."""

    version: str
    code: str
    """Hash of the package's files."""
    weights: str
    """`member.model_hash`."""
    settings: str
    """As JSON, without where the weights are."""

    @property
    def hash(self) -> str:
        """Of all of it."""
        return text_hash(json.dumps(asdict(self)))


def identity(settings: Settings, weights: str) -> Identity:
    """That of this program with these settings and weights of that hash."""
    said = {name: value for name, value in asdict(settings).items() if name != "workdir"}
    return Identity(sleepjax.__version__, code(), weights, json.dumps(said, sort_keys=True))


def made_with(identity: Identity, simulated: bool) -> dict[str, Any]:
    """What results depend on, as reports show it."""
    return {
        "sleepjax": identity.version,
        "code": identity.code[:16],
        "weights": identity.weights[:16],
        "simulated": simulated,
        "settings": json.loads(identity.settings),
    }


@cache
def code() -> str:
    """Hash of the package's Python files: a checkout may change without its version."""
    root = Path(sleepjax.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
