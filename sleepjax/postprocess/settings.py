"""Settings of `decode_series` from a file, such as scripts/tune_postprocess.py writes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleepjax.postprocess.decode import check_settings
from sleepjax.types import InputError

NUMBER, SWITCH, OPTIONAL = "a number", "true or false", "a number or null"
KINDS = {
    "height": NUMBER,
    "distance": NUMBER,
    "soft": NUMBER,
    "snap": SWITCH,
    "daily": OPTIONAL,
    "day_cut_hour": NUMBER,
    "prune": SWITCH,
    "pair": SWITCH,
}


def read_settings(path: str | Path) -> dict[str, Any]:
    """The object ``post`` of a JSON file: arguments of `decode_series`.

    Raises InputError when the file cannot be read, or for an unknown name or an unusable value.
    """
    try:
        contents = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON file: {error}.") from None
    if not isinstance(contents, dict) or not isinstance(contents.get("post"), dict):
        raise InputError(
            f"{path} has no object 'post'; it must look like "
            '{"post": {"height": 0.001, "distance": 100}}.'
        )
    try:
        return checked(contents["post"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def checked(post: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, if `decode_series` takes them; raises InputError otherwise."""
    for name, value in post.items():
        if name not in KINDS:
            near = difflib.get_close_matches(str(name), KINDS, n=1, cutoff=0.5)
            hint = f", did you mean {near[0]!r}?" if near else "."
            raise InputError(f"setting {name!r} is unknown{hint} Known: {', '.join(KINDS)}.")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {NUMBER: number, SWITCH: isinstance(value, bool), OPTIONAL: number or value is None}
        if not fits[KINDS[name]]:
            raise InputError(f"setting {name}={value!r} must be {KINDS[name]}.")
    check_settings(
        **{k: v for k, v in post.items() if k in ("height", "distance", "soft", "daily")}
    )
    if not 0 <= post.get("day_cut_hour", 0) <= 24:
        raise InputError(f"day_cut_hour={post['day_cut_hour']} must lie between 0 and 24.")
    return dict(post)
