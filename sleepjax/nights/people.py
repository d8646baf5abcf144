"""The tables of recordings and of people: means of clean nights, regularity and rhythm."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from sleepjax.local_time import timestamps
from sleepjax.nights.columns import REASONS, bounded, checked
from sleepjax.nights.overlaps import overlap_hours
from sleepjax.nights.people_columns import AMOUNTS, CLOCKS, PEOPLE, RECORDINGS, REGULARITY, RHYTHM
from sleepjax.nights.reasons import NIGHT, listed
from sleepjax.nights.regularity import regularity
from sleepjax.nights.rhythm import hourly, rhythm
from sleepjax.nights.scoring import Scored
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR

WEIGHTS = {
    "sri": "sri_pairs_h",
    "sri_day_pairs": "sri_day_pairs_n",
    **{column.name: "rhythm_h" for column in RHYTHM if column.name != "rhythm_h"},
}
"""Column of recordings -> what it rests on."""
NEEDED = ("person", "kind", "weekend", REASONS, *CLOCKS, *AMOUNTS)
"""Columns of nights that people's statistics are of."""


def recordings_table(scored: Scored, *, quality: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """One row about one recording; the arguments are those of `nights_table`."""
    recording, wear, quality = scored.recording, scored.wear, quality or {}
    meta = recording.meta
    begin, end = timestamps(meta, np.array([0, meta.n_steps]))
    row = {
        "series_id": meta.series_id,
        "person": meta.series_id,
        "begin": begin,
        "end": end,
        "days": meta.n_steps / STEPS_PER_DAY,
        "recorded_h": int(wear.measured.sum()) / STEPS_PER_HOUR,
        "gap_h": int((~wear.measured).sum()) / STEPS_PER_HOUR,
        "worn_h": int(wear.worn.sum()) / STEPS_PER_HOUR,
        "clock_changes": len(meta.offsets) - 1,
        "format": quality.get("format"),
        "device": quality.get("device"),
        "reasons": "",
    }
    row |= regularity(recording, scored.state) | rhythm(*hourly(recording, wear.worn))
    return checked([row], RECORDINGS)


def people_table(nights: pl.DataFrame, recordings: pl.DataFrame) -> pl.DataFrame:
    """One row for each person of whom there is a recording, sorted by person.

    Args:
      nights: of `nights_table`, of any number of recordings; where those of a person overlap,
        of `overlaps.once`, so that no sleep counts twice. Needs the columns `NEEDED`.
      recordings: of `recordings_table`, of the same recordings.

    Returns the columns of `PEOPLE`. Statistics are of clean main sleep; a person without any has
    the reason ``no_clean_night`` and the codes of the nights.
    """
    main = (pl.col("kind") == "main") & (pl.col(REASONS) == "")
    counts = nights.group_by("person").agg(
        (pl.col("kind") != "nap").sum().alias("nights"),
        (pl.col("kind") == "main").sum().alias("nights_with_sleep"),
        main.sum().alias("clean_nights"),
        (main & ~pl.col("weekend")).sum().alias("clean_weekday"),
        (main & pl.col("weekend")).sum().alias("clean_weekend"),
        pl.col(REASONS).unique().alias("codes"),
    )
    naps = nights.filter(pl.col("kind") == "nap", pl.col(REASONS) == "")
    naps = naps.group_by("person").agg(pl.len().alias("naps"), naps_min=pl.col("spt_min").mean())
    people = (
        _of_recordings(recordings)
        .join(counts, on="person", how="left")
        .join(naps, on="person", how="left")
        .join(overlap_hours(recordings), on="person", how="left")
        .join(statistics(nights.filter(main)), on="person", how="left")
    )
    numbers = [column.name for column in PEOPLE if column.dtype == pl.Int64]
    people = people.with_columns(
        pl.col(numbers).fill_null(0).cast(pl.Int64), pl.col("overlap_h").fill_null(0.0)
    )
    why = [
        "" if n else " ".join(["no_clean_night", *listed(codes or [], NIGHT)])
        for n, codes in people.select("clean_nights", "codes").iter_rows()
    ]
    people = people.with_columns(pl.Series(REASONS, why, dtype=pl.String))
    return bounded(people.sort("person"), PEOPLE)


def statistics(nights: pl.DataFrame) -> pl.DataFrame:
    """Means and SDs of each person's nights, and social jetlag; one row for each person."""
    weekend = {"mean": pl.lit(True), "weekday": ~pl.col("weekend"), "weekend": pl.col("weekend")}
    means = [
        (_clock_mean if name in CLOCKS else pl.Expr.mean)(pl.col(name).filter(which)).alias(
            f"{name}_{of}"
        )
        for name in (*CLOCKS, *AMOUNTS)
        for of, which in weekend.items()
    ]
    result = nights.group_by("person").agg(*means)
    nights = nights.join(result, on="person")
    spreads = [pl.col(name).std().alias(f"{name}_sd") for name in AMOUNTS]
    spreads += [
        (_signed(pl.col(name) - pl.col(f"{name}_mean")).pow(2).sum() / (pl.len() - 1))
        .sqrt()
        .alias(f"{name}_sd")
        for name in CLOCKS
    ]
    several = pl.len() > 1
    spreads = [pl.when(several).then(spread).alias(spread.meta.output_name()) for spread in spreads]
    result = result.join(nights.group_by("person").agg(*spreads), on="person")
    later = {
        name: _signed(pl.col(f"{name}_clock_h_weekend") - pl.col(f"{name}_clock_h_weekday"))
        for name in ("onset", "wakeup", "midpoint")
    }
    less = pl.col("spt_min_weekday") > pl.col("spt_min_weekend")
    return result.with_columns(
        social_jetlag_h=later["midpoint"],
        social_jetlag_corrected_h=pl.when(less & (later["wakeup"] >= 0))
        .then(later["wakeup"])
        .otherwise(later["onset"]),
    )


def _clock_mean(hours: pl.Expr, weight: pl.Expr | float = 1.0) -> pl.Expr:
    """Direction of the mean of clock times on the circle, in hours from 0 to 24."""
    angle = hours * (2 * np.pi / 24)
    sine, cosine = (angle.sin() * weight).sum(), (angle.cos() * weight).sum()
    clock = (pl.arctan2(sine, cosine) * (24 / (2 * np.pi))).round(9) % 24
    return pl.when(hours.count() > 0).then(clock)


def _signed(hours: pl.Expr) -> pl.Expr:
    """A difference of clock times the shorter way round, from -12 to 12 hours."""
    return (hours + 12) % 24 - 12


def _of_recordings(recordings: pl.DataFrame) -> pl.DataFrame:
    """Number of recordings, and their regularity and rhythm, of each person."""
    columns = []
    for name in (column.name for column in (*REGULARITY, *RHYTHM)):
        if name not in WEIGHTS:
            columns.append(pl.col(name).sum())
            continue
        known = pl.col(name).is_not_null()
        value, weight = pl.col(name).filter(known), pl.col(WEIGHTS[name]).filter(known)
        if name.endswith("_start_h"):
            columns.append(_clock_mean(value, weight).alias(name))
        else:
            columns.append(((value * weight).sum() / weight.sum()).alias(name))
    return (
        recordings.group_by("person")
        .agg(pl.len().alias("recordings"), *columns)
        .with_columns(pl.col(list(WEIGHTS)).fill_nan(None))  # 0 / 0: no recording has a value
    )
