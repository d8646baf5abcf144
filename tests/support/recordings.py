"""Folders of recordings, good and bad, for the tests of processing."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from tests.reference.series import rows

DAY = 17_280


def nightly(name: str, days: float = 1.5, seed: int = 0) -> pl.DataFrame:
    """A made-up series that rests from 23 h to 7 h of its clock, and turns over now and then."""
    frame = rows(int(days * DAY), name, seed=seed)
    hour = frame["timestamp"].str.slice(11, 2).cast(pl.Int64).to_numpy()
    rest = (hour >= 23) | (hour < 7)
    enmo = np.where(rest, 0.001, frame["enmo"].to_numpy()).astype(np.float32)
    turned = np.random.default_rng(seed).uniform(-60, 60, len(frame) // 300 + 1).repeat(300)
    anglez = np.where(rest, turned[: len(frame)], frame["anglez"].to_numpy()).astype(np.float32)
    return frame.with_columns(enmo=pl.Series(enmo), anglez=pl.Series(anglez))


BAD: dict[str, Callable[[Path], object]] = {
    "empty.csv": lambda path: path.write_bytes(b""),
    "noise.bin": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "diary.csv": lambda path: path.write_text("person,date\n1,2018-01-01\n"),
    "header.csv": lambda path: rows(0).write_csv(path),
    "cut.parquet": lambda path: path.write_bytes(_parquet()[:3000]),
    "cut.csv.gz": lambda path: path.write_bytes(gzip.compress(_parquet())[:-900]),
    "text.gt3x": lambda path: path.write_text("this is no archive\n"),
    "link.csv": lambda path: path.symlink_to("nowhere"),
    "pipe.csv": lambda path: os.mkfifo(path),
    "milli.parquet": lambda path: _in_milli_g().write_parquet(path),
}
"""Ten kinds of file that cannot be used: name -> writes it."""


def _parquet() -> bytes:
    import io

    buffer = io.BytesIO()
    rows(2000).write_parquet(buffer)
    return buffer.getvalue()


def _in_milli_g() -> pl.DataFrame:
    frame = nightly("milli")
    return frame.with_columns(enmo=frame["enmo"] * 1000)


def folder(path: Path, good: int, bad: int) -> Path:
    """A folder with so many recordings, and bad files of all kinds in turn."""
    for number in range(good):
        (path / f"p{number % 5}").mkdir(parents=True, exist_ok=True)
        frame = nightly(f"rec{number:03}", seed=number)
        frame.write_parquet(path / f"p{number % 5}" / f"rec{number:03}.parquet")
    kinds = list(BAD.items())
    for number in range(bad):
        name, write = kinds[number % len(kinds)]
        place = path / f"bad{number // len(kinds)}"
        place.mkdir(parents=True, exist_ok=True)
        write(place / name)
    return path


def tables(out: Path) -> dict[str, object]:
    """What a folder of results says, without the seconds that it took."""
    found: dict[str, object] = {
        name: (out / name).read_bytes()
        for name in ("nights.csv", "nights_clean.csv", "people.csv", "recordings.csv")
    }
    found["status"] = pl.read_csv(out / "status.csv").drop("seconds").rows()
    made = json.loads((out / "provenance.json").read_text())
    found["provenance"] = {key: made[key] for key in made if key != "created"}
    found["reports"] = sorted(path.name for path in (out / "reports").glob("*"))
    return found
