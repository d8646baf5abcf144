"""Commands that work on rows take device files: predict, plot and baseline."""

import polars as pl
import pytest

from sleepjax.commands import baseline, plot, predict
from sleepjax.data import raw
from sleepjax.devices import recordings
from sleepjax.devices.series import count_rows, iter_recordings, iter_rows
from sleepjax.types import InputError
from tests.devices.test_damage import WRITERS
from tests.reference.series import rows, with_value


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    return WRITERS["a2.gt3x"](tmp_path_factory.mktemp("watch") / "p01.gt3x")


def test_rows_of_a_device_file(watch):
    (rows,) = iter_rows(watch)
    (one,) = recordings(watch)
    assert rows.series_id == "p01" and rows.frame.equals(one.frame) and count_rows(watch) == 0
    (recording,) = iter_recordings(watch, tz="Europe/London")
    assert recording.meta.n_steps == 6 and recording.meta.offsets == ((0, 3600),)


def test_series_files_are_read_as_ever(cohort):
    path = cohort / "test_series.parquet"
    ours, theirs = list(iter_rows(path)), list(raw.iter_rows(path))
    assert [rows.series_id for rows in ours] == [rows.series_id for rows in theirs]
    assert all(a.frame.equals(b.frame) for a, b in zip(ours, theirs, strict=True))
    assert count_rows(path) == sum(rows.frame.height for rows in ours)


def test_numbers_of_a_csv_series_are_numbers(tmp_path):
    """Text only where a cell is no number, which validation says."""
    path = tmp_path / "two.csv"
    good, bad = rows(20, "a"), with_value(rows(20, "b").cast({"enmo": pl.String}), "enmo", 3, "x")
    pl.concat([good.cast({"enmo": pl.String}), bad]).write_csv(path)
    one, other = recordings(path)
    assert one.frame.equals(good.cast({"step": pl.Int64})) and one.frame["step"].dtype == pl.Int64
    with pytest.raises(InputError, match="row 3 .series 'b'.: enmo is 'x'; it must be a number"):
        raw.recordings_from_frame(other.frame, source="two.csv")


def test_a_series_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "a.csv"
    pl.DataFrame(
        {"timestamp": ["2024-01-01T00:00:00+0000"] * 9, "anglez": 100.0, "enmo": 0.0}
    ).write_csv(path)
    refused: list[str] = []
    assert not list(iter_recordings(path, refused=refused)) and "anglez are outside" in refused[0]
    with pytest.raises(InputError, match="anglez are outside"):
        list(iter_recordings(path))


@pytest.mark.parametrize(
    "main, words",
    [
        (predict.main, ["--no_figures", "--out"]),
        (baseline.main, ["--name", "hdcza", "--out"]),
        (plot.main, ["--out"]),
    ],
)
def test_commands(main, words, watch, tmp_path, capfd):
    out = tmp_path / ("found" if main is plot.main else "found.csv")
    assert main(["--series", str(watch), *words, str(out)]) == 0
    assert out.exists()
