"""Columns of the tables of recordings and of people."""

import polars as pl

from sleepjax.nights.columns import REASONS, Column

S, I, F = pl.String, pl.Int64, pl.Float64
PHILLIPS = "Phillips 2017, doi:10.1038/s41598-017-03171-4"
VAN_SOMEREN = "van Someren 1999, doi:10.3109/07420529908998724"
WITTMANN = "Wittmann 2006, doi:10.1080/07420520500545979"
JANKOWSKI = "Jankowski 2017, doi:10.1080/07420528.2017.1299162"
CLOCKS = ("onset_clock_h", "wakeup_clock_h", "midpoint_clock_h")
"""Columns of nights on the circle of the clock that people have statistics of."""
AMOUNTS = ("spt_min", "tst_min", "waso_min", "maintenance_efficiency", "awakenings")
"""Other columns of nights that people have statistics of."""
HOURS = 1e6
"""More than a century."""

REGULARITY = (
    Column(
        "sri", F, "-100 to 100", "Sleep regularity index over the whole recording: -100 + 200 "
        "times the share of pairs of 30-second epochs, 24 hours of time apart, with the same state "
        "(asleep in a sleep window, or awake). Pairs with an unknown epoch do not count; empty "
        "with less than 24 hours of pairs.", PHILLIPS, -100, 100,
    ),
    Column("sri_pairs_h", F, "h", "Hours of pairs that it rests on.", "", 0, HOURS),
    Column(
        "sri_day_pairs", F, "-100 to 100", "The same as the mean over pairs of successive local "
        "calendar days, compared at the same clock time; pairs known for less than two thirds of a "
        "day do not count.", "GGIR, CalcSleepRegularityIndex", -100, 100,
    ),
    Column("sri_day_pairs_n", I, "", "Number of these pairs.", "", 0),
)  # fmt: skip
RHYTHM = (
    Column(
        "rhythm_h", F, "h", "Hours of the clock worn for at least half: what the next columns rest "
        "on. They are empty where an hour of the day has less than two.", "", 0, HOURS,
    ),
    Column(
        "is", F, "0 to 1", "Interdaily stability of hourly mean ENMO: 1 where all days are alike. "
        "GGIR's, by default of ENMO above 20 mg or not, differs.", VAN_SOMEREN, 0, 1,
    ),
    Column(
        "iv", F, "", "Intradaily variability of hourly mean ENMO: about 0 for a slow wave, about 2 "
        "for noise. GGIR's, by default of ENMO above 20 mg or not, differs.", VAN_SOMEREN, 0,
    ),
    Column("ra", F, "0 to 1", "Relative amplitude: (M10 - L5) / (M10 + L5).", VAN_SOMEREN, 0, 1),
    Column(
        "l5_mg", F, "mg", "L5: mean ENMO of the five successive hours of the mean day with the "
        "least. GGIR's is the least of each day.", VAN_SOMEREN, 0, 13_000,
    ),
    Column("l5_start_h", F, "h", "Clock hour at which they begin.", "", 0, 24),
    Column(
        "m10_mg", F, "mg", "M10: mean ENMO of the ten successive hours of the mean day with the "
        "most. GGIR's is the most of each day.", VAN_SOMEREN, 0, 13_000,
    ),
    Column("m10_start_h", F, "h", "Clock hour at which they begin.", "", 0, 24),
)  # fmt: skip
_REASONS = Column(
    REASONS, S, "", "Codes that say why the row should not be used, with a blank between them."
)

RECORDINGS = (
    Column("series_id", S, "", "Name of the recording."),
    Column("person", S, "", "Who wore the watch."),
    Column("begin", S, "local time", "First step."),
    Column("end", S, "local time", "The moment after the last step."),
    Column("days", F, "d", "Length from begin to end, with its gaps.", "", 0),
    Column("recorded_h", F, "h", "Hours with data.", "", 0, HOURS),
    Column("gap_h", F, "h", "Hours without: gaps, masked samples.", "", 0, HOURS),
    Column("worn_h", F, "h", "Hours of recorded_h with the watch on.", "", 0, HOURS),
    Column("clock_changes", I, "", "Changes of the UTC offset.", "", 0),
    Column("format", S, "", "Kind of file."),
    Column("device", S, "", "Kind of watch."),
    *REGULARITY,
    *RHYTHM,
    _REASONS,
)
"""One row for each recording."""


def _statistics() -> list[Column]:
    """Mean and SD of the nights' columns, over all of them and by kind of day."""
    columns = []
    for name in (*CLOCKS, *AMOUNTS):
        unit = "h" if name in CLOCKS else "min" if name.endswith("_min") else ""
        unit = "0 to 1" if name == "maintenance_efficiency" else unit
        high = {"h": 24.0, "min": 1440.0, "0 to 1": 1.0, "": 1440.0}[unit]
        circle = " on the circle of the clock" if name in CLOCKS else ""
        of = f"of {name} over clean main sleep"
        columns += [
            Column(f"{name}_mean", F, unit, f"Mean{circle} {of}.", "", 0, high),
            Column(f"{name}_sd", F, unit, f"Standard deviation{circle} {of}.", "", 0, high),
            Column(f"{name}_weekday", F, unit, f"Mean{circle} {of}, weekday.", "", 0, high),
            Column(f"{name}_weekend", F, unit, f"Mean{circle} {of}, weekend.", "", 0, high),
        ]
    return columns


PEOPLE = (
    Column("person", S, "", "Who wore the watch."),
    Column("recordings", I, "", "Number of recordings.", "", 0),
    Column(
        "overlap_h", F, "h", "Hours that at least two of the recordings cover, with their gaps. A "
        "sleep that both hold is used once; the other row has the reason recorded_twice.", "", 0,
        HOURS,
    ),
    Column("nights", I, "", "Number of nights: rows of nights that are main or none.", "", 0),
    Column("nights_with_sleep", I, "", "Of them with main sleep.", "", 0),
    Column("clean_nights", I, "", "Of them without a reason code: what the means rest on.", "", 0),
    Column("clean_weekday", I, "", "Clean nights that end on Monday to Friday.", "", 0),
    Column("clean_weekend", I, "", "Clean nights that end on a Saturday or Sunday.", "", 0),
    Column("naps", I, "", "Number of naps without a reason code.", "", 0),
    Column("naps_min", F, "min", "Their mean sleep period time.", "", 0, 1440),
    *_statistics(),
    Column(
        "social_jetlag_h", F, "h", "Mean midpoint of weekend minus weekday nights; later on free "
        "days is positive. Weekends are taken for free days.", WITTMANN, -12, 12,
    ),
    Column(
        "social_jetlag_corrected_h", F, "h", "The same without sleep debt: weekend minus weekday "
        "wakeup where weekday sleep is longer and its wakeup not later, else weekend minus weekday "
        "onset. It is disputed (Roenneberg 2019, doi:10.3390/biology8030054).", JANKOWSKI, -12, 12,
    ),
    *REGULARITY,
    *RHYTHM,
    _REASONS,
)  # fmt: skip
"""One row for each person. Of several recordings, the regularity and rhythm are means, weighted by
the hours that each rests on."""
