"""Time without the watch, and gaps: what a night says of them, and that they are no sleep."""

import numpy as np

from sleepjax.nights import nights_table, recordings_table, scored
from sleepjax.nights.columns import REASONS, WHY
from sleepjax.nights.words import night_text
from tests.support.nights import HOUR, found, main_of, meta


def test_time_without_the_watch_is_said_by_model_and_by_raw_signal():
    of = meta("2018-08-14 15:00", 72)
    rows = np.arange(of.n_steps)
    off = (rows >= 27 * HOUR) & (rows < 45 * HOUR)  # 18:00 to noon of the second night
    model = np.where(off, 0.1, 0.9)
    raw = rows >= 50 * HOUR
    recording, probs, windows = found(of, [(8 * HOUR, 16 * HOUR)], worn=model)
    nights = nights_table(scored(recording, probs, windows, raw))
    assert nights["kind"].to_list() == ["main", "none", "none"]
    assert nights[REASONS].to_list() == ["", *["no_sleep_found not_worn"] * 2]
    assert nights["worn_model"].to_list() == [1, 6 / 24, 1]
    assert nights["worn_raw"].to_list() == [1, 1, 2 / 24]
    assert nights["worn_h"].to_list() == [24, 6, 2]
    assert nights["window_worn_model"][0] == 1 == nights["window_worn_raw"][0]
    without = nights_table(scored(recording, probs[:, :3], windows))
    assert without["worn_model"].null_count() == len(without) == without["worn_raw"].null_count()


def test_a_gap_is_not_recorded_and_says_nothing_about_the_watch():
    """Of 24 hours ten have no data; of the others the watch lies on a table for two."""
    of = meta("2018-08-14 15:00", 24)
    hour = np.arange(of.n_steps) // HOUR
    gap = (hour >= 1) & (hour < 7) | (hour >= 17) & (hour < 21)
    valid, raw = ~gap, gap
    model = np.where(gap | (hour >= 22), 0.1, 0.9)
    recording, probs, windows = found(of, [(8 * HOUR, 16 * HOUR)], valid=valid, worn=model)
    (row,) = nights_table(scored(recording, probs, windows, raw)).rows(named=True)
    assert (row["recorded_h"], row["gap_h"], row["worn_h"]) == (14, 10, 12)
    assert (row["worn_model"], row["worn_raw"]) == (12 / 14, 1)
    assert row[WHY] == "12.0 h measured with the watch on, 16 h are needed"
    assert "24 h 00 min lie in the recording" in night_text(row)
    assert "10 h 00 min without data" in night_text(row)
    whole = recordings_table(scored(recording, probs, windows, raw)).row(0, named=True)
    assert (whole["recorded_h"], whole["gap_h"], whole["worn_h"]) == (14, 10, 12)
    nothing = found(of, [], valid=np.zeros(of.n_steps, bool), worn=model)
    rows = nights_table(scored(*nothing, raw))
    assert rows["recorded_h"].sum() == 0 and rows["gap_h"].sum() == 24
    assert rows["worn_model"].null_count() == len(rows) == rows["worn_raw"].null_count()


def test_a_window_in_which_the_raw_signal_sees_no_watch():
    of = meta("2018-08-14 12:00", 24)
    raw = np.zeros(of.n_steps, bool)
    raw[13 * HOUR : 15 * HOUR] = True
    row = main_of(nights_table(scored(*found(of, [(11 * HOUR, 19 * HOUR)]), raw)))
    assert row[REASONS] == "window_not_worn" and row["unknown_min"] == 120
    assert row[WHY] == "75.0% of the window measured with the watch on, 90% is needed"
    assert row["window_worn_raw"] == 0.75 and row["worn_h"] == 19


def test_the_end_of_sleep_is_not_seen_where_the_watch_is_taken_off():
    of = meta("2018-08-14 12:00", 24)
    valid = np.ones(of.n_steps, bool)
    valid[19 * HOUR : 20 * HOUR] = False
    row = main_of(nights_table(scored(*found(of, [(11 * HOUR, 19 * HOUR)], valid=valid))))
    assert row[REASONS] == "end_not_seen"
    assert row[WHY] == (
        "0.1 of the 5 minutes after the wakeup measured with the watch on, half of them is needed"
    )
