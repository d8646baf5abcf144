"""The QC summary: every count is said in words, with the series that has most of it."""

from datetime import datetime

from sleepjax.data import qc, raw
from tests.reference.series import rows


def metas(*frames):
    return [raw.recordings_from_frame(frame)[0].meta for frame in frames]


def test_a_clean_cohort_needs_no_words():
    assert qc.summary(metas(rows(500), rows(500, "b2"))) == []


def test_counts_name_the_series_with_most_first():
    frames = [
        rows(900, f"s{i}", enmo=[None] * i + [0.1] * 700 + [0.2] * (200 - i)) for i in range(1, 6)
    ]
    lines = qc.summary(metas(*frames))
    assert lines == [
        "  samples empty, NaN or infinite (masked): 15, in s5 (5), s4 (4), s3 (3) and 2 more"
    ]


def test_large_shares_are_warned_of():
    gap, fine = rows(500), rows(500, "b2", seconds=1)
    doubled = rows(500, "c3")
    lines = qc.summary(metas(gap[:100].vstack(gap[200:]), fine, doubled.vstack(doubled[:20])))
    assert "  WARNING: a1: 20% of its steps are not valid" in lines
    assert "  b2: a row every 1 s, averaged to 5-s steps" in lines
    assert "  WARNING: c3: 4% of its rows are duplicates" in lines


def test_clocks_that_were_never_set_are_one_line():
    at = lambda name, date: rows(
        500, name, start=datetime.fromisoformat(f"{date}T23:00:00+00:00"), offset=0
    )
    fine = metas(at("a", "2000-01-01"), at("b", "2024-05-01"))
    odd = metas(at("c", "1970-01-01"), at("d", "2099-12-31"), at("e", "1999-12-31"))
    lines = qc.summary(fine + odd[:2])
    assert lines == [
        "  WARNING: clock probably never set (it shows a time before 2000 or more than a year from "
        "now): 2 series, c (1970-01-01 23:00), d (2099-12-31 23:00); correct the times by what is "
        "known of the start, or do not use the times of day"
    ]
    # It may run from one century into the next; local time decides.
    assert qc.odd_time(odd[2]) == "1999-12-31 23:00" and not qc.odd_time(fine[0])


def test_every_count_of_a_recording_is_said():
    """A count that is added to repair and forgotten here would be silent."""
    silent = {"n_rows", "n_invalid", "sampling_seconds", "longest_gap_steps"}
    assert set(metas(rows(10))[0].qc) - silent == set(qc.COUNTS)


def test_events_and_skipped_series_are_said():
    manifest = {"event_counts": {"n_one_sided": 2, "n_labelled": 9}, "skipped": {"x1": "too odd"}}
    assert qc.summary([], manifest) == [
        "  nights with only one of the two events (unknown): 2",
        "  WARNING: series x1 left out: too odd",
    ]
