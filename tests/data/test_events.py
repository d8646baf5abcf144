"""Event files: every fault with its own message, and the place of each event on the grid."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import events, raw
from sleepjax.types import InputError
from tests.reference.series import START, nights, rows

GOOD = nights("a1", [(120, 600), (None, None), (1200, 1800)])


def read(frame, tmp_path, **kwargs):
    path = tmp_path / "train_events.csv"
    frame.write_csv(path)
    return events.read_events(path, **kwargs)


def metas(*frames):
    found = raw.recordings_from_frame(pl.concat(frames or [rows(2400)]))
    return {recording.meta.series_id: recording.meta for recording in found}


def locate(frame, known=None, **kwargs):
    return events.locate_events(frame, known or metas(), source="train_events.csv", **kwargs)


def test_null_step_is_an_unlabelled_night(tmp_path):
    counts = Counter()
    found = read(GOOD, tmp_path, counts=counts)
    assert found.equals(GOOD)
    assert found.schema == events.COLUMNS
    assert counts == {"n_nights": 3, "n_labelled": 2, "n_unlabelled": 1, "n_one_sided": 0,
                      "n_dropped": 0}  # fmt: skip


def test_spellings_of_empty_and_of_whole_numbers(tmp_path):
    path = tmp_path / "train_events.csv"
    path.write_text(
        "series_id,night,event,step,timestamp,comment\n"
        "a1,1,onset,120.0,2018-08-14T11:40:00-0400,x\n"
        "a1,1,wakeup, 600,2018-08-14T12:20:00-0400,\n"
        "a1,2,onset,NaN,,\n"
        "a1,2,wakeup,,NA,\n"
    )
    assert events.read_events(path)["step"].to_list() == [120, 600, None, None]


def test_one_sided_night_is_kept_and_counted(tmp_path):
    counts = Counter()
    found = read(nights("a1", [(120, None), (None, 1800), (2000, 2100)]), tmp_path, counts=counts)
    assert found["step"].to_list() == [120, None, None, 1800, 2000, 2100]
    assert (counts["n_one_sided"], counts["n_labelled"], counts["n_unlabelled"]) == (2, 1, 0)
    counts = Counter()
    read(GOOD.head(1), tmp_path, counts=counts)  # the other row is not there at all
    assert (counts["n_one_sided"], counts["n_labelled"]) == (1, 0)


@pytest.mark.parametrize("span", [(600, 600), (600, 120)])
def test_wakeup_before_onset(tmp_path, span):
    frame = nights("a1", [span, (1200, 1800)])
    with pytest.raises(
        InputError, match=r"'a1' night 1 has its wakeup \(step .*before.*--drop_bad"
    ):
        read(frame, tmp_path)
    counts = Counter()
    found = read(frame, tmp_path, drop_bad=True, counts=counts)
    assert found["step"].to_list() == [None, None, 1200, 1800]
    assert (counts["n_dropped"], counts["n_labelled"], counts["n_unlabelled"]) == (1, 1, 1)


def test_overlapping_nights():
    frame = nights("a1", [(20, 30), (120, 600), (500, 900), (899, 1000), (1000, 1100)])
    message = r"'a1' night 3 begins \(step 500\) before night 2 ends \(step 600\); correct .*both"
    with pytest.raises(InputError, match=message):
        locate(frame)
    counts = Counter(n_labelled=5)
    found = locate(frame, drop_bad=True, counts=counts)
    assert found["step"].to_list() == [20, 30, *[None] * 6, 1000, 1100]
    assert (counts["n_dropped"], counts["n_labelled"], counts["n_unlabelled"]) == (3, 2, 3)
    two = pl.concat([nights("a1", [(120, 600)]), nights("b2", [(500, 900)])])
    assert locate(two, metas(rows(2400), rows(2400, "b2"))).equals(two)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=8))
def test_overlapping_nights_equal_a_comparison_of_all_pairs(spans):
    spans = [(onset, onset + length) for onset, length in spans]
    shares = [
        any(a < d and c < b for j, (c, d) in enumerate(spans) if j != i)
        for i, (a, b) in enumerate(spans)
    ]
    found = locate(nights("a1", spans), drop_bad=True)
    onsets = found.filter(event="onset")["step"].to_list()
    assert onsets == [None if bad else span[0] for span, bad in zip(spans, shares, strict=True)]


def test_a_wakeup_far_beyond_the_end_is_named_and_not_the_night_after(tmp_path):
    frame = nights("a1", [(120, 99_999_999), (1200, 1800)])
    with pytest.raises(InputError, match="line 3: .* night 1 wakeup .*99999999, .* lies outside"):
        locate(read(frame, tmp_path))
    found = locate(read(frame, tmp_path, drop_bad=True), drop_bad=True)
    assert found["step"].to_list() == [None, None, 1200, 1800]


def test_duplicate_event(tmp_path):
    with pytest.raises(InputError, match="line 8: series 'a1' night 3 has a second wakeup"):
        read(pl.concat([GOOD, GOOD.tail(1)]), tmp_path)


@pytest.mark.parametrize("column", ["step", "night"])
@pytest.mark.parametrize("value", ["12.5", "-3", "x", "inf", "1e30"])
def test_step_or_night_that_is_not_a_whole_number(tmp_path, column, value):
    text = GOOD.with_columns(pl.col(column).cast(pl.String))
    text = text.with_columns(
        pl.when(pl.int_range(6) == 4).then(pl.lit(value)).otherwise(column).alias(column)
    )
    with pytest.raises(InputError, match=f"line 6: {column} is '{value}'; .* whole number"):
        read(text, tmp_path)


def test_unknown_event_name(tmp_path):
    frame = GOOD.with_columns(pl.col("event").replace({"wakeup": "Wake_up"}))
    with pytest.raises(InputError, match="line 3: event is 'Wake_up', did you mean 'wakeup'"):
        read(frame, tmp_path)


@pytest.mark.parametrize("column", ["series_id", "night", "event"])
def test_empty_names(tmp_path, column):
    with pytest.raises(InputError, match=f"line 2: {column} is empty"):
        read(GOOD.with_columns(pl.lit(None).alias(column)), tmp_path)


def test_timestamp_without_step(tmp_path):
    frame = GOOD.with_columns(step=pl.lit(None, pl.Int64))
    with pytest.raises(InputError, match="line 2: a timestamp without a step"):
        read(frame, tmp_path)


@pytest.mark.parametrize(
    "column, value, kept",
    [
        ("step", "12x", [120, 600, None, None, None, None]),
        ("night", "2.5", [120, 600, None, None, 1800]),  # the other row is one-sided
        ("night", "", [120, 600, None, None, 1800]),
        ("night", "1", [None, None, None, None, None, 1800]),  # a second onset of night 1
        ("event", "Onset", [120, 600, None, None, None]),
        ("series_id", "", [120, 600, None, None, 1800]),
        ("timestamp", "soon", [120, 600, None, None, None, None]),
    ],
)
def test_one_bad_cell_makes_its_night_unlabelled_where_asked(tmp_path, column, value, kept):
    """The cell is of the fifth row: the onset of night 3."""
    text = GOOD.with_columns(pl.col("night", "step").cast(pl.String))
    change = pl.when(pl.int_range(6) == 4).then(pl.lit(value or None)).otherwise(column)
    text = text.with_columns(change.alias(column))
    with pytest.raises(InputError):
        locate(read(text, tmp_path))
    counts = Counter()
    found = read(text, tmp_path, drop_bad=True, counts=counts)
    found = locate(found, drop_bad=True, counts=counts)
    assert found["step"].to_list() == kept
    assert counts["n_dropped"] == 1


def test_timestamps_that_nobody_can_read_are_no_bad_cells(tmp_path):
    """Without a zone no time of the file can be read; to leave all out would lose every label."""
    naive = GOOD.with_columns(pl.col("timestamp").str.slice(0, 19))
    with pytest.raises(InputError, match="have no UTC offset|has no UTC offset"):
        locate(read(naive, tmp_path, drop_bad=True), drop_bad=True)


def test_file_that_is_no_event_csv(tmp_path):
    with pytest.raises(InputError, match="'event' is missing, did you mean 'events'"):
        read(GOOD.rename({"event": "events"}), tmp_path)
    for write, message in (
        (lambda p: p.mkdir(), "it is a folder"),
        (lambda p: p.touch(), r"empty \(0 bytes\)"),
        (lambda p: p.write_text("a,b\n1,2,3,4\n"), "the file cannot be read"),
        (lambda p: None, "does not exist"),
    ):
        path = tmp_path / message[:5] / "events.csv"
        path.parent.mkdir()
        write(path)
        with pytest.raises(InputError, match=message) as caught:
            events.read_events(path)
        assert "\n" not in str(caught.value)


def test_steps_that_agree_are_unchanged():
    assert locate(GOOD).equals(GOOD)
    assert locate(GOOD.with_columns(timestamp=pl.lit(None, pl.String)))["step"].equals(GOOD["step"])


def test_events_of_unknown_series():
    frame = pl.concat([GOOD] + [nights(f"x{i:02d}", [(1, 2)]) for i in range(12)])
    with pytest.raises(
        InputError, match="12 series have events but no recording: x00, .*x09, ...;"
    ):
        locate(frame)
    counts = Counter()
    assert locate(frame, drop_bad=True, counts=counts).equals(GOOD)
    assert counts["n_unknown_series"] == 12
    assert locate(frame, left_out=[f"x{i:02d}" for i in range(12)]).equals(GOOD)
    assert locate(nights("x1", [(1, 2)]), drop_bad=True).is_empty()


@pytest.mark.parametrize("span", [(120, 2400), (-1, 600), (9999, 99999)])
def test_event_outside_the_recording(span):
    frame = nights("a1", [span, (1200, 1800)])
    with pytest.raises(InputError, match="night 1 .* lies outside the recording.*steps 0 to 2399"):
        locate(frame)
    counts = Counter()
    found = locate(frame, drop_bad=True, counts=counts)
    assert found["step"].to_list() == [None, None, 1200, 1800]
    assert counts["n_dropped"] == 1


def test_event_off_the_grid():
    frame = nights("a1", [(120, 600)], start=START + timedelta(seconds=2))
    with pytest.raises(InputError, match=r"onset \(step 120, .*\) lies between two steps"):
        locate(frame)


def test_a_recording_that_began_off_the_5_s_clock_takes_the_nearest_step():
    """The device began at 15:30:02; annotators name whole minutes."""
    known = metas(rows(2400, start=START + timedelta(seconds=2)))
    assert locate(GOOD, known)["step"].equals(GOOD["step"])
    later = nights("a1", [(120, 600)], start=START + timedelta(seconds=1))
    with pytest.raises(InputError, match="lies between two steps"):
        locate(later, known)


def test_step_and_timestamp_that_disagree():
    frame = GOOD.with_columns(pl.col("step") + 12)
    with pytest.raises(InputError, match="step and a timestamp that name different moments"):
        locate(frame)


def test_unreadable_timestamp_of_an_event():
    frame = GOOD.with_columns(timestamp=pl.when(pl.col("step") > 0).then(pl.lit("soon")))
    with pytest.raises(InputError, match="train_events.csv: series 'a1', line 2: timestamp 'soon'"):
        locate(frame)
    frame = pl.concat([nights("b2", [(120, 600)]), GOOD[:5], frame[5:]])
    with pytest.raises(InputError, match="series 'a1', line 9: timestamp 'soon'"):
        locate(frame, metas(rows(2400), rows(2400, "b2")))


def test_a_gap_with_steps_renumbered_is_located_by_time():
    whole = rows(2400)
    cut = pl.concat([whole[:700], whole[1000:]])
    known = metas(cut.with_columns(step=pl.int_range(2100, dtype=pl.UInt32)))
    frame = GOOD.with_columns(
        pl.when(pl.col("step") > 1000).then(pl.col("step") - 300).otherwise("step")
    )
    assert locate(frame, known)["step"].to_list() == [120, 600, None, None, 1200, 1800]
    with pytest.raises(InputError, match="no timestamp, and the steps of its recording disagree"):
        locate(frame.with_columns(timestamp=pl.lit(None, pl.String)), known)


def test_first_step_and_finer_sampling():
    known = metas(rows(2400).with_columns(pl.col("step") + 500))
    frame = GOOD.with_columns(pl.col("step") + 500)
    assert locate(frame, known).equals(frame)
    known = metas(rows(7000, seconds=1))
    fine = nights("a1", [(120, 600)]).with_columns(pl.col("step") * 5)
    assert locate(fine, known)["step"].to_list() == [120, 600]


def test_naive_events_in_both_passes_of_a_repeated_hour():
    """01:20 is there twice on that night; the step says which one is meant."""
    start = datetime(2018, 11, 4, 5, 0, tzinfo=UTC)
    wanted = nights("a1", [(240, 960), (970, 1000)], start=start)
    naive = pl.col("timestamp").str.slice(0, 19)
    local = [s if s < 720 else s - 720 for s in wanted["step"]]  # one hour less on the wall clock
    texts = nights("a1", [tuple(local[:2]), tuple(local[2:])], start=start)["timestamp"]
    frame = wanted.with_columns(timestamp=texts).with_columns(naive)
    found = locate(frame, metas(rows(1440, start=start)), tz="America/New_York")
    assert found["step"].to_list() == [240, 960, 970, 1000]


def test_events_in_utc_and_events_that_contradict_the_zone():
    utc = GOOD.with_columns(timestamp=nights("a1", [(120, 600), (None, None), (1200, 1800)],
                                             offset=0)["timestamp"])  # fmt: skip
    assert utc["timestamp"][0] == "2018-08-14T15:40:00+0000"
    assert locate(utc, tz="America/New_York")["step"].equals(GOOD["step"])
    assert locate(utc)["step"].equals(GOOD["step"])
    with pytest.raises(InputError, match="line 2: .*at UTC-04:00, but tz='Europe/London'"):
        locate(GOOD, tz="Europe/London")


def test_naive_event_timestamps_use_the_zone():
    frame = GOOD.with_columns(pl.col("timestamp").str.slice(0, 19))
    assert locate(frame, tz="America/New_York")["step"].equals(GOOD["step"])
    with pytest.raises(InputError, match="no UTC offset"):
        locate(frame)


@given(st.data())
def test_locating_by_time_equals_arithmetic(data):
    """Whatever the offset an event's timestamp is written in, its row is elapsed time / 5 s."""
    n = data.draw(st.integers(3, 5000))
    start = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(
        seconds=5 * data.draw(st.integers(0, 10**7))
    )
    first = data.draw(st.integers(0, 10**5))
    onset = data.draw(st.integers(0, n - 2))
    wakeup = data.draw(st.integers(onset + 1, n - 1))
    offset = data.draw(st.integers(-40, 40)) * 900
    meta = metas(rows(1, start=start))["a1"]
    meta = type(meta)(**(vars(meta) | {"n_steps": n, "first_step": first}))
    frame = nights("a1", [(onset, wakeup)], start=start, offset=offset)
    for given_frame in (frame, frame.with_columns(timestamp=pl.lit(None, pl.String))):
        numbered = given_frame.with_columns(pl.col("step") + first)
        assert locate(numbered, {"a1": meta})["step"].to_list() == [onset + first, wakeup + first]
