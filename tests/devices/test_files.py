"""Every real device file ends in recordings or in one line that says what is wrong with it."""

import json

import numpy as np
import polars as pl
import pytest

from sleepjax.data.raw import recordings_from_frame
from sleepjax.devices import Converted, recordings
from sleepjax.types import InputError
from tests.support.devices import DEVICE_FILES, device_file

EPOCHS = {
    "667Hz.bin": 13,
    "Multi_page_reset_config_time.bin": 54,
    "Not_a_GENEActiv_bin_file.bin": 12,
    "Not_contiguous.bin": 7254,
    "One_page_bin_file.bin": 1,
    "ax3_sample.cwa": 59,
    "ax6_sample.cwa": 21,
    "example_actigraph.gt3x": 16,
    "example_actigraph_idle_sleep_mode.gt3x": 31,
    "example_geneactiv.bin": 91,
    "small.gt3x": 9785,
}
REFUSED = {
    "Incomplete_bin_file.bin": r"damaged.*incomplete record.*lenient=True",
    "Short_header.bin": r"damaged.*expected 59 lines, got 57",
    "Zero_data_pages.bin": r"it holds a header and no samples",
}


def check(one: Converted) -> None:
    """What holds for every recording."""
    assert one.frame.columns == ["series_id", "step", "timestamp", "anglez", "enmo"]
    assert json.loads(json.dumps(one.quality)) == one.quality
    (recording,) = recordings_from_frame(one.frame)
    assert one.nonwear is not None
    assert recording.meta.n_steps == len(one.nonwear) == one.frame["step"][-1] + 1
    measured = one.frame.drop_nulls()
    assert measured["anglez"].is_between(-90, 90).all() and (measured["enmo"] >= 0).all()
    assert {"format", "tz", "tz_source", "calibration", "partial", "notes"} <= set(one.quality)


@pytest.mark.parametrize("name", DEVICE_FILES)
def test_every_file_ends_in_recordings_or_in_one_line(name, capfd):
    path = device_file(name)
    try:
        found = list(recordings(path, tz="Europe/London"))
    except InputError as error:
        assert "\n" not in str(error) and path.name in str(error)
    else:
        assert found
        for one in found:
            check(one)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", EPOCHS)
def test_number_of_epochs(name):
    (one,) = recordings(device_file(name), tz="Europe/London")
    assert one.quality["epochs"] == EPOCHS[name] == one.frame["step"][-1] + 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_file_is_refused_with_a_reason(name):
    with pytest.raises(InputError, match=REFUSED[name]):
        list(recordings(device_file(name)))


def test_what_is_undamaged_of_a_file_can_be_read():
    (one,) = recordings(device_file("Incomplete_bin_file.bin"), lenient=True)
    assert one.quality["partial"] and one.frame.height == 54
    assert "left out: Unexpected end of file" in one.quality["notes"][0]


def test_idle_sleep_is_no_stillness():
    (one,) = recordings(device_file("example_actigraph_idle_sleep_mode.gt3x"))
    assert one.quality["idle_sleep_mode"] and one.quality["gaps"] == 1
    assert one.quality["gap_seconds"] == pytest.approx(24, abs=0.1)
    assert one.frame["anglez"].null_count() == one.frame["enmo"].null_count() == 5


def test_a_file_that_was_compressed_or_renamed_is_the_same(tmp_path):
    import gzip

    for name in ("example_actigraph.gt3x", "example_geneactiv.bin", "ax6_sample.cwa"):
        path = device_file(name)
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        renamed = tmp_path / f"{path.stem}.csv"
        renamed.write_bytes(path.read_bytes())
        (one,), (two,), (three,) = (
            recordings(file, tz="Europe/London") for file in (path, packed, renamed)
        )
        assert one.frame.equals(two.frame) and one.frame.equals(three.frame)
        assert one.quality == two.quality == three.quality


def test_gaps_are_no_rows_when_they_are_long():
    (one,) = recordings(device_file("Not_contiguous.bin"))
    assert one.quality["longest_gap_seconds"] == pytest.approx(36_000.1)
    assert one.frame.height == 55 and np.diff(one.frame["step"]).max() == 7200
    assert pl.Series(one.nonwear).sum() > 7000
