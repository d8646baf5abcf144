"""Overlaps: recordings of one person at the same time, and sleep that more than one of them has."""

import polars as pl

from sleepjax.nights.columns import REASONS, WHY

TIME = "%Y-%m-%dT%H:%M:%S%z"
CODE = "recorded_twice"


def overlap_hours(recordings: pl.DataFrame) -> pl.DataFrame:
    """person, overlap_h: hours that at least two of their recordings (`recordings_table`) cover."""
    ends = recordings.select("person", begin=_moment("begin"), end=_moment("end"))
    edges = pl.concat(
        [
            ends.select("person", pl.col("begin").alias("at"), pl.lit(1).alias("step")),
            ends.select("person", pl.col("end").alias("at"), pl.lit(-1).alias("step")),
        ]
    ).sort("person", "at")
    count = pl.col("step").cum_sum().over("person")
    lasts = pl.col("at").shift(-1).over("person") - pl.col("at")
    several = edges.with_columns(n=count, lasts=lasts).filter(pl.col("n") > 1)
    return several.group_by("person").agg(overlap_h=pl.col("lasts").sum() / 3600)


def recorded_twice(nights: pl.DataFrame) -> pl.DataFrame:
    """series_id, onset_step, also_in: sleep that another recording of the person is used for.

    Of windows (`nights_table`) that overlap, from different recordings, one stays: a clean one
    before others, then that of the night with the most hours worn, then the first by name.
    """
    windows = nights.drop_nulls("onset_step").select(
        "person", "series_id", "onset_step", "worn_h", REASONS,
        begin=_moment("onset"), end=_moment("wakeup"),
    )  # fmt: skip
    windows = windows.filter(pl.col("series_id").n_unique().over("person") > 1).sort(
        "person", pl.col(REASONS) != "", -pl.col("worn_h"), "series_id", "onset_step"
    )
    kept: dict[str, list[tuple[int, int, str]]] = {}
    twice = []
    for row in windows.iter_rows(named=True):
        mine = kept.setdefault(row["person"], [])
        name, begin, end = row["series_id"], row["begin"], row["end"]
        other = next((s for a, b, s in mine if s != name and begin < b and a < end), None)
        if other is None:
            mine.append((begin, end, name))
        else:
            twice.append((name, row["onset_step"], other))
    types = {"series_id": pl.String, "onset_step": pl.Int64, "also_in": pl.String}
    return pl.DataFrame(twice, schema=types, orient="row")


def marked(nights: pl.LazyFrame, twice: pl.DataFrame) -> pl.LazyFrame:
    """Nights whose rows in ``twice`` (of `recorded_twice`) say so among their reasons."""
    key = ["series_id", "onset_step"]
    joined = nights.join(twice.lazy(), on=key, how="left", maintain_order="left")
    words = pl.concat_str(pl.lit("recording "), "also_in", pl.lit(" has this sleep too"))
    return joined.with_columns(_with(REASONS, pl.lit(CODE), " "), _with(WHY, words, "; ")).drop(
        "also_in"
    )


def _with(cell: str, more: pl.Expr, between: str) -> pl.Expr:
    """A cell and what is added to it in rows that are marked."""
    longer = pl.when(pl.col(cell) == "").then(more)
    longer = longer.otherwise(pl.concat_str(cell, pl.lit(between), more))
    return pl.when(pl.col("also_in").is_not_null()).then(longer).otherwise(cell).alias(cell)


def once(nights: pl.LazyFrame, recordings: pl.DataFrame) -> pl.LazyFrame:
    """Nights in which no sleep of a person counts twice; only those of overlaps are collected."""
    both = overlap_hours(recordings).filter(pl.col("overlap_h") > 0)["person"]
    if both.is_empty():
        return nights
    several = nights.filter(pl.col("person").is_in(both.implode())).collect()
    return marked(nights, recorded_twice(several))


def _moment(name: str) -> pl.Expr:
    """Seconds since 1970 of a local time with its UTC offset."""
    return pl.col(name).str.to_datetime(TIME, time_zone="UTC").dt.epoch("s")
