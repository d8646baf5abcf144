"""Work of the service: a file or samples in, what was found as plain values out."""

import base64
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import polars as pl

from sleepjax import devices, provenance
from sleepjax.data import clock, qc
from sleepjax.data.raw import recordings_from_frame
from sleepjax.figures.palette import png
from sleepjax.predict import Found, Predictor, figure
from sleepjax.serve.limits import Limits
from sleepjax.tables import column_names
from sleepjax.text import counted
from sleepjax.types import STEPS_PER_DAY, InputError

NAME = "upload"
"""Name that every file that is sent gets here."""
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class Model:
    """What answers are made with."""

    predictor: Predictor
    facts: dict[str, Any]
    """Of `provenance.of_model`."""


def of_file(
    model: Model, limits: Limits, file: BinaryIO, name: str, tz: str | None, picture: bool
) -> dict[str, Any]:
    """What is found in the recordings of a file, and pictures of the nights if asked for.

    Of its ``name`` only the end counts; ``tz`` is the zone of the wall clock, where the file does
    not say. Raises InputError where no recording can be used.
    """
    ending = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if ending not in devices.SUFFIXES:
        known = ", ".join(devices.SUFFIXES)
        raise InputError(f"the name of the file must end in one of {known}; unpack what is packed.")
    with tempfile.TemporaryDirectory(prefix="sleepjax-") as folder:
        path = Path(folder) / f"{NAME}{ending}"
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        try:
            _check_unpacked(path, limits)
            frames = (converted.frame for converted in devices.recordings(path, tz=tz))
            return _of_frames(model, limits, frames, tz, picture, path.name, [path])
        except InputError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from None


def of_samples(
    model: Model, limits: Limits, frame: pl.DataFrame, tz: str | None, picture: bool
) -> dict[str, Any]:
    """What is found in a frame with the competition's columns; see `of_file`."""
    return _of_frames(model, limits, iter([frame]), tz, picture, "the samples", [])


def _check_unpacked(path: Path, limits: Limits) -> None:
    """Raise InputError for a file that is large only when it is unpacked."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] == b"\x1f\x8b":
        raise InputError(f"{path.name}: it is compressed (gzip); unpack it first.")
    if head == b"PAR1":
        column_names(path)  # refuses what is damaged
        rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        most = 100 * 86_400 * limits.days  # 100 Hz
        if rows > most:
            raise InputError(f"{path.name}: it has {rows} rows; at most {most}.")


def _of_frames(
    model: Model,
    limits: Limits,
    frames: Iterator[pl.DataFrame],
    tz: str | None,
    picture: bool,
    name: str,
    files: list[Path],
) -> dict[str, Any]:
    predictor, found, refused, left, more = model.predictor, [], [], float(limits.days), 0
    for frame in frames:
        try:
            days = _days(frame, limits, tz, name) if left >= 1 else 1.0
            if days > left:
                more += 1
                continue
            left -= days
            for recording in recordings_from_frame(frame, tz=tz):
                found.append(answer(predictor, predictor.find(recording), picture))
        except InputError as error:
            refused.append(str(error).replace("the given frame", name))
    if more:
        left_out = counted(more, "recording is", "recordings are")
        refused.append(
            f"{name}: {left_out} left out: a request holds at most {limits.days} days, "
            "each recording counted as one at least. Send fewer at once."
        )
    if not found:
        raise InputError(refused[0] if refused else f"{name}: it holds no recording.")
    inputs = provenance.described(files)
    facts = provenance.of_prediction(model.facts, zone=tz, series=len(found), inputs=inputs)
    note = " ".join(predictor.warnings)
    return {"model": note, "recordings": found, "refused": refused, "provenance": facts}


def _days(frame: pl.DataFrame, limits: Limits, tz: str | None, name: str) -> float:
    """Days that the recordings of a frame span, gaps included; each counts as one at least.

    Raises InputError for a recording over more days than are taken.
    """
    if "timestamp" not in frame.columns or not len(frame):
        return 0.0  # refused with a better text by who reads it
    total = 0.0
    for part in frame.partition_by("series_id") if "series_id" in frame.columns else [frame]:
        utc, _ = clock.parse(part["timestamp"], tz=tz, where=name)
        days = (utc.max() - utc.min()) / 86_400_000
        if days > limits.days:
            raise InputError(
                f"{name}: a recording spans {days:.0f} days; at most {limits.days}. Cut it."
            )
        total += max(1.0, days)
    return total


def answer(predictor: Predictor, found: Found, picture: bool) -> dict[str, Any]:
    """What was found in one recording, as plain values."""
    meta = found.recording.meta
    return {
        "series_id": meta.series_id,
        "days": round(meta.n_steps / STEPS_PER_DAY, 2),
        "notes": [line.strip() for line in qc.summary([meta])],
        "windows": found.windows.to_dicts(),
        "events": found.events.to_dicts(),
        "picture": drawn(found, predictor.note) if picture else None,
    }


def drawn(found: Found, note: str) -> str:
    """A picture of the nights: a PNG as a data address, which a page can show as it is."""
    with _DRAWING:
        return "data:image/png;base64," + base64.b64encode(png(figure(found, note))).decode()
