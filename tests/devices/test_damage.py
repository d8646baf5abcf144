"""Damaged files end in recordings or in one line, whatever byte is hit; stderr stays empty."""

import gzip
import random
import warnings
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.devices import recordings
from sleepjax.types import InputError
from tests.support import actigraph, axivity, geneactiv
from tests.support.devices import DEVICE_FILES, device_file

START = datetime(2024, 7, 1, 21, 30)


def _arm(seconds: int, rate: int = 30) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([[0.6], [0.0], [0.8]]) + rng.normal(0, 0.05, (3, seconds * rate))


def _old(path: Path) -> Path:
    return actigraph.write(path, _arm(30), 30, START, layout="old")


WRITERS = {
    "a.gt3x": lambda path: actigraph.write(path, _arm(30), 30, START),
    "a2.gt3x": lambda path: actigraph.write(path, _arm(30), 30, START, layout="activity2"),
    "old.gt3x": _old,
    "a.bin": lambda path: geneactiv.write(path, [_arm(50)], 30, START, n_samples=1500),
    "a.cwa": lambda path: axivity.write(path, _arm(16, 50), 50, START, 0),
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("intact")
    return {name: write(folder / name).read_bytes() for name, write in WRITERS.items()}


def outcome(path: Path, lenient: bool) -> int:
    """Number of recordings; an error is one line that names the file."""
    try:
        found = list(recordings(path, tz="Europe/London", lenient=lenient))
    except InputError as error:
        assert "\n" not in str(error) and path.name in str(error) and len(str(error)) < 700
        return 0
    for one in found:
        assert one.frame.height and one.frame["enmo"].drop_nulls().is_finite().all()
        assert one.nonwear is not None and len(one.nonwear) == one.frame["step"][-1] + 1
    return len(found)


@settings(max_examples=15)
@given(data=st.data())
@pytest.mark.parametrize("name", WRITERS)
def test_bytes_that_change_or_end(name, intact, data, tmp_path_factory):
    content = bytearray(intact[name])
    ends = data.draw(st.integers(0, len(content)), "end")
    if data.draw(st.booleans(), "cut"):
        content = content[:ends]
    at = st.integers(0, max(len(content) - 1, 0))
    for where in data.draw(st.lists(at, max_size=4 if content else 0), "where"):
        content[where] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content)
    outcome(path, data.draw(st.booleans(), "lenient"))


@pytest.mark.parametrize("name", DEVICE_FILES)
def test_real_files_with_changed_bytes(name, tmp_path, capfd):
    content = device_file(name).read_bytes()
    if len(content) > 400_000:
        pytest.skip("too large to try often")
    rng = random.Random(name)
    for i in range(8):
        damaged = bytearray(content[: rng.randrange(len(content)) if i % 2 else None])
        for _ in range(rng.randrange(1, 6)):
            if damaged:
                damaged[rng.randrange(min(len(damaged), 4000 if i % 3 else 10**9))] = rng.randrange(
                    256
                )
        path = tmp_path / name
        path.write_bytes(damaged)
        outcome(path, lenient=i % 4 < 2)
    assert capfd.readouterr().err == ""


def cut(name, intact, tmp_path):
    path = tmp_path / name
    path.write_bytes(intact[name][: int(0.7 * len(intact[name])) - 1])
    return path


@pytest.mark.parametrize("name", [name for name in WRITERS if name.endswith("gt3x")])
def test_an_archive_cut_short_has_lost_its_table_of_contents(name, intact, tmp_path):
    path = cut(name, intact, tmp_path)
    with pytest.raises(InputError, match="zip archive.*damaged one or cut short.*copy it again"):
        list(recordings(path, lenient=True))


@pytest.mark.parametrize("name", [name for name in WRITERS if not name.endswith("gt3x")])
def test_cut_short(name, intact, tmp_path):
    """At first refused, naming the remedy; then read as far as it goes, and called partial."""
    path = cut(name, intact, tmp_path)
    with pytest.raises(InputError, match=r"damaged.*lenient=True \(process --lenient\)"):
        list(recordings(path, tz="UTC"))
    (one,) = recordings(path, tz="UTC", lenient=True)
    assert one.quality["partial"] and "left out" in one.quality["notes"][0]
    assert 0 < one.frame.height < 11


def test_a_panic_of_the_decoder_is_one_line(tmp_path, monkeypatch, capfd):
    import actfast

    class PanicException(BaseException):  # noqa: N818 # as pyo3 calls its own
        pass

    def panic(*_):
        import os

        os.write(2, b"thread 'x' panicked at src/lib.rs")
        raise PanicException

    path = WRITERS["a.bin"](tmp_path / "a.bin")
    monkeypatch.setattr(actfast, "read", panic)
    with pytest.raises(InputError, match="a.bin: the file is damaged: its contents contradict"):
        list(recordings(path))
    assert capfd.readouterr().err == ""


def _zip(**members: str) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in members.items():
            file.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


FOREIGN = {
    "empty.gt3x": (b"", r"empty.gt3x: the file is empty \(0 bytes\)"),
    "noise.bin": (b"\x01\x02\x03\x04" * 9, r"begins with .* GENEActiv .bin and Axivity .cwa"),
    "counts.agd": (b"SQLite format 3\0" + b"\0" * 80, "SQLite database"),
    "sound.cwa": (b"RIFF....WAVEfmt ", "sound file"),
    "other.gt3x": (_zip(a__txt="1"), "zip archive but no .gt3x file .it holds a.txt"),
    "book.csv": (_zip(xl__="1").replace(b"xl.", b"xl/"), "Excel workbook"),
    "hollow.gt3x": (_zip(info__txt="Sample Rate: 30"), "it holds no samples"),
    "cut.gt3x": (b"PK\x03\x04abc", "damaged one or cut short"),
    "cut.bin.gz": (gzip.compress(b"Device Identity" + bytes(9999))[:-20], "cut.bin.gz: .*"),
    "text.bin": (b"hello\nworld\n", "it is not a device's file; it begins with b"),
    "header.cwa": (b"MD\xfc\x03" + bytes(400), "header.cwa: .*"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_and_broken_files(name, tmp_path):
    content, said = FOREIGN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for lenient in (False, True):
            with pytest.raises(InputError, match=said):
                list(recordings(path, lenient=lenient))


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="the file does not exist"):
        list(recordings(tmp_path / "no.bin"))
    with pytest.raises(InputError, match="it is a folder"):
        list(recordings(tmp_path))
