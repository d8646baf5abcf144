"""Inputs: which files are processed, in which order, under which name, and by which shard."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sleepjax.io import text_hash
from sleepjax.text import counted
from sleepjax.types import InputError

LOCK = ".sleepjax-process.lock"
"""Every folder of results has this file; such a folder is no input."""


@dataclass(frozen=True)
class Input:
    """One file to process."""

    path: Path
    name: str
    """How the tables call it: relative to the folder that holds all inputs, printable."""
    fault: str = ""
    """Why it cannot be opened, where that is known already."""


@dataclass(frozen=True)
class Inputs:
    """What was found."""

    files: tuple[Input, ...]
    """By name; no path twice."""
    ignored: tuple[str, ...]
    """A line for each kind of thing that was not looked at."""

    @property
    def hash(self) -> str:
        """Of the names."""
        return text_hash("\n".join(one.name for one in self.files))

    def shard(self, number: int, count: int) -> tuple[Input, ...]:
        """Those of shard ``number`` (from 1) of ``count``.

        The name alone decides, so that a file that arrives later moves no other one.
        """
        mine = lambda one: int(text_hash(one.name)[:16], 16) % count == number - 1
        return tuple(filter(mine, self.files))


def find_inputs(given: Sequence[str | Path], out: Path, suffixes: Sequence[str]) -> Inputs:
    """Files that were named, and those below folders that were named whose suffix is known.

    A suffix may be followed by ``.gz``, in letters of any case.

    Names are literal: ``*`` and ``[`` are no patterns. Links are followed, each folder is entered
    once. Hidden files, other suffixes and folders of results are left out and counted; what
    else cannot be read stays as an `Input` with its fault.

    Raises InputError where nothing is left, something does not exist, or lies in the folder of
    the results.
    """
    paths = [Path(os.path.abspath(path)) for path in given]
    for path in paths:
        if not os.path.lexists(path):
            raise InputError(f"{str(path)!r} does not exist; name a file or a folder.")
        if out.exists() and out.resolve() in (path.resolve(), *path.resolve().parents):
            raise InputError(
                f"--out {str(out)!r} holds the input {str(path)!r}; give --out a folder of its own."
            )
    base = os.path.commonpath([path if path.is_dir() else path.parent for path in paths])
    walk = _Walk(out, (*suffixes, *(f"{suffix}.gz" for suffix in suffixes)))
    found: dict[Path, str] = {}  # path -> fault
    for path in paths:
        found |= walk.below(path) if path.is_dir() else {path: _fault(path)}
    name = lambda path: printable(os.path.relpath(path, base))
    files = [Input(path, name(path), fault) for path, fault in sorted(found.items())]
    if not files:
        skipped = f" ({'; '.join(walk.lines())})" if walk.ignored else ""
        raise InputError(
            f"{', '.join(repr(str(path)) for path in paths)}: no file ends in "
            f"{', '.join(suffixes)}{skipped}."
        )
    return Inputs(tuple(sorted(files, key=lambda one: one.name)), tuple(walk.lines()))


def printable(text: str) -> str:
    """The text in UTF-8; bytes of a file name that no encoding has are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


class _Walk:
    """The files below folders, and a count of what was passed over."""

    def __init__(self, out: Path, suffixes: tuple[str, ...]):
        self.out, self.suffixes = out, suffixes
        self.ignored: Counter[tuple[str, str]] = Counter()
        self.entered: set[tuple[int, int]] = set()

    def below(self, folder: Path) -> dict[Path, str]:
        """Path -> fault, ``""`` for none."""
        found: dict[Path, str] = {}
        if not self._is_new(folder):
            return found
        unreadable = lambda error: found.update({Path(error.filename): _reason(error)})
        for place, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
            folders[:] = [name for name in sorted(folders) if self._enters(Path(place, name))]
            for name in files:
                if name.startswith("."):
                    self.ignored["hidden file", ""] += 1
                elif name.lower().endswith(self.suffixes):
                    path = Path(place, name)
                    found[path] = _fault(path)
                else:
                    suffix = printable(Path(name).suffix)
                    kind = f" ending in {suffix}" if suffix else " without suffix"
                    self.ignored["file", kind] += 1
        return found

    def _enters(self, folder: Path) -> bool:
        if folder.name.startswith("."):
            self.ignored["hidden folder", ""] += 1
            return False
        if (folder / LOCK).exists() or (self.out.exists() and folder.samefile(self.out)):
            self.ignored["folder", " of results"] += 1
            return False
        return self._is_new(folder)

    def _is_new(self, folder: Path) -> bool:
        facts = folder.stat()
        here = facts.st_dev, facts.st_ino
        new = here not in self.entered
        self.entered.add(here)
        return new

    def lines(self) -> Iterator[str]:
        """``"12 files ending in .pdf"``, the most frequent first."""
        for (what, kind), count in self.ignored.most_common():
            yield f"{counted(count, what)}{kind}"


def _fault(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        broken = path.is_symlink() and isinstance(error, FileNotFoundError)
        return f"the link leads to nothing ({os.readlink(path)})" if broken else _reason(error)
    return "" if stat.S_ISREG(mode) else "it is not a regular file"


def _reason(error: OSError) -> str:
    return f"it cannot be opened ({error.strerror})"
