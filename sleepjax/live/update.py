"""Update: what one push found, as frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sleepjax.live.settled import no_events
from sleepjax.live.track import Moment
from sleepjax.local_time import timestamps
from sleepjax.postprocess.sleep_windows import SCHEMA as WINDOWS


@dataclass(frozen=True)
class Update:
    """What is new with the samples of one push."""

    live: pl.DataFrame
    """series_id, step, timestamp, asleep, onset, wakeup (, worn): each step once."""
    final: pl.DataFrame
    """The same columns: steps whose probabilities no later sample changes, each once."""
    events: pl.DataFrame
    """Final events, with the columns of `Predictor.predict`."""
    windows: pl.DataFrame
    """Final sleep windows, with the columns of `Predictor.windows`."""


class Pieces:
    """What the blocks of one push have found, put together at its end."""

    def __init__(self, series_id: str, columns: Sequence[str]):
        """``columns``: what the probabilities are of."""
        self.series_id, self.columns = series_id, tuple(columns)
        numbers = dict.fromkeys(self.columns, pl.Float32)
        facts = {"series_id": pl.String, "step": pl.Int64, "timestamp": pl.String}
        self.schema: dict[str, Any] = facts | numbers
        self.live: list[pl.DataFrame] = []
        self.final: list[pl.DataFrame] = []
        self.events: list[pl.DataFrame] = []
        self.windows: list[pl.DataFrame] = []

    def add(self, to: list[pl.DataFrame], now: Moment, first: int, probs: np.ndarray) -> None:
        """Probabilities [n,K] of the rows from ``first`` on."""
        steps = np.arange(first, first + len(probs))
        stamps = timestamps(now.meta, steps - now.rows.first)
        facts = {"series_id": [self.series_id] * len(steps), "step": steps, "timestamp": stamps}
        columns = {name: probs[:, k] for k, name in enumerate(self.columns)}
        to.append(pl.DataFrame(facts | columns, schema=self.schema))

    def update(self) -> Update:
        """All pieces, with their columns even where there is none."""
        curves, windows = pl.DataFrame(schema=self.schema), pl.DataFrame(schema=WINDOWS)
        return Update(
            live=pl.concat([curves, *self.live]),
            final=pl.concat([curves, *self.final]),
            events=pl.concat([no_events(), *self.events]),
            windows=pl.concat([windows, *self.windows]),
        )
