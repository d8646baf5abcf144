"""Pieces of a device file: each is a small file that actfast reads, so that memory stays flat.

actfast reads a file as a whole, at 20 to 26 bytes a sample and twice that while it copies. Device
files are chains of pages, sectors or records that stand for themselves, so any run of them behind
the file's header is a file too. Nothing of what a page holds is read here.
"""

import mmap
import re
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from sleepjax.devices import gt3x
from sleepjax.devices.kinds import AXIVITY, GENEACTIV, GT3X, unpacked
from sleepjax.text import first_line
from sleepjax.types import InputError

PIECE_BYTES = {GENEACTIV: 24_000_000, AXIVITY: 8_000_000, GT3X: 9_000_000}
"""About two million samples each."""
_CWA_HEADER, _CWA_SECTOR = 1024, 512
_PAGE = b"Recorded Data"
_MAX_HEADER = 1 << 16


@dataclass(frozen=True)
class Piece:
    """A run of bytes of a file, and what stands before it in the piece's own file."""

    kind: str
    path: Path
    start: int
    stop: int
    header: bytes
    info: bytes = b""
    """Content of a .gt3x file's ``info.txt``."""

    def content(self) -> bytes:
        """The bytes of the piece as a file."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            body = file.read(self.stop - self.start)
        if self.kind == GT3X:
            return gt3x.archive(self.info, gt3x.as_activity(self.header + body))
        return self.header + body


@dataclass(frozen=True)
class Cut:
    """A device file in pieces."""

    pieces: list[Piece]
    broken: str = ""
    """What is wrong with the rest of the file, which is in no piece; empty where nothing is."""
    pages: int | None = None
    """How many pages the file's header counts."""
    notes: tuple[str, ...] = ()


def cut(path: Path, kind: str, packed: bool, folder: Path, lenient: bool) -> Cut:
    """Cut a device file, of which `kinds.recognise` says kind and whether it is packed.

    What has to be unpacked is written to ``folder``. With ``lenient`` pieces are smaller, so that
    less is lost with one that cannot be read. Raises InputError where the file cannot be unpacked
    or has no header.
    """
    try:
        if packed:
            path = unpack(path, folder)
        return _CUTTERS[kind](path, folder, PIECE_BYTES[kind] // (8 if lenient else 1))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(
            f"{path.name}: the file is damaged or cut short ({first_line(error)}); copy it again."
        ) from None


def unpack(path: Path, folder: Path) -> Path:
    """What a gzip file holds, as a file in a folder; InputError where it is damaged."""
    out = folder / path.name.removesuffix(".gz")
    try:
        with unpacked(path, True) as source, out.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path.name}: it cannot be unpacked to its end ({error}); copy it again."
        ) from None
    return out


def _cut_geneactiv(path: Path, folder: Path, size: int) -> Cut:
    end = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER)
        first = head.find(_PAGE)
        if first < 0:
            return Cut([Piece(GENEACTIV, path, 0, end, b"")])
        edges = [first]
        while (at := edges[-1] + size) < end:
            file.seek(at)
            found = file.read(_MAX_HEADER).find(b"\n" + _PAGE)
            if found >= 0:
                edges.append(at + found + 1)
            else:  # no page begins: the rest is one piece, and actfast says what is wrong
                break
    edges.append(end)
    count = re.search(rb"Number of Pages:\s*(\d{1,9})\b", head[:first])
    pieces = []
    for start, stop in zip(edges, edges[1:], strict=False):
        # The number of pages is what actfast makes room for.
        pages = b"Number of Pages:%d" % max((stop - start) // 3000, 1)
        header = re.sub(rb"Number of Pages:\s*\d+", pages, head[:first])
        pieces.append(Piece(GENEACTIV, path, start, stop, header))
    return Cut(pieces, pages=int(count[1]) if count else None)


def _cut_axivity(path: Path, folder: Path, size: int) -> Cut:
    end = path.stat().st_size
    if end <= _CWA_HEADER:
        return Cut([Piece(AXIVITY, path, 0, end, b"")])
    with path.open("rb") as file:
        header = file.read(_CWA_HEADER)
    size = size // _CWA_SECTOR * _CWA_SECTOR
    starts = range(_CWA_HEADER, end, size)
    pieces = [Piece(AXIVITY, path, start, min(start + size, end), header) for start in starts]
    over = (end - _CWA_HEADER) % _CWA_SECTOR
    broken = f"it ends {over} bytes into a sector of {_CWA_SECTOR}" if over > 0 else ""
    return Cut(pieces, broken)


def _cut_gt3x(path: Path, folder: Path, size: int) -> Cut:
    with zipfile.ZipFile(path) as archive:
        text = archive.read("info.txt")
        said = gt3x.info(text)
        log = folder / f"{path.name}.log"
        broken, notes = "", ()
        if "log.bin" in archive.namelist():
            broken = _extract(archive, log)
        else:
            notes = ("activity.bin: the layout of older devices",)
            log.write_bytes(_old_layout(archive.read("activity.bin"), said, path.name))
    starts, before, fault = _record_edges(log, size)
    if gt3x.PARAMETERS not in before:
        scale = gt3x.OLD_SCALE if notes else _said(said, "Acceleration Scale", 256, path.name)
        rate = int(_said(said, "Sample Rate", 30, path.name))
        before[gt3x.PARAMETERS] = gt3x.parameters(scale, rate)
    header = b"".join(before.values())
    spans = [*zip(starts, starts[1:], strict=False)] or [(0, 0)]
    return Cut(
        [Piece(GT3X, log, a, b, header, text) for a, b in spans], broken or fault, notes=notes
    )


def _said(said: dict[str, str], what: str, default: float, name: str) -> float:
    """A number in info.txt; InputError where it is none that a watch has."""
    text = said.get(what, str(default))
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number <= 10_000:
        raise InputError(
            f"{name}: its info.txt says {what}: {text}, which no watch has; copy it again from the "
            "device or the server."
        )
    return number


def _extract(archive: zipfile.ZipFile, log: Path) -> str:
    """Unpack log.bin as far as it goes; what is wrong with the rest."""
    try:
        with archive.open("log.bin") as source, log.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 16)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        return f"log.bin cannot be unpacked to its end ({error})"
    return ""


def _old_layout(activity: bytes, said: dict[str, str], name: str) -> bytes:
    try:
        rate = int(said["Sample Rate"])
        second = gt3x.unix_second(said["Start Date"])
    except (KeyError, ValueError):
        raise InputError(
            f"{name}: info.txt lacks a Sample Rate or Start Date, so activity.bin has no time."
        ) from None
    if rate <= 0 or rate % 10 or not 0 <= second < 2**32:
        raise InputError(f"{name}: info.txt says {rate} samples per second from {second}.")
    return gt3x.log_of_old(activity, second, rate)


def _record_edges(log: Path, size: int) -> tuple[list[int], dict[int, bytes], str]:
    """(first byte of each piece and the end, records that every piece needs, what is wrong)."""
    edges, before, broken, last = [0], {}, "", 0
    if not log.stat().st_size:
        return edges, before, "log.bin is empty"
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        view = memoryview(content)
        try:
            for kind, at, after, _ in gt3x.walk(view):
                if kind == gt3x.PARAMETERS:
                    before.setdefault(kind, bytes(view[at:after]))
                if at - edges[-1] >= size:
                    edges.append(at)
                last = after
        except gt3x.BadRecord as error:
            broken = str(error)
        finally:
            view.release()
    return [*edges, last], before, broken


_CUTTERS = {GENEACTIV: _cut_geneactiv, AXIVITY: _cut_axivity, GT3X: _cut_gt3x}
