"""English of the reports: what was found in a night and why, for people who read no code."""

from collections.abc import Mapping
from html import escape
from typing import Any

import polars as pl

from sleepjax.figures.page import bullets, table
from sleepjax.nights.columns import IMPOSSIBLE, REASONS, WHY
from sleepjax.nights.reasons import PERSON, listed
from sleepjax.text import counted

LIMITS = (
    "A wrist accelerometer measures movement, not sleep. Lying still awake is counted as sleep, so "
    "sleep is found too early and wakefulness in bed too short in people who lie awake. Stages of "
    "sleep cannot be told from it and are not given. These results are for research; they do not "
    "diagnose anything."
)
SIMULATED = (
    "The model learned from simulated people only. Compare with a diary or another measurement "
    "before you rely on single nights."
)


def warning(made_with: Mapping[str, Any]) -> str:
    """HTML of what a reader must know of the model first."""
    return f'<p class="warning">{SIMULATED}</p>' if made_with.get("simulated") else ""


def duration(minutes: float | None) -> str:
    """``7 h 05 min`` of 425, seconds of less than a minute; a dash where nothing is known."""
    if minutes is None:
        return "-"
    if 0 < minutes < 1:
        return f"{60 * minutes:.0f} s"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def moment(stamp: str) -> str:
    """``2018-08-14 22:15`` of a local time."""
    return stamp[:16].replace("T", " ")


def clock(hours: float | None) -> str:
    """``22:12`` of 22.2 hours after midnight."""
    if hours is None:
        return "-"
    minutes = round(hours * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def percent(share: float | None) -> str:
    """``95 %`` of 0.95."""
    return "-" if share is None else f"{100 * share:.0f} %"


def spoken(codes: str) -> str:
    """``not worn, end not seen`` of a cell of codes."""
    return ", ".join(codes.split()).replace("_", " ")


def reasons_html(codes: str) -> str:
    """A list of what these codes say."""
    return bullets(f"{escape(PERSON[code])} <small>({code})</small>" for code in codes.split())


def _why_html(row: Mapping[str, Any]) -> str:
    """A list of what speaks against a night, with value and bound."""
    said = [one for one in (row[WHY] or "").split("; ") if one]
    said += [PERSON[IMPOSSIBLE]] if IMPOSSIBLE in row[REASONS].split() else []
    return bullets(escape(one[:1].upper() + one[1:]) for one in said)


def night_text(row: Mapping[str, Any]) -> str:
    """What was found in a row of nights and why; HTML."""
    why = _why_html(row)
    worn = (
        f"Of this night's 24 hours {duration(60 * (row['recorded_h'] + row['gap_h']))} lie in the "
        f"recording, {duration(60 * row['worn_h'])} of them measured with the watch on"
    )
    worn += f" and {duration(60 * row['gap_h'])} without data." if row["gap_h"] else "."
    if row["kind"] == "none":
        return f"<b>No main sleep.</b> {worn} Why this night cannot be used:{why}"
    kind = "Main sleep" if row["kind"] == "main" else "Nap"
    parts = [
        f"<b>{kind} from {row['onset'][11:16]} to {row['wakeup'][11:16]}</b>, "
        f"{duration(row['spt_min'])}, of which asleep {duration(row['tst_min'])} and awake "
        f"{duration(row['waso_min'])}{_times(row)}.",
        f"Probability by the model: {percent(row['probability'])} asleep on average over this "
        f"window; {percent(row['onset_probability'])} that sleep began, and "
        f"{percent(row['wakeup_probability'])} that it ended, within 15 minutes of these times.",
        _runner_up(row),
        f"{worn} {_worn(row)}" if row["kind"] == "main" else _worn(row),
    ]
    if row["clock_change_h"]:
        parts.append(f"The clock was changed by {row['clock_change_h']:+g} h during this sleep.")
    if why:
        parts.append(f"<b>Should not be used:</b>{why}")
    return " ".join(part for part in parts if part)


def _times(row: Mapping[str, Any]) -> str:
    """How much of the time awake lies between sleep; the rest is at the ends of the window."""
    n = row["awakenings"]
    if not n:
        return ""
    between = duration(n * row["awakening_mean_min"])
    return f" ({between} of it in {counted(n, 'awakening')})"


def _runner_up(row: Mapping[str, Any]) -> str:
    known = [end for end in ("onset", "wakeup") if row[f"next_{end}"] is not None]
    if not known:
        return "No other onset or wakeup is likely."
    others = [
        f"{end} at {row[f'next_{end}'][11:16]} ({percent(row[f'next_{end}_probability'])})"
        for end in known
    ]
    both = any(row[f"{end}_probability"] + row[f"next_{end}_probability"] > 1 for end in known)
    more = " With the one above that is more than 100 %: probably another, short sleep." * both
    return f"Next most likely: {', '.join(others)}.{more}"


def _worn(row: Mapping[str, Any]) -> str:
    """How much of a window was worn, by which."""
    by = {"the model": row["window_worn_model"], "the raw signal": row["window_worn_raw"]}
    known = [f"{percent(share)} by {name}" for name, share in by.items() if share is not None]
    measured = f"Of the window {percent(row['window_measured'])} was measured"
    return f"{measured}; the watch was on for {' and '.join(known)}." if known else f"{measured}."


def nights_html(nights: pl.DataFrame) -> str:
    """The table of nights; what cannot be used says why."""
    head = ["night of", "", "from - to", "window", "asleep", "awake", "efficiency"]
    head += ["awakenings", "worn", "not to be used because"]
    rows = [
        [
            f"{row['weekday'][:3]} {row['date']}",
            {"main": "sleep", "nap": "nap", "none": "none"}[row["kind"]],
            None if row["onset"] is None else f"{row['onset'][11:16]} - {row['wakeup'][11:16]}",
            *(duration(row[name]) for name in ("spt_min", "tst_min", "waso_min")),
            percent(row["maintenance_efficiency"]),
            row["awakenings"],
            f"{row['worn_h']:.1f} h",
            spoken(row[REASONS]) or None,
        ]
        for row in nights.iter_rows(named=True)
    ]
    codes = " ".join(listed(nights[REASONS], PERSON))
    return table(head, rows, prose=True) + (
        "<p><small>Window: from falling asleep to waking up; asleep and awake are parts of it. "
        "Efficiency: time asleep over the window (sleep maintenance efficiency), not over the time "
        "in bed. Worn: hours of the night's 24 with the watch on.</small></p>" + reasons_html(codes)
    )


def person_html(row: Mapping[str, Any]) -> str:
    """Means, regularity and rhythm of a person, as tables."""
    shown = {
        "onset_clock_h": ("falls asleep at", clock, _spread_hours),
        "wakeup_clock_h": ("wakes up at", clock, _spread_hours),
        "midpoint_clock_h": ("middle of sleep", clock, _spread_hours),
        "spt_min": ("sleep window", duration, duration),
        "tst_min": ("time asleep", duration, duration),
        "waso_min": ("awake within the window", duration, duration),
        "maintenance_efficiency": ("efficiency (time asleep / window)", percent, percent),
        "awakenings": ("awakenings", _number, _number),
    }
    rows = [
        [name, mean(row[f"{key}_mean"]), spread(row[f"{key}_sd"])]
        + [mean(row[f"{key}_{of}"]) for of in ("weekday", "weekend")]
        for key, (name, mean, spread) in shown.items()
    ]
    head = ["", "mean", "standard deviation", f"weekday ({row['clean_weekday']})"]
    first = table([*head, f"weekend ({row['clean_weekend']})"], rows)
    of_days = [
        ["social jetlag (middle of sleep, weekend minus weekday)", _hours(row["social_jetlag_h"])],
        ["sleep regularity index, -100 to 100", _number(row["sri"])],
        ["interdaily stability, 0 to 1", _number(row["is"], 2)],
        ["intradaily variability", _number(row["iv"], 2)],
        ["relative amplitude, 0 to 1", _number(row["ra"], 2)],
        ["five quietest hours begin at", clock(row["l5_start_h"])],
        ["ten most active hours begin at", clock(row["m10_start_h"])],
        ["naps that can be used", row["naps"]],
    ]
    return first + table(["over all days", ""], of_days)


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _hours(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f} h"


def _spread_hours(value: float | None) -> str:
    return duration(None if value is None else 60 * value)
