"""Columns of the table of nights."""

import polars as pl

from sleepjax.nights.columns import REASONS, WHY, Column
from sleepjax.types import STEPS_PER_MINUTE

S, I, F, B = pl.String, pl.Int64, pl.Float64, pl.Boolean
LONGEST_DAY = 50.0
"""Hours that 24 of the clock can last where travel sets it back; 25 where summer time ends."""
LONGEST = 400 * 24.0 * 60
"""Minutes; no recording is longer. Windows of over 20 hours have a reason code."""
_AASM = "as YASA's and the AASM's sleep statistics"
_MODEL = "`postprocess.find_windows`"
_SIB = "van Hees 2015, doi:10.1371/journal.pone.0142533; GGIR's sleep within the SPT window"


def _share(name: str, definition: str, source: str = "") -> Column:
    return Column(name, F, "0 to 1", definition, source, 0, 1)


def _minutes(name: str, definition: str, source: str = "", low: float = 0) -> Column:
    return Column(name, F, "min", definition, source, low, LONGEST)


def _clock(end: str) -> Column:
    words = f"Clock time of the {end}: hours after local midnight."
    return Column(f"{end}_clock_h", F, "h", words, "", 0, 24)


NIGHTS = (
    Column("series_id", S, "", "Name of the recording."),
    Column("person", S, "", "Who wore the watch; the recording's name where nothing else is said."),
    Column(
        "night", I, "", "Number of the night in its recording, from 1. A night is 24 hours of the "
        "local clock that begin twelve hours before the person's usual midpoint of sleep in this "
        "recording (at noon where no sleep was found). Every such 24 hours of which the recording "
        "holds any part is a night and has one row that is main or none.", "", 1,
    ),
    Column(
        "date", S, "date", "Local date on which the night's 24 hours begin: of most people the "
        "evening.",
    ),
    Column("weekday", S, "", "Day of the week of that date."),
    Column(
        "kind", S, "", "main: the longest sleep window of the night. nap: any other. none: no main "
        "sleep.", _MODEL,
    ),
    Column(
        "weekend", B, "", "The sleep ends on a Saturday or Sunday of the local calendar, as sleep "
        "before a free day does. Where none was found: the night's date is a Friday or Saturday.",
    ),
    Column("onset", S, "local time", "When sleep began, with the UTC offset then.", _MODEL),
    Column("wakeup", S, "local time", "When sleep ended, with the UTC offset then.", _MODEL),
    Column("midpoint", S, "local time", "Halfway between onset and wakeup in time that passed."),
    Column("onset_step", I, "steps of 5 s", "Step of the recording at the onset."),
    Column("wakeup_step", I, "steps of 5 s", "Step of the recording at the wakeup."),
    _clock("onset"),
    _clock("wakeup"),
    _clock("midpoint"),
    _minutes(
        "spt_min", "Sleep period time, the duration of the sleep window: from onset to wakeup in "
        "time that passed, also where the clock was changed. Not the time asleep.",
        f"SPT, {_AASM}; GGIR's SptDuration", 1 / 12,
    ),
    _minutes(
        "tst_min", "Total sleep time within the window: steps of 5 s with P(asleep) of at least "
        "0.5 and sustained inactivity, over five minutes between two changes of the arm's angle by "
        "more than 5 degrees.", _SIB,
    ),
    _minutes(
        "waso_min", "Wake after sleep onset: minutes of the window that were measured with the "
        "watch on and are not asleep. Lying awake without moving is taken for sleep by every wrist "
        "accelerometer, so this is too little for people who do.", f"WASO, {_AASM}",
    ),
    _minutes(
        "unknown_min", "Minutes of the window without a measurement or without the watch. spt_min "
        "= tst_min + waso_min + unknown_min.",
    ),
    _share(
        "maintenance_efficiency", "Sleep maintenance efficiency: tst_min / (tst_min + waso_min), "
        "time asleep over the time of the window that is known. Not over the time in bed; that "
        "needs a diary (table diary: sleep_efficiency).", f"SME = TST/SPT, {_AASM}",
    ),
    Column(
        "awakenings", I, "", "Number of stretches awake with sleep right before and after.", "", 0,
        LONGEST * STEPS_PER_MINUTE,
    ),
    _minutes("awakening_mean_min", "Their mean length."),
    _minutes("awakening_longest_min", "The length of the longest."),
    Column(
        "clock_change_h", F, "h", "Change of the UTC offset between onset and wakeup: daylight "
        "saving time, or travel.", "", -28, 28,
    ),
    _share(
        "probability", "Probability of being in a sleep window, averaged over this one.", _MODEL
    ),
    _share(
        "onset_probability", "Probability of an onset within 15 minutes of the one given.", _MODEL
    ),
    _share(
        "wakeup_probability", "Probability of a wakeup within 15 minutes of the one given.", _MODEL
    ),
    Column(
        "next_onset", S, "local time", "Runner-up: the most probable other onset, over 30 minutes "
        "away.", _MODEL,
    ),
    _share(
        "next_onset_probability", "Its probability. Where it and onset_probability add up to more "
        "than 1, both happened: a short sleep often has no row.", _MODEL,
    ),
    Column(
        "next_wakeup", S, "local time", "Runner-up: the most probable other wakeup, over 30 "
        "minutes away.", _MODEL,
    ),
    _share("next_wakeup_probability", "Its probability, likewise.", _MODEL),
    _share("window_measured", "Share of the window that was measured."),
    _share(
        "window_worn_model", "Share of the window's measured time with the watch on by the model: "
        "P(worn) of at least 0.5. Empty where the model has no such output, or nothing was "
        "measured.",
    ),
    _share(
        "window_worn_raw", "Share of the window's measured time with the watch on by the rule on "
        "the raw signal. Empty where the file holds epochs only, or nothing was measured.",
        "GGIR's rule of 2023",
    ),
    Column(
        "recorded_h", F, "h", "Hours of the night's 24 with data. Gaps, and samples that had to be "
        "masked, do not count.", "", 0, LONGEST_DAY,
    ),
    Column(
        "gap_h", F, "h", "Hours of the night's 24 that lie in the recording and have no data: "
        "gaps, an ActiGraph's idle sleep mode, masked samples. recorded_h + gap_h is what the "
        "recording covers.", "", 0, LONGEST_DAY,
    ),
    Column(
        "worn_h", F, "h", "Hours of recorded_h with the watch on, by the model and by the raw "
        "signal where they are known.", "", 0, LONGEST_DAY,
    ),
    _share("worn_model", "Share of the recorded hours with the watch on by the model."),
    _share(
        "worn_raw", "Share of the recorded hours with the watch on by the rule on the raw signal.",
        "GGIR's rule of 2023",
    ),
    Column(
        "calibration", S, "", "Whether the device file was calibrated by gravity: yes, no, or "
        "unknown for files that hold epochs.", "van Hees 2014, doi:10.1152/japplphysiol.00421.2014",
    ),
    Column(
        "calibration_error_mg", F, "mg", "Mean distance of still periods from 1 g after "
        "calibration.", "van Hees 2014", 0, 1000,
    ),
    Column(
        REASONS, S, "", "Codes that say why the night should not be used, with a blank between "
        "them; empty in clean nights. They are listed below.",
    ),
    Column(
        WHY, S, "", "The same in words, with what was measured and what is needed; a semicolon "
        "between them.",
    ),
)  # fmt: skip
"""One row for each sleep window, and one for each night without a main one."""
