"""Subject-level inputs: what is known of a person, as channels that are constant over a recording.

``data.covariates`` says which columns of the table ``data.subjects`` a model sees, and how:

    age=18..90          a number: that range becomes -1 to 1, what lies beyond is taken as its end
    sex=female|male     one of these values

A number takes two channels, its value and whether it is known; a choice one for each value. All
are 0 where nothing is known, which is how a model sees a person without a table. The channels
follow the features in x; models take them at a window's first step (`sleepjax.models.spec`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sleepjax.config import nearest
from sleepjax.tables import read_table, require_columns
from sleepjax.types import InputError

PREFIX = "subject."
"""Of the names of the channels, which no feature begins with."""

Subject = Mapping[str, Any]
"""Column -> value of one person; None or absent where it is not known."""


@dataclass(frozen=True)
class Column:
    """How one column of the table becomes channels."""

    name: str
    low: float = math.nan
    high: float = math.nan
    levels: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of its channels."""
        if self.levels:
            return tuple(f"{PREFIX}{self.name}={level}" for level in self.levels)
        return f"{PREFIX}{self.name}", f"{PREFIX}{self.name} known"

    def encode(self, value: Any, whose: str) -> list[float]:
        """Values of its channels. Raises InputError for one that the column does not take."""
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            return [0.0] * len(self.channels)
        if self.levels:
            text = str(value)
            if text not in self.levels:
                raise InputError(
                    f"{self.name}={text!r} of {whose} is not one of {', '.join(self.levels)}"
                    f"{nearest(text, self.levels)} Leave the cell empty where it is not known."
                )
            return [float(level == text) for level in self.levels]
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.inf
        if math.isnan(number):  # a text, from a table whose column holds other texts too
            return [0.0] * len(self.channels)
        if math.isinf(number):
            raise InputError(
                f"{self.name}={value!r} of {whose} is not a finite number; leave the cell empty "
                "where it is not known."
            )
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return [min(max((number - middle) / half, -1.0), 1.0), 1.0]


def parse(covariates: Sequence[str]) -> tuple[Column, ...]:
    """The columns of ``data.covariates``; raises InputError for one that cannot be read."""
    columns = tuple(_parse(text) for text in covariates)
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise InputError(f"data.covariates={tuple(covariates)} names a column twice.")
    return columns


def _parse(text: str) -> Column:
    name, _, rest = text.partition("=")
    low, dots, high = rest.partition("..")
    try:
        if dots and name and 0 < float(high) - float(low) < math.inf:
            return Column(name, float(low), float(high))
    except ValueError:
        pass
    levels = tuple(level.strip() for level in rest.split("|"))
    if dots or not name or len(levels) < 2 or not all(levels) or len(set(levels)) < len(levels):
        raise InputError(
            f"data.covariates: {text!r} must be a number with its range, like age=18..90, or a "
            "choice with its values, like sex=female|male."
        )
    return Column(name, levels=levels)


def names(data: Any) -> tuple[str, ...]:
    """Names of all channels of x of a config's group ``data``: features, then those of subjects."""
    extra = [c for column in parse(data.get("covariates", ())) for c in column.channels]
    return (*data["features"], *extra)


def column_numbers(channels: Sequence[str]) -> np.ndarray:
    """int [F]: 0 for a feature, else the number, from 1, of the column of a channel."""
    of = lambda name: name.removeprefix(PREFIX).removesuffix(" known").partition("=")[0]
    columns = list(dict.fromkeys(of(name) for name in channels if name.startswith(PREFIX)))
    number = lambda name: 1 + columns.index(of(name)) if name.startswith(PREFIX) else 0
    return np.array([number(name) for name in channels], np.int32)


def read(path: str | Path, columns: Sequence[Column]) -> dict[str, Subject]:
    """Series id -> what the table says of the person; a row for each series at most.

    Raises InputError for a table that cannot be read, lacks a column or lists a series twice.
    """
    frame = read_table(path)
    names = ("series_id", *(column.name for column in columns))
    require_columns(frame.columns, names, str(path))
    frame = frame.with_columns(pl.col("series_id").cast(pl.String))
    twice = frame.filter(pl.col("series_id").is_duplicated())["series_id"]
    if len(twice):
        raise InputError(f"{path} lists series {twice[0]!r} twice; give each one row.")
    found: dict[str, Subject] = {row["series_id"]: row for row in frame.to_dicts()}
    for series_id, row in found.items():
        encode(columns, row, f"series {series_id!r} in {path}")
    return found


def encode(columns: Sequence[Column], subject: Subject | None, whose: str) -> list[float]:
    """Values of all channels of one person; zeros for None."""
    row = subject or {}
    return [v for column in columns for v in column.encode(row.get(column.name), whose)]


def channels(
    columns: Sequence[Column], subject: Subject | None, n_steps: int, whose: str
) -> dict[str, np.ndarray]:
    """The channels of a recording by name, float32 [T] each, without the memory of T numbers."""
    values = encode(columns, subject, whose)
    channel_names = (name for column in columns for name in column.channels)
    constant = lambda value: np.broadcast_to(np.float32(value), (n_steps,))
    return {n: constant(value) for n, value in zip(channel_names, values, strict=True)}
