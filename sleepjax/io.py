"""Results: files that are put in place whole, and never over what was read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax.lock import held
from sleepjax.types import InputError

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise OSError with the path where it cannot be written, in place of what polars raises."""
    try:
        yield
    except Exception as error:
        text, of_polars = str(error), type(error).__module__.startswith("polars")
        number = re.search(r"os error (\d+)", text)
        if number and (of_polars or isinstance(error, OSError)):
            code = int(number[1])
            raise OSError(code, os.strerror(code), str(path)) from None
        if of_polars and "transport error" in text:  # of what it writes at a parquet file's end
            raise OSError(errno.EIO, "It cannot be written, is the disk full?", str(path)) from None
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to; it takes the place of ``path`` once written, all or nothing."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with disk_errors(path):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one piece; what no encoding has, from odd file names, is escaped."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON in one piece."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def check_regular(path: Path) -> None:
    """Raise InputError for what is absent, or no file whose beginning can be looked at first."""
    if not path.exists():
        raise InputError(f"{path}: the file does not exist.")
    if not path.is_file():
        raise InputError(f"{path}: it is no regular file but a pipe or a device; write it to one.")


def read_json(path: Path, part_of: str) -> dict[str, Any]:
    """Contents of a JSON object; InputError, which says what is damaged, for anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}); {part_of} is damaged.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; {part_of} is damaged.")
    return value


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame as parquet or csv, as the name says, in one piece."""
    with replacing(path) as partial, partial.open("wb") as file:
        (frame.write_parquet if path.suffix == ".parquet" else frame.write_csv)(file)


def save_figure(path: Path, figure: Figure) -> None:
    """Save a figure in one piece, in the format that the name ends in."""
    with replacing(path) as partial:
        figure.savefig(partial, format=path.suffix[1:])


def check_folder(option: str, path: Path) -> None:
    """Raise InputError where a file stands in the place of the folder that results go into."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{option} {str(path)!r} is a file; give a folder.")


def check_output(
    option: str, *paths: Path, suffix: str, overwrite: bool, inputs: Iterable[Path] = ()
) -> None:
    """Raise InputError, before any work is done, where results could not be written.

    A file is really written to the folder of the first path and removed again: permissions do
    not tell of a read-only or full disk. No path may be one of the ``inputs``.
    """
    if paths[0].suffix != suffix:
        raise InputError(f"{option} {str(paths[0])!r} must end in {suffix}.")
    parent = paths[0].parent
    folder = f"folder {str(parent)!r} of {option}"
    if not parent.is_dir():
        raise InputError(f"{folder} does not exist; create it.")
    check_not_input(option, paths, inputs)
    _check_free(option, paths, overwrite)
    try:
        with tempfile.TemporaryFile(dir=parent) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise InputError(f"{folder} cannot be written to ({error.strerror}).") from None


def _check_free(option: str, paths: Iterable[Path], overwrite: bool) -> None:
    existing = [str(path) for path in paths if path.exists()]
    if existing and not overwrite:
        verb = "exists" if len(existing) == 1 else "exist"
        raise InputError(f"{', '.join(existing)} {verb}; give another {option}, or --overwrite.")


def provenance_path(result: Path) -> Path:
    """Where the provenance of a result lies: ``found.csv`` -> ``found_provenance.json``."""
    return result.with_name(f"{result.stem}_provenance.json")


@contextmanager
def reserved(option: str, *paths: Path, overwrite: bool) -> Iterator[None]:
    """Keep other commands from writing the first of the paths while this one computes it.

    Raises InputError where another one is at it, or wrote one of the paths since `check_output`.
    """
    path = paths[0]
    claim = path.with_name(f".{path.name}.lock")
    with held(claim, state=f"where {path.name} is being written", remedy=f"give another {option}"):
        try:
            _check_free(option, paths, overwrite)
            yield
        finally:
            claim.unlink(missing_ok=True)


def check_not_input(option: str, outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise InputError where an output is an input, under any name, link or spelling."""
    inputs = [path for path in inputs if path.exists()]
    for output in outputs:
        for path in inputs:
            if output.exists() and output.samefile(path):
                raise InputError(
                    f"{option} would write {str(output)!r}, which is the input {str(path)!r}; "
                    f"give another {option}."
                )
