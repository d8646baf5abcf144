"""Which files are processed: names are literal, links are followed once, the rest is counted."""

import os
from pathlib import Path

import pytest

from sleepjax.processing.inputs import LOCK, find_inputs
from sleepjax.types import InputError

SUFFIXES = (".csv", ".gt3x")


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with two recordings in it, one of them deeper."""
    return made(tmp_path / "data", "b.csv", "deep/er/a.GT3X")


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def found(*given, out="/nowhere/out"):
    return find_inputs(given, Path(out), SUFFIXES)


def names(*given, **how):
    return [one.name for one in found(*given, **how).files]


def test_a_folder_is_searched_and_what_is_left_out_is_counted(data):
    made(data, "notes.pdf", "c.gt3x.gz", "more.pdf", "README", ".hidden.csv", ".git/x.csv")
    inputs = found(data)
    assert [one.name for one in inputs.files] == ["b.csv", "c.gt3x.gz", "deep/er/a.GT3X"]
    assert all(one.path.exists() and not one.fault for one in inputs.files)
    assert sorted(inputs.ignored) == [
        "1 file without suffix", "1 hidden file", "1 hidden folder", "2 files ending in .pdf"
    ]  # fmt: skip


def test_a_named_file_is_taken_whatever_its_suffix(data):
    made(data, "odd.dat", "[1]*.csv", "1.csv")
    assert names(data / "odd.dat") == ["odd.dat"]
    assert names(data / "[1]*.csv") == ["[1]*.csv"]


def test_names_are_relative_to_the_folder_of_all(data, tmp_path, monkeypatch):
    other = made(tmp_path / "other", "x.csv")
    assert names(data, other / "x.csv") == ["data/b.csv", "data/deep/er/a.GT3X", "other/x.csv"]
    monkeypatch.chdir(data)
    assert names("b.csv", ".", data / "deep") == ["b.csv", "deep/er/a.GT3X"]


def test_links(data, tmp_path):
    made(tmp_path / "elsewhere", "d.csv")
    (data / "far").symlink_to(tmp_path / "elsewhere")
    (data / "far2").symlink_to(tmp_path / "elsewhere")
    (data / "deep" / "loop").symlink_to(data)
    (data / "copy.csv").symlink_to(data / "b.csv")
    (data / "gone.csv").symlink_to(tmp_path / "gone")
    inputs = {one.name: one.fault for one in found(data).files}
    assert inputs == {
        "b.csv": "", "copy.csv": "", "far/d.csv": "", "deep/er/a.GT3X": "",
        "gone.csv": f"the link leads to nothing ({tmp_path / 'gone'})",
    }  # fmt: skip


def test_what_is_no_file_or_cannot_be_opened(data):
    os.mkfifo(data / "pipe.csv")
    (data / "folder.csv").mkdir()
    faults = {one.name: one.fault for one in found(data).files if one.fault}
    assert faults == {"pipe.csv": "it is not a regular file"}


def test_a_folder_that_cannot_be_listed_is_a_row(data, monkeypatch):
    real = os.scandir

    def scandir(path):
        if os.path.basename(path) == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    faults = {one.name: one.fault for one in found(data).files}
    assert faults == {"b.csv": "", "deep": "it cannot be opened (Permission denied)"}


def test_results_are_no_inputs(data, tmp_path):
    made(data, "out/nights.csv", "old/nights.csv", f"old/{LOCK}")
    inputs = found(data, out=data / "out")
    assert [one.name for one in inputs.files] == ["b.csv", "deep/er/a.GT3X"]
    assert inputs.ignored == ("2 folders of results",)
    for given, out in ((data, data), (data / "b.csv", data), (data / "deep", data)):
        with pytest.raises(InputError, match="--out .* holds the input .*give --out a folder of"):
            found(given, out=out)
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(InputError, match="holds the input"):
        found(tmp_path / "link" / "b.csv", out=data)


def test_nothing_to_do(tmp_path):
    with pytest.raises(InputError, match=r"x' does not exist; name a file or a folder\."):
        found(tmp_path / "x")
    made(tmp_path, "a.pdf")
    with pytest.raises(InputError, match=r"no file ends in .csv, .gt3x \(1 file ending in .pdf\)"):
        found(tmp_path)


def test_names_that_no_encoding_has(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text("")
    (one,) = found(tmp_path).files
    assert one.name == "caf\\udce9.csv" and one.path.exists()


def test_shards_are_a_partition_that_later_files_do_not_change(tmp_path):
    made(tmp_path, *(f"{i}.csv" for i in range(60)))
    inputs = found(tmp_path)
    parts = [inputs.shard(number, 7) for number in range(1, 8)]
    assert sorted(one.name for part in parts for one in part) == [one.name for one in inputs.files]
    assert inputs.shard(1, 1) == inputs.files and max(map(len, parts)) < 25
    made(tmp_path, "0.5.csv", "new.csv")
    later = found(tmp_path)
    assert later.hash != inputs.hash
    for number, part in enumerate(parts, start=1):
        assert set(part) <= set(later.shard(number, 7))
