"""Kinds of file: recognised by what a file holds, not by its name."""

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from sleepjax.io import check_regular
from sleepjax.text import first_line
from sleepjax.types import InputError

GT3X, GENEACTIV, AXIVITY = "ActiGraph gt3x", "GENEActiv bin", "Axivity cwa"
TABLE = "table"
SUFFIXES = (".gt3x", ".bin", ".cwa", ".csv", ".parquet", ".pq")
"""Ends of the names of files that may be recordings; each may be followed by ``.gz``."""

READABLE = (
    "ActiGraph .gt3x, GENEActiv .bin and Axivity .cwa (each also as .gz), csv and parquet files"
)
_FOREIGN = {
    b"SQLite format 3": "it is an SQLite database (an .agd of ActiLife holds counts only)",
    b"RIFF": "it is a sound file (WAV)",
    b"\xd0\xcf\x11\xe0": "it is an old Excel workbook: save the sheet as 'CSV UTF-8'",
    b"%PDF": "it is a PDF",
    b"\x89PNG": "it is a picture",
    b"GENEA": "it is a file of the GENEA, the forerunner of the GENEActiv",
    b"\x1f\x8b": "it is compressed twice: unpack it once",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd: unpack it first",
}


def recognise(path: Path) -> tuple[str, bool]:
    """(kind, whether the file is compressed with gzip).

    Raises InputError for a file that is empty, absent, or of no kind that can be read.
    """
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; give a file inside it.")
    check_regular(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with unpacked(path, packed) as file:
            head = file.read(4096)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: it cannot be read ({first_line(error)}).") from None
    if not head:
        raise InputError(f"{path.name}: the file is empty (0 bytes); copy it again.")
    return _kind(head, path, packed), packed


def unpacked(path: Path, packed: bool) -> BinaryIO:
    """Open a file, through gzip where it is packed."""
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _kind(head: bytes, path: Path, packed: bool) -> str:
    if head[:2] == b"PK":
        return _kind_of_archive(path, packed)
    if head[:2] == b"MD":
        return AXIVITY
    if head.startswith(b"Device Identity"):
        return GENEACTIV
    if head[:4] == b"PAR1" or _is_text(head):
        return TABLE
    if b"\0" in head and _is_text(head.replace(b"\0", b"")):
        raise InputError(f"{path.name}: it is text with zero bytes in it, damaged; copy it again.")
    foreign = next((said for begin, said in _FOREIGN.items() if head.startswith(begin)), None)
    what = foreign or f"it begins with {head[:8]!r}, which is not a known kind of file"
    raise InputError(f"{path.name}: {what}; what can be read: {READABLE}.")


def _kind_of_archive(path: Path, packed: bool) -> str:
    """gt3x; InputError for another zip archive or a damaged one."""
    try:
        with unpacked(path, packed) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(
            f"{path.name}: it is a zip archive, as a .gt3x file is, but a damaged one or cut short "
            f"({first_line(error)}); copy it again from the device or the server."
        ) from None
    if "info.txt" in names and {"log.bin", "activity.bin"} & set(names):
        return GT3X
    if any(name.startswith("xl/") for name in names):
        raise InputError(f"{path.name}: it is an Excel workbook: save the sheet as 'CSV UTF-8'.")
    if "info.txt" in names:
        raise InputError(
            f"{path.name}: a .gt3x file without log.bin and activity.bin: it holds no samples."
        )
    holds = ", ".join(names[:3]) or "nothing"
    raise InputError(
        f"{path.name}: it is a zip archive but no .gt3x file (it holds {holds}); unpack it first."
    )


def _is_text(head: bytes) -> bool:
    """Whether bytes begin a csv file, in UTF-8 or in an encoding that `tables` names."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    printable = bytes(range(32, 127)) + b"\t\r\n" + bytes(range(128, 256))
    return not head.translate(None, printable) and any(mark in head for mark in b",;\t\n")
