"""Reading series files: one test for every way in which a file can be wrong (docs/data.md)."""

import polars as pl
import pytest

from sleepjax import tables
from sleepjax.data import features, raw
from sleepjax.types import InputError
from tests.reference.series import rows, with_value, write_cohort


def read(frame, **kwargs):
    (recording,) = raw.recordings_from_frame(frame, **kwargs)
    return recording


# --- files ---------------------------------------------------------------------------------------


def test_corrupt_or_truncated_parquet(tmp_path):
    path = tmp_path / "test_series.parquet"
    rows(5000).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="^test_series.parquet: the parquet file is cut short"):
        list(raw.iter_recordings(path))
    path.write_bytes(whole[:100] + bytes(len(whole) - 200) + whole[-100:])
    with pytest.raises(InputError, match="^test_series.parquet: the file cannot be read") as caught:
        list(raw.iter_recordings(path))
    assert "\n" not in str(caught.value)


def test_truncated_csv(tmp_path):
    path = tmp_path / "test_series.csv"
    rows(100).write_csv(path)
    text = path.read_text()
    path.write_text(text[: text.rfind(":")])
    with pytest.raises(InputError, match="row 99: timestamp '2018-08-14T11:38' cannot be read"):
        list(raw.iter_recordings(path))
    path.write_text(text.strip() + ",1,2,3\n")
    with pytest.raises(InputError, match="^test_series.csv: a row has more cells than"):
        list(raw.iter_recordings(path))


def test_wrong_suffix_or_content(tmp_path):
    path = tmp_path / "series.gt3x"
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match="series.gt3x: the name must end in .parquet or .csv"):
        list(raw.iter_recordings(path))
    path = tmp_path / "series.parquet"
    rows(10).write_csv(path)
    with pytest.raises(InputError, match="series.parquet: it is not a parquet file.*b'seri'"):
        list(raw.iter_recordings(path))
    path = tmp_path / "binary.csv"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match="^binary.csv: "):
        list(raw.iter_recordings(path))


def test_empty_file_and_zero_rows(tmp_path):
    for suffix, write in ((".parquet", "write_parquet"), (".csv", "write_csv")):
        path = tmp_path / f"test_series{suffix}"
        path.touch()
        with pytest.raises(InputError, match=r"the file is empty \(0 bytes\)"):
            list(raw.iter_recordings(path))
        getattr(rows(1).clear(), write)(path)
        with pytest.raises(InputError, match="it has no rows"):
            list(raw.iter_recordings(path))
    with pytest.raises(InputError, match="the given frame: it has no rows"):
        raw.recordings_from_frame(rows(1).clear())


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(InputError, match="nowhere.csv: the file does not exist"):
        list(raw.iter_recordings(tmp_path / "nowhere.csv"))
    (tmp_path / "test_series.parquet").mkdir()
    with pytest.raises(InputError, match="test_series.parquet: it is a folder"):
        list(raw.iter_recordings(tmp_path / "test_series.parquet"))


def test_find_files_says_what_is_there(tmp_path):
    with pytest.raises(InputError, match="does not exist; give the folder that holds train_series"):
        raw.find_files(tmp_path / "none", "train")
    with pytest.raises(InputError, match="no test_series.parquet.*It holds: nothing"):
        raw.find_files(tmp_path, "test")
    with pytest.raises(InputError, match="phase 'valid' is unknown"):
        raw.find_files(tmp_path, "valid")
    rows(5).write_parquet(tmp_path / "tset_series.parquet")
    with pytest.raises(InputError, match="did you mean 'tset_series.parquet'"):
        raw.find_files(tmp_path, "test")
    rows(5).write_parquet(tmp_path / "train_series.parquet")
    with pytest.raises(InputError, match="train_events.csv: the events .* are missing.*'test'"):
        raw.find_files(tmp_path, "train")
    (tmp_path / "train_events.csv").touch()
    (tmp_path / "simulation.json").touch()
    found = raw.find_files(tmp_path, "train")
    assert (found.series[0].name, found.simulated) == ("train_series.parquet", True)
    rows(5).write_csv(tmp_path / "train_series.csv")
    with pytest.raises(InputError, match="the same series in two formats"):
        raw.find_files(tmp_path, "train")


# --- columns -------------------------------------------------------------------------------------


def test_missing_column_names_the_nearest(tmp_path):
    frame = rows(10).rename({"anglez": "angle_z"})
    frame.write_parquet(tmp_path / "test_series.parquet")
    with pytest.raises(InputError, match="'anglez' is missing, did you mean 'angle_z'.*it needs"):
        list(raw.iter_recordings(tmp_path / "test_series.parquet"))
    with pytest.raises(InputError, match=r"'enmo' is missing. It has: series_id, step"):
        raw.recordings_from_frame(rows(10).drop("enmo"))


@pytest.mark.parametrize(
    ("name", "dtype", "found"),
    [
        ("anglez", pl.Boolean, "Boolean"),
        ("enmo", pl.Date, "Date"),
        ("step", pl.Date, "Date"),
        ("timestamp", pl.Int64, "Int64"),
        ("series_id", pl.Float32, "Float32"),
    ],
)
def test_wrong_type_of_column(name, dtype, found):
    frame = rows(10).with_columns(pl.lit(None).cast(dtype).alias(name))
    with pytest.raises(InputError, match=f"column '{name}' is {found}; it must be .*, for ex"):
        raw.recordings_from_frame(frame)


def test_text_in_a_number_column_names_the_row(tmp_path):
    path = tmp_path / "test_series.csv"
    frame = rows(20).with_columns(pl.col("anglez").cast(pl.String))
    with_value(frame, "anglez", 7, "12,5").write_csv(path)
    with pytest.raises(InputError, match=r"row 7 \(series 'a1'\): anglez is '12,5'; .* a number"):
        list(raw.iter_recordings(path))
    with pytest.raises(InputError, match=r"row 3 \(series 'a1'\): step is empty"):
        raw.recordings_from_frame(with_value(rows(10), "step", 3, None))
    with pytest.raises(InputError, match="row 3: series_id is empty"):
        raw.recordings_from_frame(with_value(rows(10), "series_id", 3, None))


def test_harmless_other_types_are_accepted():
    frame = rows(50)
    want = read(frame)
    other = frame.with_columns(
        pl.col("series_id").cast(pl.Categorical),
        pl.col("step").cast(pl.Int16),
        pl.col("anglez", "enmo").cast(pl.Float64),
        extra=pl.lit(1),
    )
    got = read(other)
    assert got.meta == want.meta
    assert got.frame.equals(want.frame)
    whole = frame.with_columns(pl.lit(7).alias("series_id"), pl.col("anglez").round().cast(int))
    assert read(whole).meta.series_id == "7"


# --- lengths and files of several series ---------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7])
def test_tiny_series(n):
    recording = read(rows(n))
    assert recording.meta.n_steps == n
    assert recording.frame["valid"].all()
    x = features.compute(recording, features.DEFAULT_FEATURES)
    assert x.shape == (n, len(features.FEATURES))


def test_interleaved_series(tmp_path):
    frame = pl.concat([rows(4), rows(4, "b2", seed=1), rows(8)[4:]])
    in_memory = raw.recordings_from_frame(frame)
    assert [r.meta.n_steps for r in in_memory] == [8, 4]
    frame.write_parquet(tmp_path / "test_series.parquet")
    path = tmp_path / "test_series.parquet"
    for read in (lambda: list(raw.iter_recordings(path)), lambda: raw.count_rows([path])):
        with pytest.raises(
            InputError, match="series 'a1' stand apart: they begin again.*sort the file"
        ):
            read()


def test_several_files_and_the_same_series_in_two(tmp_path):
    rows(5).write_parquet(tmp_path / "test_series_1.parquet")
    rows(5, "b2").write_csv(tmp_path / "test_series_2.csv")
    files = raw.find_files(tmp_path, "test").series
    assert [r.meta.series_id for r in raw.iter_recordings(files)] == ["a1", "b2"]
    rows(5).write_parquet(tmp_path / "test_series_3.parquet")
    files = raw.find_files(tmp_path, "test").series
    for read in (lambda: list(raw.iter_recordings(files)), lambda: raw.count_rows(files)):
        with pytest.raises(InputError, match="3.parquet: .*'a1'.* and in test_series_1.parquet"):
            read()


@pytest.mark.parametrize("batch", [7, 64, 100_000])
def test_csv_equals_parquet_whatever_the_batches(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(tables, "_BATCH_ROWS", batch)
    frames = [rows(90), with_value(rows(41, "b2", seed=3), "enmo", 3, None), rows(1, "c3")]
    write_cohort(tmp_path, frames)
    write_cohort(tmp_path, frames, suffix=".csv")
    binary = list(raw.iter_recordings(tmp_path / "test_series.parquet"))
    text = list(raw.iter_recordings(tmp_path / "test_series.csv"))
    memory = raw.recordings_from_frame(pl.concat(frames))
    assert len(binary) == 3
    assert raw.count_rows([tmp_path / "test_series.parquet"]) == 132
    assert raw.count_rows([tmp_path / "test_series.csv"]) == 132
    for a, b, c in zip(binary, text, memory, strict=True):
        assert a.meta == b.meta == c.meta
        assert a.frame.equals(b.frame)
        assert a.frame.equals(c.frame)


BAD_CELLS = {
    "a number": ("enmo", ".", r"enmo is '.'; it must be a number"),
    "a comma": ("anglez", '"1,5"', "anglez is '1,5'; it must be a number"),
    "no step": ("step", "", "step is empty"),
    "half a step": ("step", "7.5", "step is '7.5'; it must be a whole number"),
    "no id": ("series_id", "", "series_id is empty"),
    "no time": ("timestamp", "", "the timestamp is empty"),
    "no moment": ("timestamp", "2018-02-30T00:00:00-0400", "timestamp .* cannot be read"),
}


@pytest.mark.parametrize("batch", [7, 30, 64, 100_000])
@pytest.mark.parametrize("fault", BAD_CELLS)
@pytest.mark.parametrize("row", [30, 47, 59])
def test_a_bad_cell_belongs_to_its_series(tmp_path, monkeypatch, batch, fault, row):
    """Whatever batch of rows it is read with, the series before and after it are kept."""
    monkeypatch.setattr(tables, "_BATCH_ROWS", batch)
    column, cell, message = BAD_CELLS[fault]
    if column == "series_id" and row == 30:
        row = 31  # at the edge it belongs to the series before: below
    path = tmp_path / "test_series.csv"
    frames = [rows(30, name, seed=i) for i, name in enumerate("abc")]
    write_cohort(tmp_path, frames, suffix=".csv")
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[row + 1][lines[0].index(column)] = cell
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    refused = []
    found = [r.meta.series_id for r in raw.iter_recordings(path, refused=refused)]
    assert found == ["a", "c"] and len(refused) == 1 and raw.count_rows([path]) == 90
    place = (
        f"series 'b', row {row - 30}: " if column == "timestamp" else f"row {row} .series 'b'.: "
    )
    with pytest.raises(InputError, match=f"^test_series.csv.*{place}{message}"):
        raise InputError(refused[0])
    with pytest.raises(InputError, match="series 'b'"):
        list(raw.iter_recordings(path))


@pytest.mark.parametrize("batch", [7, 30, 100_000])
def test_rows_without_id_at_the_edges_of_series(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(tables, "_BATCH_ROWS", batch)
    path = tmp_path / "test_series.parquet"
    ids = [*[None] * 9, *["a"] * 21, *["b"] * 30, *[None] * 9, *["c"] * 21]
    pl.concat([rows(30), rows(30), rows(30)]).with_columns(series_id=pl.Series(ids)).write_parquet(
        path
    )
    refused = []
    assert [r.meta.n_steps for r in raw.iter_recordings(path, refused=refused)] == [21]
    for text, place in zip(refused, ("row 0 .series 'a'", "row 60 .series 'b'"), strict=True):
        with pytest.raises(InputError, match=f"{place}.: series_id is empty"):
            raise InputError(text)
    rows(30).with_columns(series_id=pl.lit(None, pl.String)).write_parquet(path)
    with pytest.raises(InputError, match="row 0: series_id is empty, and so are all others"):
        list(raw.iter_recordings(path))


def test_the_real_recording(real_recording):
    (recording,) = raw.iter_recordings(real_recording)
    assert recording.meta.n_steps == 137_513
    assert recording.meta.qc["n_nonfinite"] == 1  # the last sample
    # On the evening of 21 November the watch was put down for good.
    assert recording.meta.qc["n_not_worn"] == 11_676
    assert recording.meta.qc["n_invalid"] == 11_677
    assert recording.frame["valid"].arg_min() == 137_513 - 11_677
    assert recording.meta.offsets == ((0, 0),)
