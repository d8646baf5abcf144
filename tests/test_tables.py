"""Reading tables: any file name, any form that programs write, damage that is named."""

import base64
import os
import re
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sleepjax import tables
from sleepjax.data import events, raw
from sleepjax.stdio import PanicError, quietly
from sleepjax.types import InputError
from tests.reference.series import rows, with_value

ODD_NAMES = ["rec[1]", "a*b", "wh?t", "{x}", os.fsdecode(b"caf\xe9"), "naïve", "two words"]


def ids(path) -> list[str]:
    return [recording.meta.series_id for recording in raw.iter_recordings(path)]


@pytest.mark.parametrize("suffix", [".parquet", ".pq", ".csv", ".CSV"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_a_name_and_no_pattern(tmp_path, name, suffix):
    folder = tmp_path / "runs [2]"
    folder.mkdir()
    for other in ("rec1", "axb", "what", "x"):
        rows(20, "other").write_parquet(folder / f"{other}.parquet")
        rows(20, "other").write_csv(folder / f"{other}.csv")
    path = folder / f"{name}{suffix}"
    with path.open("wb") as file:
        (rows(20).write_csv if suffix.lower() == ".csv" else rows(20).write_parquet)(file)
    assert ids(path) == ["a1"]
    assert raw.count_rows([path]) == 20
    assert set(tables.read_table(path)["series_id"]) == {"a1"}


def test_files_of_a_folder_with_brackets_are_found(tmp_path):
    folder = tmp_path / "data[1-3]"
    folder.mkdir()
    rows(20).write_csv(folder / "train_series[1].csv")
    events_text = "series_id,night,event,step,timestamp\n"
    (folder / "train_events.csv").write_text(events_text)
    found = raw.find_files(folder, "train")
    assert [path.name for path in found.series] == ["train_series[1].csv"]
    assert ids(found.series) == ["a1"]
    assert events.read_events(folder / "train_events.csv").height == 0


def with_zone(path: Path, zone: bytes) -> Path:
    """Rename the zone ``Turkey`` in a parquet file's Arrow schema: polars cannot write others."""
    content = path.read_bytes()
    (schema,) = re.findall(rb"ARROW:schema.{1,6}?([A-Za-z0-9+/]{100,}={0,2})", content, re.DOTALL)
    changed = base64.b64encode(base64.b64decode(schema).replace(b"Turkey", zone))
    path.write_bytes(content.replace(schema, changed))
    return path


@pytest.mark.parametrize("zone, offset", [("+05:30", 19_800), ("-03:30", -12_600)])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_fixed_offset_as_pandas_writes_it(tmp_path, zone, offset, unit):
    frame = rows(40)
    stamps = frame["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit=unit)
    path = tmp_path / "x.parquet"
    frame.with_columns(stamps.dt.convert_time_zone("Turkey")).write_parquet(path)
    (found,) = raw.iter_recordings(with_zone(path, zone.encode()))
    (same,) = raw.recordings_from_frame(frame)
    assert found.meta.start == same.meta.start
    assert found.meta.offsets == ((0, offset),)


def test_a_thread_that_panics_a_little_later_is_not_heard(capfd):
    class PanicException(BaseException):
        pass

    def call():
        threading.Timer(0.05, os.write, (2, b"thread 'b' panicked at decode.rs:1\n")).start()
        raise PanicException("left == right")

    with pytest.raises(PanicError, match="left == right"):
        quietly(call)
    assert capfd.readouterr().err == ""


def test_the_odd_files_of_real_programs(odd, capfd):
    (recording,) = raw.iter_recordings(odd / "tiny_0530.parquet")
    assert recording.meta.offsets == ((0, 19_800),)
    # 1384409700 s: what the file holds in its first row.
    assert recording.meta.start == 1_384_409_700
    with pytest.raises(InputError, match=r"PanicException_236.parquet: .*contradict its header\)$"):
        ids(odd / "PanicException_236.parquet")
    with pytest.raises(InputError, match=r"abort_61.parquet: .*contradict its header"):
        ids(odd / "abort_61.parquet")
    with pytest.raises(InputError, match="abort_61.parquet: the file cannot be read"):
        tables.read_table(odd / "abort_61.parquet")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("batch", [300, 1000])
def test_large_files_are_streamed_and_small_ones_sliced_to_the_same_rows(
    tmp_path, monkeypatch, batch
):
    monkeypatch.setattr(tables, "_BATCH_ROWS", batch)
    path = tmp_path / "x.parquet"
    frame = rows(3000)
    frame.write_parquet(path, row_group_size=700)
    found = list(tables.iter_table(path, frame.columns, lambda schema, name: None))
    assert pl.concat(found).equals(frame)
    assert max(part.height for part in found) <= batch


def test_a_large_file_that_ends_early_is_refused(odd, monkeypatch):
    monkeypatch.setattr(tables, "_BATCH_ROWS", 500)
    with pytest.raises(InputError, match=r"abort_61.parquet: the file cannot be read"):
        ids(odd / "abort_61.parquet")


def test_damaged_bytes_anywhere_are_one_line_or_the_rows(tmp_path, capfd):
    path = tmp_path / "x.parquet"
    rows(3000).write_parquet(path, row_group_size=1000)
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    for _ in range(60):
        damaged = content.copy()
        for at in rng.integers(4, len(content) - 4, 4):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert sum(part.frame.height for part in raw.iter_rows(path)) == 3000
        except InputError as error:
            assert len(str(error).splitlines()) == 1 and len(str(error)) < 1000
    assert "panicked" not in capfd.readouterr().err


@pytest.mark.parametrize("ending", ["\n\n", ",,,,\n,,,,\n", "\r\n\r\n"])
def test_blank_lines_at_the_end_hold_nothing(tmp_path, ending):
    path = tmp_path / "x.csv"
    path.write_text(rows(20).write_csv() + ending, newline="")
    (recording,) = raw.iter_recordings(path)
    assert recording.meta.n_steps == 20
    labels = "series_id,night,event,step,timestamp\na1,1,onset,3,\na1,1,wakeup,9,\n"
    path.write_text(labels + ending, newline="")
    assert events.read_events(path)["step"].to_list() == [3, 9]
    assert tables.read_table(path).height == 2


def test_a_row_with_more_cells_than_names_is_said_to_be_one(tmp_path):
    path = tmp_path / "diary.csv"
    path.write_text("person,date,notes\np,2018-08-14,late, and tired\n")
    with pytest.raises(InputError, match=r"diary.csv: a row has more cells .* in quotes\.$"):
        tables.read_table(path, text=True)
    path.write_text('person,date,notes\n\np,2018-08-14,"late, and tired"\n')
    assert tables.read_table(path, text=True, line="n").rows() == [
        (3, "p", "2018-08-14", "late, and tired")
    ]


def test_old_line_ends_other_encodings_and_long_headers_are_named_in_short(tmp_path):
    path = tmp_path / "x.csv"
    of_columns = (ids, events.read_events)
    readers = (*of_columns, tables.read_table)
    text = rows(5000, "café").write_csv()
    both = (rows(5000).write_csv() + text).encode("cp1252")
    for content, message, refusing in (
        (text.replace("\n", "\r").encode(), "lines end in a carriage return alone", readers),
        (text.encode("latin-1"), "it is not UTF-8 text .is it Latin-1", readers),
        (both, "it is not UTF-8 text .is it Latin-1", readers),
        (("x" * 10**6 + ",b\n1,2\n").encode(), "'series_id' is missing", of_columns),
        ((",".join(f"c{i}" for i in range(300)) + "\n1\n").encode(), "and 280 more", of_columns),
    ):
        path.write_bytes(content)
        for read in refusing:
            with pytest.raises(InputError, match=message) as caught:
                read(path)
            assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "N/A", "007", "1e5"])
def test_an_id_is_a_name_whatever_it_looks_like(tmp_path, name):
    path = tmp_path / "x.csv"
    rows(20, name).write_csv(path)
    assert ids(path) == [name]
    path.write_text(
        f"series_id,night,event,step,timestamp\n{name},1,onset,3,\n{name},1,wakeup,9,\n"
    )
    assert set(events.read_events(path)["series_id"]) == {name}
    assert set(tables.read_table(path)["series_id"]) == {name}


def test_whole_numbers_in_any_dress(tmp_path):
    path = tmp_path / "x.csv"
    frame = rows(20)
    for step in ([f"{i}.0" for i in range(20)], [f" {i}" for i in range(20)]):
        frame.with_columns(step=pl.Series(step), enmo=pl.Series(["NA", " 0.1 "] * 10)).write_csv(
            path
        )
        (recording,) = raw.iter_recordings(path)
        assert recording.meta.first_step == 0 and recording.meta.qc["n_step_mismatch"] == 0
        assert recording.frame["valid"].to_list() == [False, True] * 10
    floats = frame.with_columns(pl.col("step").cast(pl.Float64))
    assert raw.recordings_from_frame(floats)[0].meta.n_steps == 20
    with pytest.raises(InputError, match="row 3 .*: step is 0.5; it must be a whole number"):
        raw.recordings_from_frame(with_value(floats, "step", 3, 0.5))


def test_seconds_since_1970_get_a_remedy_that_works():
    frame = rows(20)
    stamps = frame["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%S%z")
    numbers = frame.with_columns(timestamp=stamps.dt.epoch("s"))
    with pytest.raises(InputError, match="is Int64; .*for seconds since 1970") as caught:
        raw.recordings_from_frame(numbers)
    (remedy,) = re.findall(r"for example (pl\..*) for seconds", str(caught.value))
    (found,) = raw.recordings_from_frame(numbers.with_columns(eval(remedy)))
    assert found.meta == raw.recordings_from_frame(frame)[0].meta


def test_a_folder_of_hive_partitions_gets_a_remedy_that_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b", "a"):
        part = tmp_path / "cohort" / f"series_id={name}"
        part.mkdir(parents=True)
        rows(20, name).drop("series_id").write_parquet(part / "0.parquet")
    with pytest.raises(InputError, match="cohort: it is a folder; its partitions") as caught:
        ids("cohort")
    eval(re.findall(r"(pl\..*)\.$", str(caught.value))[0])
    assert ids("series.parquet") == ["a", "b"]


def test_a_table_that_exports_an_arrow_stream(tmp_path):
    class Table:
        """What pyarrow's table is to polars."""

        columns, column_names = [], []

        def __arrow_c_stream__(self, requested_schema=None):
            return rows(20).__arrow_c_stream__(requested_schema)

    (recording,) = raw.recordings_from_frame(Table())  # type: ignore
    assert recording.meta == raw.recordings_from_frame(rows(20))[0].meta
