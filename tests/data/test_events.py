"""Event files: every fault with its own message, and the place of each event on the grid."""

from collections import Counter

import polars as pl
import pytest

from sleepjax.data import events
from sleepjax.types import InputError
from tests.reference.series import nights
from tests.support.events import GOOD, locate


def read(frame, tmp_path, **kwargs):
    path = tmp_path / "train_events.csv"
    frame.write_csv(path)
    return events.read_events(path, **kwargs)


def test_null_step_is_an_unlabelled_night(tmp_path):
    counts = Counter()
    found = read(GOOD, tmp_path, counts=counts)
    assert found.drop("line").equals(GOOD)
    assert found.drop("line").schema == events.COLUMNS
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


@pytest.mark.parametrize(
    "bad, message",
    [
        ("a1,1,wakeup,soon,", "line 6: step is 'soon'"),
        ("a1,1,Wakeup,600,2018-08-14T12:20:00-0400", "line 6: event is 'Wakeup'"),
        ("a1,1,wakeup,99999,2018-08-14T12:20:00-0400", "line 6: .* night 1 wakeup"),
    ],
)
def test_blank_lines_count(tmp_path, bad, message):
    path = tmp_path / "train_events.csv"
    first = "a1,1,onset,120,2018-08-14T11:40:00-0400"
    path.write_text("\n".join(["series_id,night,event,step,timestamp", "", "", "", first, bad]))
    with pytest.raises(InputError, match=message):
        locate(events.read_events(path))


def test_file_that_is_no_event_csv(tmp_path):
    with pytest.raises(InputError, match="'event' is missing, did you mean 'events'"):
        read(GOOD.rename({"event": "events"}), tmp_path)
    for write, message in (
        (lambda p: p.mkdir(), "it is a folder"),
        (lambda p: p.touch(), r"empty \(0 bytes\)"),
        (lambda p: p.write_text("a,b\n1,2,3,4\n"), "a row has more cells than"),
        (lambda p: None, "does not exist"),
    ):
        path = tmp_path / message[:5] / "events.csv"
        path.parent.mkdir()
        write(path)
        with pytest.raises(InputError, match=message) as caught:
            events.read_events(path)
        assert "\n" not in str(caught.value)
