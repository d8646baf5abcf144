"""Reason codes: why a night, or a person, should not be used."""

from collections.abc import Iterable, Mapping

from sleepjax.nights.columns import IMPOSSIBLE, REASONS, WHY

MIN_HOURS = 16.0
"""Of a night's 24 that must be measured with the watch on, where the user asks for no other
number (GGIR's ``includenightcrit``)."""
MIN_WORN = 0.9
"""Share of a sleep window that must be."""
MAX_WINDOW_HOURS = 20.0
"""Longer than the longest sleep among the competition's 4,790 labelled nights, 18.9 hours."""
EDGE_MINUTES = 5
"""Before an onset and after a wakeup; where most of them were not worn, the end was not seen."""
MAX_CALIBRATION_MG = 10.0
"""Error of calibration above which a device file counts as not calibrated."""

NIGHT = {
    "no_sleep_found": "No sleep window was found in these 24 hours.",
    "recording_too_short": f"Less than {MIN_HOURS:g} of the night's 24 hours (or --min_hours) lie "
    "in the recording: the first and the last day of most recordings, and whole recordings that "
    "are short.",
    "not_worn": f"The recording covers enough of the night, but less than {MIN_HOURS:g} hours of "
    "it (or --min_hours) were measured with the watch on.",
    "window_not_worn": f"Less than {MIN_WORN:.0%} of the sleep window was measured with the watch "
    "on.",
    "window_too_long": f"The sleep window is longer than {MAX_WINDOW_HOURS:g} hours: an illness, "
    "or a watch that lay still.",
    "end_not_seen": f"Most of the {EDGE_MINUTES} minutes before the onset, or after the wakeup, "
    "lie outside of the recording or without the watch: when sleep began or ended was not seen.",
    "not_calibrated": "The device file could not be calibrated by gravity, or the error that is "
    f"left is above {MAX_CALIBRATION_MG:g} mg (Doherty 2017, doi:10.1371/journal.pone.0169649).",
    "recorded_twice": "Another recording of the same person has this sleep too, and is used in its "
    "place.",
    IMPOSSIBLE: "A value outside of its bounds was computed and removed. This is a fault of the "
    "program; please report it.",
}
"""Code -> what it says, for rows of nights."""

PERSON = {
    "no_clean_night": "No night of this person can be used; the codes of the nights follow.",
    **NIGHT,
}
"""Code -> what it says, for rows of people."""


DIARY = {
    "no_recording": "There is no recording of this person.",
    "no_time_given": "The row of the diary has neither an onset nor a wakeup.",
    "no_night_found": "No main sleep was found that belongs to this row.",
    "asleep_before_bed": "Sleep was found to begin before the time of going to bed.",
    "awake_after_rise": "Sleep was found to end after the time of getting up.",
    **NIGHT,
}
"""Code -> what it says, for rows of the comparison with a diary; those of the night follow."""


def listed(cells: Iterable[str], codes: Iterable[str]) -> list[str]:
    """Those of the codes that stand in the cells, each once."""
    given = {code for cell in cells for code in cell.split()}
    return [code for code in codes if code in given]


def cells(given: Mapping[str, str]) -> dict[str, str]:
    """Both cells of a row of nights, from code -> what was measured and what is needed."""
    return {REASONS: " ".join(given), WHY: "; ".join(given.values())}
