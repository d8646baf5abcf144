"""Teacher's probabilities of the recordings of a store, for a student to learn (data.teacher).

teacher.json     whose they are, and of which recordings
<series>.npy     float16 [T,K]: asleep, onset, wakeup, and worn where the teacher has it
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from sleepjax.data.recording import Recording
from sleepjax.data.store_files import folder_name, read_json
from sleepjax.io import replacing, write_json
from sleepjax.types import InputError

FILE = "teacher.json"
FORMAT = 2
TOGETHER = 64
"""Recordings that a teacher is asked about at once: short ones share batches of windows."""


def write(
    folder: Path,
    weights: str,
    identities: Mapping[str, str],
    series: Iterable[Recording],
    probabilities: Callable[[Sequence[Recording]], Iterable[np.ndarray]],
) -> None:
    """Store what a teacher says of each series; what an earlier call has stored of it stays.

    Args:
      identities: of each series, `Store.identities`: of other samples the teacher is asked again.
      series: recordings with the features that the teacher sees, or what it needs to find them.
      probabilities: function of some series, [T,K] of each.

    Raises InputError for a folder with the probabilities of another teacher.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = read_json(folder / FILE) or {"format": FORMAT, "weights": weights}
    if (before.get("format"), before.get("weights")) != (FORMAT, weights):
        raise InputError(f"{folder} holds the probabilities of another teacher; remove it first.")
    for series_id, stored in before.get("identities", {}).items():
        if identities.get(series_id) != stored:
            _path(folder, series_id).unlink(missing_ok=True)
    write_json(
        folder / FILE, {"format": FORMAT, "weights": weights, "identities": dict(identities)}
    )
    left = (one for one in series if not _path(folder, one.meta.series_id).exists())
    while some := list(islice(left, TOGETHER)):
        for one, found in zip(some, probabilities(some), strict=True):
            with replacing(_path(folder, one.meta.series_id)) as new, new.open("wb") as file:
                np.save(file, found.astype(np.float16))


def taught(
    series: Mapping[str, Recording], folder: Path, identities: Mapping[str, str]
) -> dict[str, Recording]:
    """The series with a teacher's probabilities, known at all steps: labelled night or not.

    ``identities`` are those of the series as they are now, `Store.identities`. Raises InputError
    where the folder does not hold what a teacher says of these recordings.
    """
    facts = read_json(folder / FILE)
    if facts is None or facts.get("format") != FORMAT:
        raise InputError(
            f"data.teacher={str(folder)!r} holds no {FILE} of this version; scripts/distill.py "
            "writes such folders."
        )
    for series_id in series:
        if facts.get("identities", {}).get(series_id) != identities[series_id]:
            raise InputError(
                f"data.teacher={str(folder)!r}: the teacher has not seen series {series_id!r} as "
                "it is now. Run scripts/distill.py again, which asks about what has changed."
            )
    return {series_id: _taught(one, folder) for series_id, one in series.items()}


def _taught(one: Recording, folder: Path) -> Recording:
    path = _path(folder, one.meta.series_id)
    try:
        soft = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} with what the teacher says of series {one.meta.series_id!r} cannot be read "
            f"({error}); remove it and run scripts/distill.py again."
        ) from None
    if soft.ndim != 2 or len(soft) != one.meta.n_steps:
        raise InputError(
            f"{path} has the shape {soft.shape}, and series {one.meta.series_id!r} "
            f"{one.meta.n_steps} steps: the recordings were changed. Remove {folder}, and run "
            "scripts/distill.py again."
        )
    assert one.labels is not None
    everywhere = np.ones(one.meta.n_steps, bool)
    return replace(one, labels=replace(one.labels, soft=soft, known=everywhere))


def _path(folder: Path, series_id: str) -> Path:
    return folder / f"{folder_name(series_id)}.npy"
