"""Metrics as JSON Lines (the source of truth) and TensorBoard events."""

from __future__ import annotations

import json
import math
import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sleepjax.types import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = "metrics.jsonl"


def read_metrics(workdir: Path, up_to: int | None = None) -> list[dict[str, float]]:
    """The lines of metrics.jsonl with ``step`` <= up_to; a line that a kill cut off is left out."""
    path = Path(workdir) / FILE
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break  # only the last line can be incomplete
        if up_to is None or row["step"] <= up_to:
            rows.append(row)
    return rows


class MetricWriter:
    """Writes both files of a run directory; use as a context manager."""

    def __init__(self, workdir: Path, resume_step: int = 0):
        """Open, forgetting what an interrupted run wrote after the step that is resumed."""
        summary_writer = _summary_writer()
        self.workdir = Path(workdir)
        rows = read_metrics(self.workdir, resume_step)
        replacement = self.workdir / (FILE + ".new")
        replacement.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.replace(replacement, self.workdir / FILE)
        self.file = open(self.workdir / FILE, "a")
        purge = resume_step + 1 if resume_step else None
        self.board = summary_writer(str(self.workdir / "tensorboard"), purge_step=purge)

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """One line and one point per metric; numbers that are not finite are written as null."""
        clean = {k: float(v) if math.isfinite(v) else None for k, v in metrics.items()}
        self.file.write(json.dumps({"step": step, **clean}) + "\n")
        self.file.flush()
        for name, value in clean.items():
            if value is not None:
                self.board.add_scalar(name, value, step)

    def figure(self, step: int, name: str, figure: Figure) -> Path:
        """Save a figure as figures/<name>.png and show it in TensorBoard."""
        path = self.workdir / "figures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path)
        image = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # pyright: ignore
        self.board.add_image(name, image, step, dataformats="HWC")
        return path

    def __enter__(self) -> MetricWriter:
        """Use as a context manager."""
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        """Flush and close."""
        # After an error, such as a full disk, the same error of a file says nothing new.
        with suppress(OSError) if kind else nullcontext():
            self.file.close()
            self.board.close()


class Mute:
    """A writer that writes nothing, for all processes but the first."""

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Do nothing."""

    def __enter__(self) -> Mute:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close nothing."""


def _summary_writer() -> Any:
    """TensorBoard's writer, imported late so that its absence is one line."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise InputError("tensorboardX is not installed; pip install tensorboardX.") from None
    return SummaryWriter
