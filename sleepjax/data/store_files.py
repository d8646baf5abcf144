"""Names and safe writing of the files of a feature store; `store` describes the layout."""

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from sleepjax import lock
from sleepjax.types import InputError

FORMAT = "sleepjax feature store"
VERSION = 4
MANIFEST = "manifest.json"
RECORD = "series.json"
EVENTS = "events.parquet"
LOCK = ".prepare.lock"
COMPUTED = "computed"


def folder_name(series_id: str) -> str:
    """A folder name for any series id: the id itself if it is harmless on every file system."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", series_id):
        return series_id
    readable = re.sub(r"[^a-z0-9_-]+", "-", series_id.lower()).strip("-")[:40]
    return f"{readable or 'series'}-{hashlib.sha256(series_id.encode()).hexdigest()[:12]}"


def check_sizes(folder: Path, sizes: Mapping[str, int]) -> None:
    """Raise InputError for the first file that is missing or not as long as recorded."""
    for name, size in sizes.items():
        path = folder / name
        try:
            found = path.stat().st_size
        except OSError:
            raise InputError(f"{path} is missing; re-run prepare.") from None
        if found != size:
            raise InputError(f"{path} has {found} bytes, not {size}; re-run prepare.")


def read_json(path: Path) -> dict | None:
    """Contents of a json object, or None where there is none or it cannot be read."""
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return contents if isinstance(contents, dict) else None


def remove_others(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what earlier runs left in a folder of the store."""
    for path in folder.iterdir():
        if path.name not in keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def locked(out: Path) -> AbstractContextManager[None]:
    """Hold the folder of a store for this process, waiting for another one that prepares it.

    Raises InputError for a folder that holds anything else.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; the feature store needs a folder.")
    ours = (out / LOCK).exists() or (read_json(out / MANIFEST) or {}).get("format") == FORMAT
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise InputError(f"{out} holds other files; give an empty or new folder for the store.")
    state = "being prepared by another process"
    return lock.held(out / LOCK, state=state, remedy="wait for it or stop it", wait=lock.WAIT)
