"""Reports of what validation masked, repaired and left out, with the series named."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sleepjax.types import STEP_SECONDS, SeriesMeta

COUNTS = {
    "n_nonfinite": "samples empty, NaN or infinite (masked)",
    "n_out_of_range": "samples outside the range of their signal (masked)",
    "n_duplicates": "rows that repeat a timestamp (the first kept)",
    "n_unsorted": "rows out of time order (sorted)",
    "n_gap_steps": "steps without a row (filled and masked)",
    "n_surplus": "rows that share a step with another (one kept)",
    "n_step_mismatch": "step numbers that disagree with the timestamps (numbered by time)",
    "n_clock_changes": "changes of the UTC offset, such as daylight saving (followed)",
    "n_not_worn": "steps in six hours or more without a turn of the arm: not worn (masked)",
    "constant_signal": "series with a constant signal (masked throughout)",
}
"""What `SeriesMeta.qc` counts, and what was done about it."""

EVENT_COUNTS = {
    "n_unlabelled": "nights without labels (unknown, not awake)",
    "n_one_sided": "nights with only one of the two events (unknown)",
    "n_dropped": "nights with impossible events (made unlabelled by drop_bad)",
    "n_unknown_series": "series with events but no recording (left out by drop_bad)",
    "n_series_without_events": "series without a row in the event file (nothing known of them)",
    "n_nonwear_series": "series whose stretches without the watch are known",
    "n_nonwear_dropped": "series with impossible non-wear (made unknown by drop_bad)",
    "n_awake_series": "series whose minutes awake within a night are known",
    "n_awake_dropped": "series with impossible minutes awake (made unknown by drop_bad)",
}

_SUSPICIOUS_SHARE = 0.01
_NAMED = 3
_UNSET = "clock probably never set (it shows a time before 2000 or more than a year from now)"
_CORRECT = "correct the times by what is known of the start, or do not use the times of day"


def odd_time(meta: SeriesMeta) -> str:
    """The first or last local time of a recording where no device that was set shows it; or ""."""
    earliest, latest = datetime(2000, 1, 1), datetime.now() + timedelta(days=365)
    for row, (_, offset) in ((0, meta.offsets[0]), (meta.n_steps - 1, meta.offsets[-1])):
        second = meta.start + offset + STEP_SECONDS * row
        shown = datetime(1970, 1, 1) + timedelta(seconds=second)
        if not earliest <= shown <= latest:
            return f"{shown:%Y-%m-%d %H:%M}"
    return ""


def clocks(metas: Sequence[SeriesMeta]) -> list[str]:
    """One line on all recordings whose clock was hardly ever set, none where there are none."""
    odd = [f"{meta.series_id} ({time})" for meta in metas if (time := odd_time(meta))]
    if not odd:
        return []
    return [f"WARNING: {_UNSET}: {len(odd):,} series, {_named(odd)}; {_CORRECT}"]


def _named(found: Sequence[str]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def summary(metas: Sequence[SeriesMeta], manifest: Mapping | None = None) -> list[str]:
    """Lines for a person: per kind the count and the series with most of it."""
    lines = []
    for kind, meaning in COUNTS.items():
        counts = {meta.series_id: int(meta.qc.get(kind, 0)) for meta in metas}
        hit = sorted((s for s in counts if counts[s]), key=lambda s: -counts[s])
        if hit:
            named = _named([f"{s} ({counts[s]:,})" for s in hit])
            lines.append(f"  {meaning}: {sum(counts.values()):,}, in {named}")
    lines += [f"  {line}" for line in clocks(metas)]
    for meta in metas:
        seconds = meta.qc.get("sampling_seconds", 5)
        if abs(seconds - 5) > 0.5:
            done = "averaged to" if seconds < 5 else "held on"
            lines.append(f"  {meta.series_id}: a row every {seconds:g} s, {done} 5-s steps")
        for kind, total, what in (
            ("n_invalid", meta.n_steps, "of its steps are not valid"),
            ("n_duplicates", meta.qc.get("n_rows", meta.n_steps), "of its rows are duplicates"),
        ):
            share = meta.qc.get(kind, 0) / total
            if share > _SUSPICIOUS_SHARE:
                lines.append(f"  WARNING: {meta.series_id}: {share:.0%} {what}")
    manifest = manifest or {}
    for kind, meaning in EVENT_COUNTS.items():
        if manifest.get("event_counts", {}).get(kind):
            lines.append(f"  {meaning}: {manifest['event_counts'][kind]:,}")
    for series_id, reason in manifest.get("skipped", {}).items():
        lines.append(f"  WARNING: series {series_id} left out: {reason}")
    return lines


def say(line: str, quiet: bool) -> None:
    """Print for a person, apart from results on standard output, unless ``quiet``."""
    if not quiet:
        print(line, file=sys.stderr, flush=True)
