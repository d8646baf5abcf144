"""Imports inside the package go strictly downwards, and layer-1 groups do not know each other."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

from tests.support.project import LONGEST, PROJECT

PACKAGE = PROJECT / "sleepjax"
PAGE = (PROJECT / "docs" / "design.md").read_text()


def section(title: str) -> str:
    return re.split(rf"^## {title}$", PAGE, flags=re.M)[1].split("\n## ")[0]


def documented() -> dict[str, tuple[int, str]]:
    """Module -> (layer, first module of its row): the table of layers in docs/design.md."""
    rows = re.findall(r"^\| (\d) \| (.+) \|$", section("Layers"), re.M)
    groups = [(int(layer), re.findall(r"`([\w.]+)`", names)) for layer, names in rows]
    return {name: (layer, names[0]) for layer, names in groups for name in names}


def contents() -> set[str]:
    """Modules and folders that the rooms of docs/design.md name, as paths without suffix."""
    found, room = set(), ""
    for line in re.findall(r"^  .+", section("Rooms"), re.M):
        inside = line.startswith("    ")
        names = re.match(r" +((?:\w+/?, )*\w+/?)(?=  |$)", line)
        assert names, f"no name in {line!r}"
        if not inside:
            room = names[1] if names[1].endswith("/") else ""
        found |= {room * inside + name.strip("/") for name in names[1].split(", ")}
    return found


# Longest prefix wins. An import goes to a lower layer, or stays in its group.
PLACES = {"": (0, "types"), **documented()}


def place(module: str) -> tuple[int, str]:
    parts = module.removeprefix("sleepjax").strip(".").split(".")
    for length in range(len(parts), -1, -1):
        if ".".join(parts[:length]) in PLACES and (length or parts == [""]):
            return PLACES[".".join(parts[:length])]
    raise AssertionError(f"{module} has no layer: add it to the two tables of docs/design.md")


def imports(path: Path, typing: bool = False) -> set[str]:
    """Modules of the package that a file imports; those of TYPE_CHECKING only with ``typing``."""
    found = set()
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only and not typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            for alias in node.names:
                child = PACKAGE.parent / (base + "." + alias.name).replace(".", "/")
                is_module = child.is_dir() or child.with_suffix(".py").exists()
                found.add(f"{base}.{alias.name}" if is_module else base)
    return {name for name in found if name.split(".")[0] == "sleepjax"}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    layer, group = place(module.removesuffix(".__init__"))
    for name in imports(path):
        other_layer, other_group = place(name)
        allowed = other_layer < layer or other_group == group
        assert allowed, f"{module} (layer {layer}) must not import {name} (layer {other_layer})"


def test_no_module_imports_itself_through_others():
    """Not for types either: two modules that need each other's names are one module, or three."""
    name = lambda path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    modules = {name(path).removesuffix(".__init__"): path for path in FILES}
    # A package's __init__ collects its modules, which is no circle among them.
    graph = {
        module: imports(path, typing=True) - {module}
        for module, path in modules.items()
        if path.name != "__init__.py"
    }
    list(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_training_and_evaluation_do_not_import_each_other():
    files = lambda room: set((PACKAGE / room).rglob("*.py")) - {PACKAGE / "training" / "loop.py"}
    for room, other in (("training", "evaluation"), ("evaluation", "training")):
        for path in files(room):
            found = {name for name in imports(path, typing=True) if f"sleepjax.{other}" in name}
            assert not found, f"{path} imports {found}"


def test_the_page_names_every_room_and_nothing_else():
    modules = {str(path.relative_to(PACKAGE).with_suffix("")) for path in FILES}
    rooms = {path.parent.name for path in FILES if path.parent != PACKAGE}
    needed = rooms | {name for name in modules if "/" not in name} - {"__init__"}
    assert needed <= contents(), "the rooms of docs/design.md lack a module"
    assert contents() <= modules | rooms, "the rooms of docs/design.md name what does not exist"


def test_the_page_names_every_module_in_its_room():
    """At the beginning of a line, or in the words on another module: "with matching and arrays"."""
    parts = re.split(r"^  (?=\w)", section("Rooms").split("```")[1], flags=re.M)
    words = {part.split()[0].strip("/"): set(re.findall(r"\w+", part)) for part in parts if part}
    modules = [path.relative_to(PACKAGE) for path in FILES if path.parent != PACKAGE]
    absent = [m for m in map(str, modules) if "__init__" not in m]
    absent = [m for m in absent if Path(m).stem not in words[Path(m).parts[0]]]
    assert not absent, f"the rooms of docs/design.md lack {absent}"


def test_the_page_points_to_files_and_names_that_exist():
    """Of the table 'To change X, edit Y': each file, and each constant or function it mentions."""
    source = "".join(path.read_text() for path in FILES)
    named = re.findall(r"`([\w/.]+)`", section("To change X, edit Y"))
    files = {name for name in named if name.endswith((".py", "/"))} - {"devices/"}
    absent = {f for f in files if not ((PACKAGE / f).exists() or (PACKAGE.parent / f).exists())}
    words = {name for name in named if name.isidentifier()}
    absent |= {word for word in words if not re.search(rf"\b{word}\b", source)}
    assert not absent and len(files) > 30 and len(words) > 10


def test_the_longest_test_files_exist():
    """One that is renamed and not named anew would run last, while other workers wait."""
    assert [name for name in LONGEST if not (PROJECT / "tests" / name).is_file()] == []


def test_the_rule_can_fail():
    assert place("sleepjax.data.labels") == (1, "data")
    assert place("sleepjax.training.loop") == (7, "training.loop")
    assert "sleepjax.training.loop" not in imports(PACKAGE / "data" / "windows.py")
    assert "sleepjax.data.labels" in imports(PACKAGE / "data" / "windows.py")


@pytest.mark.parametrize("name", ["metrics", "postprocess", "baselines", "nights"])
def test_rooms_that_need_no_jax(name, project):
    import subprocess
    import sys

    code = f"import sys, sleepjax.{name}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=project).returncode == 0
