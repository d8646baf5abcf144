"""Files of another kind: one line says what the file is and what to do about it."""

import gzip
import os
import resource
import tempfile

import polars as pl
import pytest

from sleepjax.data import events, raw
from sleepjax.devices.series import count_rows
from sleepjax.io import check_output, replacing, write_table
from sleepjax.tables import check_table, read_table
from sleepjax.types import InputError
from tests.reference.series import rows

TEXT = rows(20).write_csv()
KINDS = [
    ("a.csv", "utf-16", r"a.csv: it is not UTF-8 text \(is it UTF-16.*save it as 'CSV UTF-8'"),
    (
        "a.csv",
        ";",
        "a.csv: columns are separated by ';'; write it with ',' between columns and '.'",
    ),
    ("a.csv", "\t", r"a.csv: columns are separated by '\\t'; write it with ','"),
    ("a.csv", "sep", "a.csv: its first line 'sep=,' is a note for Excel; delete it"),
    ("a.csv", "parquet", "a.csv: it is not a csv file: it is a parquet file; let its name end in"),
    ("a.csv", "gzip", "a.csv: it is not a csv file: it is compressed"),
    ("a.xlsx", "", "a.xlsx: the name must end in .*Excel workbook: save the sheet as 'CSV UTF-8"),
    ("a.csv.gz", "gzip", "a.csv.gz: the name must end in .*; unpack it first"),
    ("a.cwa", "", "a.cwa: the name must end in .*; it is a device's own file"),
]


def write(path, kind: str) -> None:
    """The same table as another program would save it."""
    if kind == "parquet":
        rows(20).write_parquet(path)
    elif kind == "sep":
        path.write_text(f"sep=,\n{TEXT}", encoding="utf-8-sig")
    elif kind == "gzip":
        path.write_bytes(gzip.compress(TEXT.encode()))
    elif kind == "utf-16":
        path.write_text(TEXT, encoding="utf-16")
    else:
        path.write_text(TEXT.replace(",", kind or ","))


@pytest.mark.parametrize("name, kind, message", KINDS)
def test_every_reader_names_the_kind_and_the_remedy(tmp_path, name, kind, message):
    write(tmp_path / name, kind)
    for read in (events.read_events, read_table, lambda path: next(raw.iter_rows(path))):
        with pytest.raises(InputError, match=message) as caught:
            read(tmp_path / name)
        assert str(caught.value).isprintable()


def test_a_folder_in_place_of_a_file_names_a_file_inside(tmp_path):
    with pytest.raises(InputError, match="it is a folder; give a file inside it\\.$"):
        check_table(tmp_path)
    rows(20).write_parquet(tmp_path / "test_series.parquet")
    with pytest.raises(
        InputError, match="it is a folder; give a file inside it: test_series.parquet"
    ):
        check_table(tmp_path)


def test_a_file_in_place_of_the_data_folder(tmp_path):
    (tmp_path / "x.csv").write_text(TEXT)
    with pytest.raises(InputError, match="x.csv' is a file; give the folder that holds train_ser"):
        raw.find_files(tmp_path / "x.csv", "train")


def test_one_column_tables_and_capital_suffixes_are_left_to_the_reader(tmp_path):
    (tmp_path / "A.CSV").write_text(TEXT)
    assert next(raw.iter_rows(tmp_path / "A.CSV"))[1].height == 20
    (tmp_path / "b.csv").write_text("step\n1\n")
    with pytest.raises(InputError, match="'series_id' is missing"):
        next(raw.iter_rows(tmp_path / "b.csv"))


def test_a_result_that_cannot_be_written_is_known_before_the_work(tmp_path, monkeypatch):
    def refused(name, match):
        with pytest.raises(InputError, match=match):
            check_output("--out", tmp_path / name, suffix=".csv", overwrite=False)

    (tmp_path / "old.csv").write_text("")
    refused("a.txt", r"--out '.*a.txt' must end in \.csv\.")
    refused("no/a.csv", r"folder '.*no' of --out does not exist; create it\.")
    refused("old.csv", r"old.csv exists; give another --out, or --overwrite\.")
    check_output("--out", tmp_path / "old.csv", suffix=".csv", overwrite=True)
    check_output("--out", tmp_path / "new.csv", suffix=".csv", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]

    def full(**settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    refused("new.csv", r"of --out cannot be written to \(No space left on device\)")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    path = tmp_path / "a.csv"
    os.mkfifo(path)
    for read in (read_table, count_rows):
        with pytest.raises(InputError, match="a.csv: it is no regular file but a pipe"):
            read(path)


def test_a_table_by_the_name_of_a_device_is_told_its_name(tmp_path):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    path = (tmp_path / "a.parquet").rename(tmp_path / "a.gt3x")
    with pytest.raises(InputError, match="not a device's file; .* name end in .csv or .parquet"):
        count_rows(path)


@pytest.fixture
def full_disk():
    """No file can grow beyond 1 kB: a write fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_full_disk_is_an_error_of_the_file_and_leaves_nothing(tmp_path, suffix, full_disk):
    """However polars calls it: cli.answer makes one line of an OSError, not a bug."""
    table = pl.DataFrame({"a": range(20_000)})
    path = tmp_path / f"a.{suffix}"
    with pytest.raises(OSError, match=rf"\[Errno 27\] File too large: '{path}'"):
        write_table(path, table)
    sink = table.lazy().sink_csv if suffix == "csv" else table.lazy().sink_parquet
    with pytest.raises(OSError, match=rf"\[Errno 27\] File too large: '{path}'"):
        with replacing(path) as partial:
            sink(partial)
    assert not list(tmp_path.iterdir())
