"""Agreement of sleep windows with a reference: what sleep researchers publish.

A found window belongs to the true window it overlaps most: pairs are taken in order of falling
overlap, each window at most once. True windows without a partner are missed, found ones extra.
Errors are found minus true, in minutes, so late is positive. Limits of agreement are mean +- 1.96
SD (Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8) with the approximate intervals of
Bland and Altman 1999 (doi:10.1177/096228029900800204): t(n-1) times sqrt(1/n) SD for the mean and
sqrt(1/n + 1.96^2 / (2 (n-1))) SD for a limit. These take nights as independent; the other intervals
are bootstrapped over persons, whose nights are alike.
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from scipy.special import stdtrit

from sleepjax.metrics.epoch_by_epoch import Epochs, Interval, bootstrapped, epochs
from sleepjax.tables import Frame, as_polars, require_columns
from sleepjax.text import counted
from sleepjax.types import EVENTS, STEPS_PER_MINUTE, InputError

QUANTITIES = ("onset", "wakeup", "duration", "midpoint")
WITHIN = (5, 15, 30)
"""Minutes."""
WITHOUT_TRUTH = "found windows of series without truth"
DRAWS = 1000
"""Of the bootstrap over persons."""


@dataclass(frozen=True)
class Difference:
    """Errors of one quantity over the matched windows, in minutes; NaN where there are too few."""

    n: int
    mean: float
    """Bias; signed."""
    median: float
    """Signed."""
    mean_absolute: float
    median_absolute: float
    q90_absolute: float
    sd: float
    limits: Interval
    """Limits of agreement."""
    mean_interval: Interval
    """95 %, as those of the limits."""
    low_interval: Interval
    high_interval: Interval
    median_absolute_interval: Interval
    """95 %, bootstrapped over persons."""
    within: dict[int, float]
    """Minutes -> fraction of all true windows, missed ones too, with an error of at most that."""


@dataclass(frozen=True)
class Agreement:
    """How found windows agree with true ones."""

    nights: pl.DataFrame
    """One row per true window: series_id, person, both ends true and found (null where missed), and
    ``<quantity>_error`` in minutes."""
    persons: pl.DataFrame
    """One row per person: nights, missed, extra, and of each quantity the mean error
    (``<quantity>_mean``) and the median absolute error (``<quantity>_median_absolute``)."""
    differences: dict[str, Difference]
    n_truth: int
    missed: int
    extra: int
    left_out: dict[str, int]
    """Reason -> windows that were not judged."""
    epochs: Epochs | None


def agreement(
    truth: Frame,
    found: Frame,
    stages: Frame | None = None,
    *,
    onset: str = "onset_step",
    wakeup: str = "wakeup_step",
    naps: bool = False,
) -> Agreement:
    """Compare found sleep windows with true ones.

    Args:
      truth: windows with series_id, ``onset`` and ``wakeup`` columns in steps, or events in the
        competition's format (series_id, night, event, step). A column ``person`` names whose
        nights belong together; without it every series is a person.
      found: windows with series_id, onset_step and wakeup_step, as scripts/predict.py writes, or
        the table of nights.
      stages: series_id, step and asleep (true, false, or null where nothing was scored).
      onset, wakeup: names of these columns of ``truth``.
      naps: judge the windows of ``found`` that are not the main sleep of a night, too.

    Raises InputError for missing columns, no true window, or a wakeup that is not after its onset.
    """
    true, unlabelled = read_windows(as_polars(truth, "truth"), "truth", onset, wakeup)
    if true.is_empty():
        raise InputError("truth has no window with both ends; agreement needs at least one.")
    found = as_polars(found, "found")
    main = found if naps else found.filter(_is_main(found))
    ours, unfinished = read_windows(main, "found")
    known = ours.filter(pl.col("series_id").is_in(true["series_id"].unique().to_list()))
    left_out = {
        "true windows without both ends": unlabelled,
        "found windows without both ends": unfinished,
        "found naps": len(found) - len(main),
        WITHOUT_TRUTH: len(ours) - len(known),
    }
    partner = match(true, known)
    nights = _nights(true, known, partner)
    extra = known.filter(~pl.Series(np.isin(np.arange(len(known)), partner)))
    names, person = np.unique(nights["person"].to_numpy().astype(str), return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(0).multinomial(len(names), shares, size=DRAWS)
    differences = {
        name: _difference(nights[f"{name}_error"].to_numpy(), person, drawn) for name in QUANTITIES
    }
    return Agreement(
        nights=nights,
        persons=_persons(nights, extra),
        differences=differences,
        n_truth=len(true),
        missed=int((partner < 0).sum()),
        extra=len(extra),
        left_out={reason: n for reason, n in left_out.items() if n},
        epochs=None if stages is None else epochs(stages, nights, known, names, drawn),
    )


def _is_main(found: pl.DataFrame) -> pl.Series:
    """Bool [N]: what ``main`` says, which other programs may write as TRUE or 1, or ``kind``.

    The latter is that of the table of nights. Without either, all windows are judged.
    """
    if "main" not in found.columns:
        kind = found["kind"] if "kind" in found.columns else pl.repeat("", len(found), eager=True)
        return kind.cast(pl.String).ne_missing("nap")
    column = found["main"]
    words = column.cast(pl.String, strict=False).str.to_lowercase()
    wrong = ~words.is_in(["true", "false", "1", "0"]).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise InputError(f"found column 'main' is {column[row]!r}; it must be true or false.")
    return words.is_in(["true", "1"])


def read_windows(
    frame: pl.DataFrame, name: str, onset: str = "onset_step", wakeup: str = "wakeup_step"
) -> tuple[pl.DataFrame, int]:
    """(series_id, person, onset, wakeup of each window that has both ends, how many have not)."""
    if {"event", "step"} <= set(frame.columns) and onset not in frame.columns:
        require_columns(frame.columns, ("series_id", "night", "event", "step"), name)
        step = lambda event: pl.col("step").filter(pl.col("event") == event).first()
        frame = frame.group_by("series_id", "night", maintain_order=True).agg(
            step(EVENTS[0]).alias(onset), step(EVENTS[1]).alias(wakeup)
        )
    require_columns(frame.columns, ("series_id", onset, wakeup), name)
    for column in (onset, wakeup):
        if not frame[column].dtype.is_numeric() and frame[column].null_count() < len(frame):
            raise InputError(
                f"{name} column {column!r} must hold steps; it is {frame[column].dtype}."
            )
    windows = frame.select(
        pl.col("series_id").cast(pl.String),
        pl.col("person" if "person" in frame.columns else "series_id")
        .cast(pl.String)
        .alias("person"),
        pl.col(onset).cast(pl.Float64).fill_nan(None).alias("onset"),
        pl.col(wakeup).cast(pl.Float64).fill_nan(None).alias("wakeup"),
    )
    whole = windows.drop_nulls()
    wrong = whole.filter(pl.col("wakeup") <= pl.col("onset"))
    if len(wrong):
        series_id, _, first, last = wrong.row(0)
        ends = counted(len(wrong), "window ends before it begins", "windows end before they begin")
        raise InputError(
            f"{name}: {ends}, the first in series {series_id!r}: "
            f"{wakeup} {last:g} is not after {onset} {first:g}; correct or remove them."
        )
    return whole.sort("series_id", "onset"), len(windows) - len(whole)


def match(true: pl.DataFrame, found: pl.DataFrame) -> Int[np.ndarray, " N"]:
    """Index of the found window that belongs to each true one, -1 where there is none."""
    pairs = (
        true.with_row_index("t")
        .join(found.with_row_index("f"), on="series_id", suffix="_found")
        .with_columns(
            overlap=pl.min_horizontal("wakeup", "wakeup_found")
            - pl.max_horizontal("onset", "onset_found")
        )
        .filter(pl.col("overlap") > 0)
        .sort("overlap", "t", "f", descending=[True, False, False])
    )
    partner, taken = np.full(len(true), -1), set()
    for t, f in pairs.select("t", "f").iter_rows():
        if partner[t] < 0 and f not in taken:
            partner[t] = f
            taken.add(f)
    return partner


def _nights(
    true: pl.DataFrame, found: pl.DataFrame, partner: Int[np.ndarray, " N"]
) -> pl.DataFrame:
    index = pl.Series([None if f < 0 else f for f in partner.tolist()], dtype=pl.UInt32)
    nights = true.with_columns(
        found[end].gather(index).alias(f"found_{end}")
        if len(found)
        else pl.lit(None, pl.Float64).alias(f"found_{end}")
        for end in EVENTS
    )
    onset, wakeup = ((pl.col(f"found_{end}") - pl.col(end)) / STEPS_PER_MINUTE for end in EVENTS)
    return nights.with_columns(
        onset_error=onset,
        wakeup_error=wakeup,
        duration_error=wakeup - onset,
        midpoint_error=(onset + wakeup) / 2,
    )


def _persons(nights: pl.DataFrame, extra: pl.DataFrame) -> pl.DataFrame:
    error = lambda name: pl.col(f"{name}_error")
    of_series = nights.select("series_id", "person").unique("series_id")
    extras = (
        extra.select("series_id").join(of_series, on="series_id").group_by("person").len("extra")
    )
    return (
        nights.group_by("person")
        .agg(
            pl.len().alias("nights"),
            pl.col("onset_error").null_count().alias("missed"),
            *(error(name).mean().alias(f"{name}_mean") for name in QUANTITIES),
            *(error(name).abs().median().alias(f"{name}_median_absolute") for name in QUANTITIES),
        )
        .join(extras, on="person", how="left")
        .with_columns(pl.col("extra").fill_null(0))
        .sort("person")
    )


def _difference(
    errors: Float[np.ndarray, " N"],
    person: Int[np.ndarray, " N"],
    drawn: Int[np.ndarray, "draws P"],
) -> Difference:
    """Of errors, NaN where missed; ``drawn`` is how often each person is in each draw."""
    matched = ~np.isnan(errors)
    e, of = errors[matched], person[matched]
    n, absolute = len(e), np.abs(e)
    if not n:
        nan, none = math.nan, (math.nan, math.nan)
        within: dict[int, float] = {m: 0.0 for m in WITHIN}
        return Difference(0, nan, nan, nan, nan, nan, nan, none, none, none, none, none, within)
    mean, sd = float(e.mean()), float(e.std(ddof=1)) if n > 1 else math.nan
    width = float(stdtrit(n - 1, 0.975)) * sd if n > 1 else math.nan
    around = lambda x, share: (x - width * math.sqrt(share), x + width * math.sqrt(share))
    low, high = mean - 1.96 * sd, mean + 1.96 * sd
    of_limit = 1 / n + 1.96**2 / (2 * (n - 1)) if n > 1 else math.nan
    median = lambda times: (
        float(np.median(np.repeat(absolute, times[of]))) if times[of].any() else math.nan
    )
    return Difference(
        n=n,
        mean=mean,
        median=float(np.median(e)),
        mean_absolute=float(absolute.mean()),
        median_absolute=float(np.median(absolute)),
        q90_absolute=float(np.quantile(absolute, 0.9)),
        sd=sd,
        limits=(low, high),
        mean_interval=around(mean, 1 / n),
        low_interval=around(low, of_limit),
        high_interval=around(high, of_limit),
        median_absolute_interval=bootstrapped(median, drawn),
        within={m: float((absolute <= m).sum() / len(errors)) for m in WITHIN},
    )
