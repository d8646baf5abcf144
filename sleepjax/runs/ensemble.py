"""An ensemble: a folder with ensemble.json, which lists run directories whose answers are averaged.

{"format": 1, "members": ["fold0-seed0", "fold1-seed0"], "post": {"height": 0.001}}

Members are paths relative to the folder; ``post`` are arguments of `postprocess.decode_series` for
the mean of their probabilities.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sleepjax import custom
from sleepjax.io import write_json
from sleepjax.postprocess import read_settings
from sleepjax.types import InputError

FILE = "ensemble.json"
FORMAT = 1


def is_ensemble(folder: Path) -> bool:
    """Whether the folder holds an ensemble, rather than a run."""
    return (folder / FILE).is_file()


def write(folder: Path, members: Sequence[Path], post: Mapping[str, Any]) -> Path:
    """Write ensemble.json into a folder, or replace it; returns its path."""
    names = [Path(os.path.relpath(member, folder)).as_posix() for member in members]
    path = folder / FILE
    relative = custom.relative_to(dict(post), folder)
    contents = {"format": FORMAT, "members": names, "post": relative}
    write_json(path, contents)
    return path


def read(folder: Path) -> tuple[dict[str, Path], dict[str, Any]]:
    """(name in the file -> run directory of each member, settings of the post-processing).

    Raises InputError when the file cannot be used, or a member is not there.
    """
    path = folder / FILE
    post = read_settings(path)
    contents = json.loads(path.read_text(encoding="utf-8"))
    if contents.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {contents.get('format')!r}; "
            f"this version of sleepjax reads {FORMAT}."
        )
    names = contents.get("members")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise InputError(f"{path}: 'members' must be a list of run directories, relative to it.")
    members = {name: folder / name for name in names}
    if len(members) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path} lists member {twice!r} twice; list each once.")
    for name, member in members.items():
        if not (member / "config.json").is_file():
            raise InputError(
                f"{path}: member {name!r} is not a run directory ({member} has no config.json); "
                "train it, copy it there, or take it off the list."
            )
    return members, post
