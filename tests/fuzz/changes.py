"""Changes of a working folder and a command line, each drawn by a random generator.

A change edits the files of the folder or the list of arguments in place and returns a few words on
what it did, or None where there was nothing to change.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import polars as pl

from tests.fuzz.values import CELLS, NAMES, SETTINGS, STAMPS, VALUES, ZONES


def files(folder: Path, *suffixes: str) -> list[Path]:
    """Files below a folder, in order."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in found if not suffixes or p.suffix in suffixes]


def named_files(folder: Path, argv: list[str], *suffixes: str) -> list[Path]:
    """Files that the command will read: those named in it, and those in folders named in it."""
    found: list[Path] = []
    for word in argv:
        path = folder / word
        if word and path.is_dir():
            found += files(path, *suffixes)
        elif word and path.is_file() and (not suffixes or path.suffix in suffixes):
            found.append(path)
    return found


def some_bytes(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Flip, cut, insert, remove or repeat bytes of one file that is read."""
    choice = named_files(folder, argv)
    if not choice:
        return None
    path = rng.choice(choice)
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content) + 1)
    kind = rng.choice(("flip", "cut", "insert", "remove", "repeat", "empty", "zeros"))
    if kind == "flip":
        for _ in range(rng.choice((1, 8, 64)) if content else 0):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del content[at:]
    elif kind == "insert":
        content[at:at] = rng.choice((b"\0", b"\r", b"\xff\xfe", b"\xef\xbb\xbf", b"\n\n", b"\xe9"))
    elif kind == "remove":
        del content[at : at + rng.choice((1, 10, 1000))]
    elif kind == "repeat":
        content += content[at : at + 500]
    else:
        content[:] = b"" if kind == "empty" else bytes(len(content))
    path.write_bytes(content)
    return f"{kind} bytes of {path.relative_to(folder)} at {at}"


def a_cell(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Put an odd value into a cell of a csv file, or treat its lines badly."""
    choice = named_files(folder, argv, ".csv")
    if not choice:
        return None
    path = rng.choice(choice)
    lines = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    if len(lines) < 3:
        return None
    row = rng.choice((0, 1, len(lines) - 2, rng.randrange(len(lines))))
    cells = lines[row].split(",")
    column = rng.randrange(len(cells))
    kind = rng.choice(("value", "value", "value", "drop", "twice", "swap", "remove row", "column"))
    value = rng.choice(CELLS)
    if kind == "value":
        cells[column] = value
    elif kind == "drop":
        del cells[column]
    elif kind == "twice":
        cells.append(cells[column])
    lines[row] = ",".join(cells)
    if kind == "swap":
        other = rng.randrange(1, len(lines))
        lines[row], lines[other] = lines[other], lines[row]
    elif kind == "remove row":
        del lines[row]
    elif kind == "column":
        cut = lambda line: ",".join(c for i, c in enumerate(line.split(",")) if i != column)
        lines = [cut(line) for line in lines]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return f"{kind} in line {row}, column {column} of {path.relative_to(folder)}: {value!r}"


def a_column(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Change values, the type or the name of a column of a parquet file of series."""
    choice = [p for p in named_files(folder, argv, ".parquet") if "validation" not in p.parts]
    if not choice:
        return None
    path = rng.choice(choice)
    try:
        frame = pl.read_parquet(path.read_bytes())
    except Exception:  # an earlier change damaged it
        return None
    name = rng.choice(frame.columns)
    row = rng.randrange(max(frame.height, 1))
    column = pl.col(name)
    here = pl.int_range(pl.len()) == row
    kinds = {
        "null cell": lambda: frame.with_columns(pl.when(~here).then(column).alias(name)),
        "null column": lambda: frame.with_columns(pl.lit(None).alias(name)),
        "text": lambda: frame.with_columns(column.cast(pl.String)),
        "float": lambda: frame.with_columns(column.cast(pl.Float64)),
        "category": lambda: frame.with_columns(column.cast(pl.String).cast(pl.Categorical)),
        "dropped": lambda: frame.drop(name),
        "renamed": lambda: frame.rename({name: rng.choice(("", " ", name.upper(), f"{name} "))}),
        "negated": lambda: frame.with_columns(-column),
        "NaN": lambda: frame.with_columns(pl.when(~here).then(column).otherwise(float("nan"))),
        "infinite": lambda: frame.with_columns(column * float("inf")),
        "scaled": lambda: frame.with_columns(column * 1000),
        "lists": lambda: frame.with_columns(pl.concat_list(column)),
        "no rows": lambda: frame.clear(),
        "few rows": lambda: frame.head(rng.choice((1, 2, 11, 13))),
        "shuffled": lambda: frame.sample(fraction=1, shuffle=True, seed=row),
        "reversed": lambda: frame.reverse(),
        "repeated": lambda: pl.concat([frame, frame]),
        "a gap": lambda: frame.filter((pl.int_range(pl.len()) - row).abs() > 500),
        "constant": lambda: frame.with_columns(column.first()),
    }
    kind = rng.choice(list(kinds))
    try:
        changed = kinds[kind]()
    except Exception:  # not of this type
        return None
    changed.write_parquet(path)
    return f"{kind} {name!r}, row {row}, of {path.relative_to(folder)}"


def timestamps(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Change one or all timestamps of a table."""
    choice = named_files(folder, argv, ".parquet", ".csv")
    if not choice:
        return None
    path = rng.choice(choice)
    csv = path.suffix == ".csv"
    try:
        content = path.read_bytes()
        frame = pl.read_csv(content, infer_schema=False) if csv else pl.read_parquet(content)
    except Exception:
        return None
    if frame.schema.get("timestamp") != pl.String or not frame.height:
        return None
    stamp, row = pl.col("timestamp"), rng.randrange(frame.height)
    local = stamp.str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    here = pl.int_range(pl.len()) == row
    kinds = {
        "one": pl.when(here).then(pl.lit(rng.choice(STAMPS))).otherwise(stamp),
        "one swapped": pl.when(here).then(stamp.shift(-1)).otherwise(stamp),
        "naive": stamp.str.slice(0, 19),
        "Z": stamp.str.slice(0, 19) + "Z",
        "half hour": stamp.str.slice(0, 19) + "+05:30",
        "autumn": (local + pl.duration(days=83)).dt.to_string("%Y-%m-%dT%H:%M:%S"),
        "datetime": local,
        "zoned": local.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Kolkata"),
        "epoch": local.dt.epoch("s"),
        "date": local.dt.date(),
        "jump": pl.when(pl.int_range(pl.len()) > row).then(pl.lit(STAMPS[0])).otherwise(stamp),
    }
    kind = rng.choice(list(kinds))
    changed = frame.with_columns(kinds[kind].alias("timestamp"))
    changed.write_csv(path) if csv else changed.write_parquet(path)
    return f"timestamps of {path.relative_to(folder)}: {kind}, row {row}"


def a_name(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Give a file or folder of the command another name, in the command too."""
    choice = [i for i, word in enumerate(argv) if word and (folder / word).exists()]
    if not choice:
        return None
    i = rng.choice(choice)
    old = folder / argv[i]
    new = old.with_name(
        rng.choice(NAMES) + rng.choice((old.suffix, old.suffix, old.suffix.upper(), ".pq", ""))
    )
    if new.exists() or len(Path(argv[i]).parts) > 1:
        return None
    before, argv[i] = argv[i], new.name
    old.rename(new)
    return f"{before} renamed to {new.name!r}"


def a_flag(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Leave out, repeat, misspell or change an argument."""
    i = rng.randrange(len(argv))
    kind = rng.choice(("drop", "twice", "misspell", "value", "value", "tz", "overwrite", "help"))
    before = argv[i]
    if kind == "drop":
        del argv[i]
    elif kind == "twice":
        argv[i:i] = argv[i : i + 2]
    elif kind == "misspell":
        argv[i] += "s"
    elif kind == "value":
        argv[i] = rng.choice(VALUES)
    else:
        argv += {"tz": ["--tz", rng.choice(ZONES)], "overwrite": ["--overwrite"], "help": ["-h"]}[
            kind
        ]
    return f"{kind} argument {before!r}"


def a_setting(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Add a setting of a config with an odd value."""
    if "--config" not in argv:
        return None
    argv.append(f"--config.{rng.choice(SETTINGS)}={rng.choice((*VALUES, *ZONES))}")
    return f"setting {argv[-1]!r}"


def a_run(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Damage the run directory: remove, empty or edit a file, or put something in its way."""
    if "run" not in argv:
        return None
    run = folder / "run"
    kind = rng.choice(("remove", "folder", "json", "json", "json", "junk", "file as folder"))
    if kind == "json":
        path = rng.choice(files(run, ".json", ".jsonl"))
        return f"{an_entry(rng, path)} of {path.relative_to(folder)}"
    path = rng.choice(files(run))
    if kind == "folder":
        path = rng.choice([p for p in run.rglob("*") if p.is_dir()])
        shutil.rmtree(path)
    elif kind == "junk":
        path = rng.choice([p for p in run.rglob("*") if p.is_dir()]) / rng.choice(
            ("9", "junk", ".x")
        )
        path.mkdir(exist_ok=True)
    else:
        path.unlink()
        if kind == "file as folder":
            path.mkdir()
    return f"{kind} {path.relative_to(folder)}"


def an_entry(rng: Random, path: Path) -> str:
    """Remove, add or change an entry of a JSON file, at any depth."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # lines of JSON, or damaged by an earlier change
        path.write_text(
            path.read_text(encoding="utf-8", errors="replace")
            + rng.choice(("{", "null", "[]", "{}"))
        )
        return "odd last line"
    node, way = value, []
    while isinstance(node, dict | list) and node:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        way.append(str(key))
        deeper = node[key]
        if not isinstance(deeper, dict | list) or not deeper or rng.random() < 0.3:
            kind = rng.choice(("remove", "null", "number", "text", "list", "rename"))
            if kind == "remove":
                del node[key]
            elif kind == "rename" and isinstance(node, dict):
                node[f"{key}s"] = node.pop(key)
            else:
                node[key] = {"number": -1, "text": "x", "list": [1]}.get(kind)
            break
        node = deeper
    path.write_text(json.dumps(value), encoding="utf-8")
    return f"{'.'.join(way)} edited"


def output_over_input(rng: Random, folder: Path, argv: list[str]) -> str | None:
    """Let the command write where it reads, or where something is."""
    choice = [
        i for i, w in enumerate(argv) if w in ("--out", "--html", "--figure") and i + 1 < len(argv)
    ]
    there = [w for w in argv if w and (folder / w).exists()]
    if not choice or not there:
        return None
    i = rng.choice(choice)
    target = rng.choice([*there, "found.csv", "rec.csv", "run/new.csv", "data"])
    argv[i + 1] = rng.choice((target, f"./{target}", f"data/../{target}"))
    if rng.random() < 0.7:
        argv.append("--overwrite")
    return f"{argv[i]} is {argv[i + 1]}"


CHANGES = (
    *(some_bytes, some_bytes, a_cell, a_cell, a_column, a_column, timestamps, timestamps),
    *(a_name, a_flag, a_flag, a_setting, a_setting, a_run, a_run, output_over_input),
)
