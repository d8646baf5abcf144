"""The clock of a series: DST, zones that differ, offsets inside gaps."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from sleepjax.data import features, raw
from sleepjax.types import InputError
from tests.reference.series import EASTERN, rows, stamp


def read_series(frame, **kwargs):
    (recording,) = raw.recordings_from_frame(frame, **kwargs)
    return recording


def across_dst(n=1440):
    """One hour before to one hour after 2018-11-04 06:00 UTC, when -0400 became -0500."""
    start = datetime(2018, 11, 4, 5, 0, tzinfo=UTC)
    turn = datetime(2018, 11, 4, 6, 0, tzinfo=UTC).timestamp()
    utc = [int(start.timestamp()) + 5 * i for i in range(n)]
    text = [stamp(1000 * s, EASTERN if s < turn else EASTERN - 3600) for s in utc]
    return rows(n, start=start, timestamp=text)


def test_dst_inside_a_series():
    recording = read_series(across_dst())
    assert recording.meta.n_steps == 1440
    assert recording.meta.offsets == ((0, EASTERN), (720, EASTERN - 3600))
    assert recording.meta.qc["n_clock_changes"] == 1
    assert recording.meta.qc["n_gap_steps"] == recording.meta.qc["n_unsorted"] == 0
    clock = recording.frame["clock"]
    assert (clock[719], clock[720]) == (
        datetime(2018, 11, 4, 1, 59, 55),
        datetime(2018, 11, 4, 1, 0),
    )


def test_naive_timestamps_with_tz_equal_offsets():
    frame = across_dst()
    naive = frame.with_columns(pl.col("timestamp").str.slice(0, 19))
    with pytest.raises(InputError, match="series 'a1', row 0: .*no UTC offset"):
        read_series(naive)
    recording = read_series(naive, tz="America/New_York")
    assert recording.meta == read_series(frame).meta
    assert recording.frame.equals(read_series(frame).frame)


def test_mixed_offsets_between_series():
    there = rows(10, "b2", offset=9 * 3600)
    first, second = raw.recordings_from_frame(pl.concat([rows(10), there]))
    assert first.meta.start == second.meta.start
    assert second.meta.offsets == ((0, 9 * 3600),)
    assert (second.frame["clock"][0] - first.frame["clock"][0]).total_seconds() == 13 * 3600


def test_offset_inside_a_gap_and_jitter_follows_the_row_before():
    """A row without a sample keeps the clock; a surplus row does not shift the change of clock."""
    frame = across_dst()
    late = stamp(int(datetime(2018, 11, 4, 5, 0, 6, tzinfo=UTC).timestamp() * 1000), EASTERN)
    crowded = pl.concat([frame[:2], frame[1:2].with_columns(timestamp=pl.lit(late)), frame[2:700]])
    recording = read_series(pl.concat([crowded, frame[701:]]))
    assert recording.meta.qc["n_surplus"] == recording.meta.qc["n_gap_steps"] == 1
    assert recording.meta.offsets == ((0, EASTERN), (720, EASTERN - 3600))
    recording = read_series(pl.concat([frame[:715], frame[725:]]))
    assert recording.meta.offsets == ((0, EASTERN), (725, EASTERN - 3600))


def test_an_offset_that_changes_all_the_time_is_an_error():
    frame, there = rows(200), rows(200, offset=0)
    mixed = pl.concat([frame[i : i + 1] if i % 2 else there[i : i + 1] for i in range(200)])
    with pytest.raises(InputError, match="UTC offset changes 199 times"):
        read_series(mixed)


def test_start_at_midnight():
    start = datetime(2018, 8, 14, 4, 0, tzinfo=UTC)
    recording = read_series(rows(20, start=start))
    assert recording.frame["clock"][0] == datetime(2018, 8, 14)
    x = features.compute(recording, ("hour_sin", "hour_cos"))
    np.testing.assert_allclose(x[0], [0, 1], atol=1e-7)


@pytest.mark.parametrize("tz", ["localtime", "posix/America/New_York", "Factory", "", "America"])
def test_zones_that_only_some_know(tz):
    with pytest.raises(InputError, match=f"time zone '{tz}' is unknown; name one like"):
        raw.recordings_from_frame(rows(20), tz=tz)
