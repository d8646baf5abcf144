"""Real device files, which are not part of the project, and files of the same kinds for tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.project import PROJECT

_FOLDERS = (os.environ.get("SLEEPJAX_DEVICE_FILES", ""), PROJECT.parent / "shared/data/devices")
FOLDER = next((Path(f) for f in _FOLDERS if f and Path(f).is_dir()), None)
DEVICE_FILES = sorted(p.name for p in FOLDER.iterdir()) if FOLDER else ["any"]


def device_file(name: str) -> Path:
    """A file of that folder; the test is skipped where it is not there."""
    if FOLDER is None or not (FOLDER / name).is_file():
        pytest.skip(f"no device file {name} here: set SLEEPJAX_DEVICE_FILES to their folder")
    return FOLDER / name
