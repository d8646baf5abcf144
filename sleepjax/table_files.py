"""Table files: what is no parquet or comma-separated table is refused, with what to do instead."""

import re
from pathlib import Path

from sleepjax.io import check_regular
from sleepjax.types import InputError

PARQUET = (".parquet", ".pq")
TABLES = (*PARQUET, ".csv")
_EXCEL = "it is an Excel workbook: save the sheet as 'CSV UTF-8 (comma delimited)'"
_PACKED = "unpack it first"
_DEVICE = "it is a device's own file: give it to process, predict or plot"
_REMEDIES = {
    **dict.fromkeys((".xlsx", ".xls"), _EXCEL),
    **dict.fromkeys((".gz", ".zip", ".zst"), _PACKED),
    **dict.fromkeys((".gt3x", ".cwa", ".bin"), _DEVICE),
}
_BEGINNINGS = {
    b"PAR1": "it is a parquet file; let its name end in .parquet",
    b"PK\x03\x04": "it is a zip archive or an Excel workbook; unpack it, or save it as CSV UTF-8",
    b"\x1f\x8b": "it is compressed (gzip); unpack it first",
}


def check_table(path: Path, suffixes: tuple[str, ...] = TABLES) -> None:
    """Raise InputError, naming the remedy, for a file that is no parquet or comma-separated table.

    Looks at the name and at the two ends of the file, not at what stands between them.
    """
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; {_of_folder(path, suffixes)}.")
    check_regular(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        remedy = _REMEDIES.get(suffix, "convert other formats")
        ends = " or ".join(end for end in suffixes if end != ".pq")
        raise InputError(f"{path.name}: the name must end in {ends}; {remedy}.")
    size = path.stat().st_size
    if not size:
        raise InputError(f"{path.name}: the file is empty (0 bytes); copy it again.")
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(max(0, size - 4))
        tail = file.read()
    if suffix == ".csv":
        _check_text(head, path.name)
    elif head[:4] != b"PAR1":
        raise InputError(f"{path.name}: it is not a parquet file (it begins with {head[:4]!r}).")
    elif tail != b"PAR1":
        raise InputError(f"{path.name}: the parquet file is cut short; copy it again.")


def _of_folder(path: Path, suffixes: tuple[str, ...]) -> str:
    """What to give in place of a folder."""
    inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in suffixes)
    if not inside and any("=" in p.name for p in path.iterdir()):
        return (
            f"its partitions must be one file: pl.scan_parquet({str(path)!r}, "
            "hive_partitioning=True).sort('series_id', 'step').sink_parquet('series.parquet')"
        )
    return "give a file inside it" + (f": {', '.join(inside[:6])}" if inside else "")


def _check_text(head: bytes, name: str) -> None:
    """Raise InputError for the beginning of a file that is no comma-separated UTF-8 text."""
    remedy = next((_BEGINNINGS[begin] for begin in _BEGINNINGS if head.startswith(begin)), None)
    if remedy:
        raise InputError(f"{name}: it is not a csv file: {remedy}.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise InputError(
            f"{name}: it is not UTF-8 text (is it UTF-16, as some spreadsheets write?); save it as "
            "'CSV UTF-8'."
        )
    if b"\r" in head and b"\n" not in head:
        raise InputError(
            f"{name}: its lines end in a carriage return alone, as on old Macintoshes; save it "
            "with line feeds (Unix or Windows line ends)."
        )
    first = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace").strip()
    if re.fullmatch('"?sep=.?"?', first, re.IGNORECASE):
        raise InputError(
            f"{name}: its first line {first!r} is a note for Excel; delete it, so that the names "
            "of the columns come first."
        )
    check_commas(first, name)


def check_commas(line: str, name: str) -> None:
    """Raise InputError for a line whose cells are separated by another mark than a comma."""
    least = max(1, len(re.findall(r"(?<!\d),|,(?!\d)", line)))  # but for decimal commas
    mark = next((mark for mark in (";", "\t", "|") if line.count(mark) >= least), None)
    if mark:
        raise InputError(
            f"{name}: columns are separated by {mark!r}; write it with ',' between columns "
            "and '.' in numbers."
        )
