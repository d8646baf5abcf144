"""Teacher's probabilities of the recordings of a store, for a student to learn (data.teacher).

teacher.json     whose they are, of which recordings; written last
<series>.npy     float16 [T,K]: asleep, onset, wakeup, and worn where the teacher has it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from sleepjax.data.recording import Recording
from sleepjax.data.store_files import folder_name, read_json
from sleepjax.io import replacing, write_json
from sleepjax.types import InputError

FILE = "teacher.json"
FORMAT = 1
TOGETHER = 64
"""Recordings that a teacher is asked about at once: short ones share batches of windows."""


def write(
    folder: Path,
    weights: str,
    series: Iterable[Recording],
    probabilities: Callable[[Sequence[Recording]], Iterable[np.ndarray]],
) -> None:
    """Store what a teacher says of each series; what an earlier call has stored stays.

    Args:
      folder: created if missing.
      weights: hash of the teacher's weights.
      series: recordings with the features that the teacher sees, or what it needs to find them.
      probabilities: [T,K] of each of some series.

    Raises InputError for a folder with the probabilities of another teacher.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"format": FORMAT, "weights": weights}
    before = read_json(folder / FILE)
    if before is not None and before != facts:
        raise InputError(f"{folder} holds the probabilities of another teacher; remove it first.")
    write_json(folder / FILE, facts)
    left = (one for one in series if not _path(folder, one).exists())
    while some := list(islice(left, TOGETHER)):
        for one, found in zip(some, probabilities(some), strict=True):
            with replacing(_path(folder, one)) as new, new.open("wb") as file:
                np.save(file, found.astype(np.float16))


def taught(one: Recording, folder: Path) -> Recording:
    """The series with a teacher's probabilities, known at all steps: labelled night or not.

    Raises InputError where the folder does not hold them.
    """
    facts, path = read_json(folder / FILE), _path(folder, one)
    if facts is None or facts.get("format") != FORMAT:
        raise InputError(
            f"data.teacher={str(folder)!r} holds no {FILE}; scripts/distill.py writes such folders."
        )
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


def _path(folder: Path, one: Recording) -> Path:
    return folder / f"{folder_name(one.meta.series_id)}.npy"
