"""Metrics of a run as JSON Lines (the source of truth) and as TensorBoard events (a view of it)."""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import io
from sleepjax.runs.trackers import Trackers
from sleepjax.stdio import warn
from sleepjax.types import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = "metrics.jsonl"
BOARD = "tensorboard"


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Do what only reports: a failure is printed, and the training continues."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        with suppress(OSError, ValueError):  # stderr may be closed
            warn(f"{what} failed ({reason}); the training continues.")


def read_metrics(workdir: Path, up_to: int | None = None) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl with ``step`` <= up_to; what is no such line is left out."""
    rows = (_row(line) for line in _lines(workdir))
    return [row for row in rows if row is not None and (up_to is None or row["step"] <= up_to)]


def _lines(workdir: Path) -> list[bytes]:
    path = Path(workdir) / FILE
    return path.read_bytes().splitlines() if path.exists() else []


def _row(line: bytes) -> dict[str, Any] | None:
    """Step and numbers of a line, None for one that is torn or otherwise not what is written."""
    number = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    try:
        row = json.loads(line)
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            return None
        if not all(value is None or number(value) for value in row.values()):
            return None
        return {name: value if math.isfinite(value or 0) else None for name, value in row.items()}
    except (ValueError, RecursionError, OverflowError):  # 1e999 is read, and whole numbers as long
        return None


class MetricWriter:
    """Writes both files of a run directory, and its trackers; use as a context manager."""

    def __init__(self, workdir: Path, resume_step: int = 0, track: Sequence[str] = ()):
        """Open, forgetting what an interrupted run wrote after the step that is resumed.

        ``track`` names trackers that mirror what is written (`sleepjax.runs.trackers`). A line
        that cannot be read stays in the file and is reported.
        """
        self.workdir = Path(workdir)
        self.board = Board(self.workdir / BOARD, resume_step)
        lines = [(line, _row(line)) for line in _lines(self.workdir) if line.strip()]
        odd = sum(row is None for _, row in lines)
        kept = [line for line, row in lines if row is None or row["step"] <= resume_step]
        path = self.workdir / FILE
        with io.replacing(path) as partial:
            partial.write_bytes(b"".join(line + b"\n" for line in kept))
        if odd:
            warn(f"{path}: unreadable lines, kept but not used: {odd}.")
        self.file = path.open("a", encoding="utf-8")
        self.trackers = Trackers(self.workdir, track)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line and one point per metric; numbers that are not finite are written as null."""
        clean = {k: float(v) if math.isfinite(v) else None for k, v in metrics.items()}
        self.file.write(json.dumps({"step": step, **clean}) + "\n")
        self.file.flush()
        numbers = {k: v for k, v in clean.items() if v is not None}
        self.board.scalars(step, numbers)
        self.trackers.metrics(step, numbers)

    def figures(self, step: int, drawn: Iterable[tuple[str, Figure]]) -> list[Path]:
        """Save each as figures/<name>.png and show it in TensorBoard; returns what was saved."""
        paths = []
        with reported("drawing"):
            for name, figure in drawn:
                path = self.workdir / "figures" / f"{name}.png"
                path.parent.mkdir(exist_ok=True)
                figure.savefig(path)
                paths.append(path)
                self.trackers.figure(step, path)
                self.board.image(step, name, path.read_bytes())
        return paths

    def __enter__(self) -> MetricWriter:
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        self.board.close()
        self.trackers.close(finished=kind is None)
        # After an error, such as a full disk, the same error of a file says nothing new.
        with suppress(OSError) if kind else nullcontext():
            self.file.close()


class Board:
    """TensorBoard's event file, written in this thread: nothing is queued, nothing can block.

    The first error ends it with one line, and the training continues.
    """

    def __init__(self, folder: Path, resume_step: int = 0):
        """Begin a file that replaces what others hold of the steps after the resumed one."""
        try:  # imported late: it may be absent
            from tensorboardX.proto import event_pb2 as events
            from tensorboardX.record_writer import RecordWriter
        except ImportError:
            raise InputError("tensorboardX is not installed; pip install tensorboardX.") from None
        self.event: Any = events.Event  # pyright: ignore
        self.file: Any = None
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"
        with reported("TensorBoard"):
            folder.mkdir(exist_ok=True)
            self.file = RecordWriter(str(folder / name))
        self._write(0, file_version="brain.Event:2")
        if resume_step:
            log: Any = events.SessionLog  # pyright: ignore
            self._write(resume_step + 1, session_log=log(status=log.START))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point per value."""
        points = [{"tag": name, "simple_value": value} for name, value in values.items()]
        self._write(step, summary={"value": points})

    def image(self, step: int, name: str, png: bytes) -> None:
        """A picture, as the bytes of a PNG file with four channels."""
        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
        picture = {"width": width, "height": height, "colorspace": 4, "encoded_image_string": png}
        self._write(step, summary={"value": [{"tag": name, "image": picture}]})

    def _write(self, step: int, **content: Any) -> None:
        if self.file is None:
            return
        event = self.event(step=step, wall_time=time.time(), **content)
        with reported("TensorBoard"):
            try:
                self.file.write(event.SerializeToString())
                self.file.flush()
            except Exception:
                self.close()
                raise

    def close(self) -> None:
        """Close the file; nothing is written to it any more."""
        file, self.file = self.file, None
        with suppress(Exception):
            if file is not None:
                file.close()
