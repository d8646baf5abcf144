"""Every night ends in a row, or in a row with reasons, whatever the clock and the person do."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.nights import clean, nights_table, recordings_table, scored
from sleepjax.nights.columns import IMPOSSIBLE, REASONS, WHY
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.reasons import NIGHT
from sleepjax.nights.words import night_text
from sleepjax.postprocess import find_windows
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE, InputError
from tests.support.nights import days_of_sleep, found, main_of, meta, row_of

MINUTE, HOUR = STEPS_PER_MINUTE, STEPS_PER_HOUR


def week(n=5):
    return [(f"2018-08-{14 + k} 23:00", f"2018-08-{15 + k} 07:00") for k in range(n)]


def test_a_plain_week_is_clean_but_for_its_ends():
    of = meta("2018-08-14 09:00", 24 * 4 + 8)
    nights = nights_table(scored(*found(of, days_of_sleep(of, "Europe/London", week(4)))))
    assert nights["kind"].to_list() == ["none", "main", "main", "main", "main", "none"]
    assert nights["night"].to_list() == [1, 2, 3, 4, 5, 6]
    assert nights["date"].to_list() == [f"2018-08-{d}" for d in range(13, 19)]
    assert nights["weekday"][1] == "Tuesday" and nights["weekend"].to_list() == [
        False, False, False, False, True, True,
    ]  # fmt: skip
    first, last = nights[REASONS][0], nights[REASONS][-1]
    assert first == "no_sleep_found recording_too_short" and last == first
    usable = clean(nights)
    assert len(usable) == 4
    assert usable["onset"][0] == "2018-08-14T23:00:00+0100"
    assert usable["midpoint"][0] == "2018-08-15T03:00:00+0100"
    assert usable["onset_clock_h"].to_list() == [23.0] * 4
    assert usable["spt_min"].to_list() == [480.0] * 4
    assert usable["recorded_h"].to_list() == [24.0] * 4 == usable["worn_h"].to_list()


def test_two_nights_whose_numbers_are_computed_by_hand():
    """Windows and times awake are chosen; every expected number is written out, minutes counted.

    First night: sleep from 23:10 to 06:50, awake for 12 minutes at 01:00 and for 4 at 04:30.
    Second night: sleep from 00:20 to 08:10, awake for 40 minutes at 03:20, and the model not sure
    of sleep from 06:00 to 06:12.
    """
    of, zone = meta("2018-08-14 12:00", 48), "Europe/London"
    rows = lambda *spans: days_of_sleep(
        of, zone, [(f"2018-08-{a}", f"2018-08-{b}") for a, b in spans]
    )
    recording, probs, windows = found(
        of,
        rows(("14 23:10", "15 06:50"), ("16 00:20", "16 08:10")),
        awake=rows(("15 01:00", "15 01:12"), ("15 04:30", "15 04:34"), ("16 03:20", "16 04:00")),
    )
    doubt = slice(*rows(("16 06:00", "16 06:12"))[0])
    probs[doubt, 0] = 0.3
    # The arm turns every 20 minutes by the clock; what is still for over five minutes is asleep.
    nights = nights_table(scored(recording, probs, windows)).filter(kind="main").rows(named=True)
    expected = [
        # onset, wakeup, midpoint, window, awake in each awakening
        ("14T23:10:00", "15T06:50:00", "15T03:00:00", 460, (12, 4)),
        ("16T00:20:00", "16T08:10:00", "16T04:15:00", 470, (40, 12)),
    ]
    for night, (onset, wakeup, midpoint, minutes, awake) in zip(nights, expected, strict=True):
        for name, value in (("onset", onset), ("wakeup", wakeup), ("midpoint", midpoint)):
            assert night[name] == f"2018-08-{value}+0100"
        assert night["spt_min"] == minutes
        assert (night["waso_min"], night["awakenings"]) == (sum(awake), len(awake))
        assert night["tst_min"] == minutes - sum(awake) and night["unknown_min"] == 0
        efficiency = (minutes - sum(awake)) / minutes
        assert night["maintenance_efficiency"] == pytest.approx(efficiency)
        assert night["awakening_mean_min"] == pytest.approx(sum(awake) / len(awake))
        assert night["awakening_longest_min"] == max(awake)
    assert [night["maintenance_efficiency"] for night in nights] == pytest.approx(
        [0.9652, 0.8894], abs=5e-5
    )


@pytest.mark.parametrize(
    ("begin", "night", "hours", "change"),
    [
        ("2018-11-03 12:00", ("2018-11-03 23:00", "2018-11-04 07:00"), 9, -1),  # 25-hour night
        ("2018-03-10 12:00", ("2018-03-10 23:00", "2018-03-11 07:00"), 7, 1),  # 23-hour night
    ],
)
def test_a_night_in_which_the_clock_is_changed_is_as_long_as_it_was(begin, night, hours, change):
    zone = "America/New_York"
    of = meta(begin, 24 + 8, zone)
    onset, wakeup = days_of_sleep(of, zone, [night])[0]
    nights = nights_table(scored(*found(of, [(onset, wakeup)])))
    row = main_of(nights)
    assert row["spt_min"] == hours * 60 and row["clock_change_h"] == change
    assert (row["onset_clock_h"], row["wakeup_clock_h"]) == (23.0, 7.0)
    offsets = ("-0400", "-0500") if change < 0 else ("-0500", "-0400")
    assert (row["onset"][-5:], row["wakeup"][-5:]) == offsets
    # The middle of the time that passed, by the clock then.
    assert row["midpoint_clock_h"] == (2.5 if change < 0 else 3.5)
    assert row["recorded_h"] == pytest.approx(24 - change) and row[REASONS] == ""


def test_travel_across_time_zones_keeps_every_night():
    of = meta("2018-08-14 12:00", 24 * 5, "Europe/London")
    arrived = 2 * STEPS_PER_DAY  # 8 hours east, at noon of the third day
    of = of.__class__(of.series_id, of.n_steps, 0, of.start, ((0, 3600), (arrived, 9 * 3600)), {})
    before = [(11 * HOUR, 19 * HOUR), (35 * HOUR, 43 * HOUR)]
    after = [(52 * HOUR, 60 * HOUR), (75 * HOUR, 83 * HOUR), (99 * HOUR, 107 * HOUR)]
    recording, probs, windows = found(of, before + after)
    nights = nights_table(scored(recording, probs, windows))
    assert nights.filter(kind="main")["onset_step"].to_list() == windows["onset_step"].to_list()
    assert (
        nights.filter(kind="main")["onset"].str.slice(-5).to_list() == ["+0100"] * 2 + ["+0900"] * 3
    )
    assert nights["recorded_h"].sum() >= 24 * 5 - 1e-6
    in_flight = found(of, [(arrived - 4 * HOUR, arrived + 4 * HOUR)])
    row = main_of(nights_table(scored(*in_flight)))
    assert (row["spt_min"], row["clock_change_h"]) == (480.0, 8.0)


def test_somebody_who_sleeps_by_day_has_a_night_a_day():
    of = meta("2018-08-14 03:00", 24 * 4)
    sleeps = [
        (row_of(of, f"2018-08-{d} 08:30"), row_of(of, f"2018-08-{d} 15:30")) for d in range(14, 18)
    ]
    nights = nights_table(scored(*found(of, sleeps)))
    main = nights.filter(kind="main")
    assert main["date"].to_list() == [f"2018-08-{d}" for d in range(14, 18)]
    assert clean(main)["spt_min"].to_list() == [420.0] * 4
    assert nights.filter(kind="none")["date"].to_list() == ["2018-08-18"]


def test_two_sleeps_a_day_are_main_sleep_and_nap():
    of = meta("2018-08-14 12:00", 48)
    sleeps = days_of_sleep(
        of, "Europe/London",
        [("2018-08-14 23:00", "2018-08-15 04:00"), ("2018-08-15 08:00", "2018-08-15 10:30")],
    )  # fmt: skip
    nights = nights_table(scored(*found(of, sleeps))).filter(pl.col("kind") != "none")
    assert nights["kind"].to_list() == ["main", "nap"] and nights["night"].n_unique() == 1
    assert nights["spt_min"].to_list() == [300.0, 150.0]
    short = meta("2018-08-14 20:00", 15)  # too short to know the main sleep; the nap was seen whole
    table = nights_table(
        scored(*found(short, [(row - 8 * HOUR, end - 8 * HOUR) for row, end in sleeps]))
    )
    assert table[REASONS].to_list() == ["recording_too_short", ""]


def test_a_watch_put_on_at_three_in_the_morning():
    of = meta("2018-08-14 03:00", 24 * 3)
    sleeps = days_of_sleep(
        of, "Europe/London", [("2018-08-14 04:00", "2018-08-14 09:00"), *week(2)]
    )
    nights = nights_table(scored(*found(of, sleeps)))
    first = nights.row(0, named=True)
    assert first["kind"] == "main" and first[REASONS] == "recording_too_short"
    assert 11 < first["recorded_h"] < 13 and first["spt_min"] == 300
    assert first[WHY] == f"{first['recorded_h']:.1f} h lie in the recording, 16 h are needed"
    assert nights_table(scored(*found(of, sleeps)), min_hours=8)[REASONS][0] == ""
    assert nights_table(scored(*found(of, sleeps)), min_hours=13.5)[WHY][0].endswith(
        ", 13.5 h are needed"
    )
    asleep = days_of_sleep(of, "Europe/London", [("2018-08-14 03:00", "2018-08-14 09:00")])
    seen = nights_table(scored(*found(of, asleep))).row(0, named=True)[REASONS].split()
    assert "end_not_seen" in seen and "recording_too_short" in seen


@pytest.mark.parametrize(("begin", "rows"), [("2018-08-14 20:00", 1), ("2018-08-14 11:30", 2)])
def test_a_recording_of_one_hour(begin, rows):
    of = meta(begin, 1)
    nights = nights_table(scored(*found(of, [])))
    assert nights[REASONS].to_list() == ["no_sleep_found recording_too_short"] * rows
    assert nights["recorded_h"].sum() == pytest.approx(1)
    row = recordings_table(scored(*found(of, []))).row(0, named=True)
    assert row["sri"] is None and row["is"] is None and row["days"] == pytest.approx(1 / 24)


def test_a_recording_of_one_step():
    nights = nights_table(scored(*found(meta("2018-08-14 20:00", 1 / HOUR), [])))
    assert nights[REASONS].to_list() == ["no_sleep_found recording_too_short"]


def test_a_nap_without_a_row_is_the_runner_up_and_said_to_be_one():
    """50 minutes of P(asleep) 0.7, whose ends are spread over half an hour: no window."""
    of = meta("2018-08-14 15:00", 24)
    recording, probs, _ = found(of, [(8 * HOUR, 16 * HOUR)])
    rows = np.arange(of.n_steps)
    begin, end = 20 * HOUR, 20 * HOUR + 50 * MINUTE
    probs[begin:end, 0] = 0.7
    for column, at in ((1, begin), (2, end)):
        probs[:, column] += 0.35 * np.exp(-0.5 * ((rows - at) / (9 * MINUTE)) ** 2)
    nights = nights_table(scored(recording, probs, find_windows(probs, of)))
    row = main_of(nights)
    assert "nap" not in nights["kind"].to_list()
    assert row["wakeup_probability"] + row["next_wakeup_probability"] > 1.5
    assert row["next_wakeup"].startswith("2018-08-15T11:5")
    assert night_text(row).count("probably another, short sleep") == 1
    alone = main_of(nights_table(scored(*found(of, [(8 * HOUR, 16 * HOUR)]))))
    assert "short sleep" not in night_text(alone)


def test_a_window_of_more_than_twenty_hours():
    of = meta("2018-08-14 12:00", 72)
    row = main_of(nights_table(scored(*found(of, [(20 * HOUR, 45 * HOUR)]))))
    assert row["spt_min"] == 25 * 60 and row[REASONS] == "window_too_long"
    assert row[WHY] == "the window lasts 25.0 hours, more than 20"


@pytest.mark.parametrize(
    ("calibration", "shown", "why"),
    [
        (None, "unknown", ""),
        ({"applied": True, "error_after_g": 0.004}, "yes", ""),
        (
            {"applied": True, "error_after_g": 0.02}, "yes",
            "the error of calibration is 20.0 mg, more than 10",
        ),
        (
            {"applied": False, "error_after_g": None, "reason": "too little"}, "no",
            "not calibrated: too little",
        ),
    ],
)  # fmt: skip
def test_calibration_of_the_file(calibration, shown, why):
    of = meta("2018-08-14 12:00", 24)
    sleeper = scored(*found(of, [(11 * HOUR, 19 * HOUR)]))
    row = main_of(nights_table(sleeper, quality={"calibration": calibration}))
    assert (row["calibration"], row[WHY]) == (shown, why)
    assert row[REASONS] == ("not_calibrated" if why else "")


def test_arrays_of_another_length_are_refused():
    recording, probs, windows = found(meta("2018-08-14 12:00", 1), [])
    with pytest.raises(InputError, match="nonwear has 3 rows, the recording 720"):
        scored(recording, probs, windows, np.zeros(3, bool))


def test_every_reason_of_a_night_can_be_given_and_is_explained():
    """The codes that nights_table writes are those of the dictionary."""
    given = {
        "no_sleep_found", "recording_too_short", "not_worn", "window_not_worn", "window_too_long",
        "end_not_seen", "not_calibrated", "recorded_twice", IMPOSSIBLE,
    }  # fmt: skip
    assert given == set(NIGHT)


sleep = st.tuples(st.integers(0, 60 * 24 * 3), st.integers(5, 14 * 60))


@settings(max_examples=25)
@given(
    st.lists(sleep, max_size=5),
    st.integers(1, 60 * 24 * 3),
    st.integers(0, 23),
    st.sampled_from([0, -3600, 3600, 9 * 3600, -11 * 3600]),
    st.integers(0, 2**32 - 1),
)
def test_whatever_is_found_ends_in_rows_that_can_be(sleeps, minutes, begins, shift, seed):
    random = np.random.default_rng(seed)
    of = meta(f"2018-10-27 {begins:02d}:00", minutes / 60)
    changed = ((0, 3600), (of.n_steps // 2, 3600 + shift)) if shift else of.offsets
    of = of.__class__(of.series_id, of.n_steps, 0, of.start, changed, {})
    rows = [(a * MINUTE, min((a + b) * MINUTE, of.n_steps)) for a, b in sleeps]
    valid = np.repeat(random.random(of.n_steps // 720 + 1) > 0.1, 720)[: of.n_steps]
    worn = np.repeat(random.random(of.n_steps // 720 + 1), 720)[: of.n_steps]
    recording, probs, windows = found(
        of, [(a, b) for a, b in rows if a < b], valid=valid, worn=worn
    )
    nonwear = np.repeat(random.random(of.n_steps // 180 + 1) < 0.1, 180)[: of.n_steps]
    nights = nights_table(scored(recording, probs, windows, nonwear))
    assert IMPOSSIBLE not in " ".join(nights[REASONS])
    assert nights.columns == [column.name for column in NIGHTS]
    assert sorted(nights["onset_step"].drop_nulls()) == windows["onset_step"].sort().to_list()
    one = nights.filter(pl.col("kind") != "nap")
    assert one["night"].to_list() == list(range(1, len(one) + 1))
    assert one["recorded_h"].sum() == pytest.approx(valid.sum() / HOUR)
    assert one["gap_h"].sum() == pytest.approx((~valid).sum() / HOUR)
    assert (one["worn_h"] <= one["recorded_h"]).all()
    slept = nights.drop_nulls("spt_min")
    parts = slept["tst_min"] + slept["waso_min"] + slept["unknown_min"]
    assert np.allclose(parts, slept["spt_min"])
    assert (nights.filter(kind="none")[REASONS] != "").all()
    text = lambda name, i: datetime.fromisoformat(slept[name][i])
    for i in range(len(slept)):
        lasted = (text("wakeup", i) - text("onset", i)).total_seconds()
        assert lasted == round(slept["spt_min"][i] * 60, 6)
    recordings = recordings_table(scored(recording, probs, windows, nonwear))
    assert recordings[REASONS].to_list() == [""]
