"""Imports inside the package go strictly downwards, and layer-1 groups do not know each other."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "sleepjax"

# Longest prefix wins. (layer, group): an import goes to a lower layer, or stays in its group.
PLACES = {
    "": (0, "base"),
    "types": (0, "base"),
    "cli": (0, "base"),
    "config": (0, "base"),
    "defaults": (0, "base"),
    "io": (0, "base"),
    "local_time": (0, "base"),
    "lock": (0, "base"),
    "progress": (0, "base"),
    "streams": (0, "base"),
    "tables": (0, "base"),
    "data": (1, "data"),
    "models": (1, "models"),
    "objectives": (1, "objectives"),
    "parallel": (1, "parallel"),
    "postprocess": (1, "postprocess"),
    "metrics": (1, "metrics"),
    "figures.palette": (1, "palette"),
    "simulation": (2, "simulation"),
    "release": (2, "release"),
    "data.source": (3, "source"),
    "runs": (3, "runs"),
    "inference": (3, "inference"),
    "baselines": (3, "baselines"),
    "parallel.processes": (3, "runs"),
    "training.state": (2, "state"),
    "training.guard": (2, "state"),
    "training": (4, "training"),
    "evaluation": (4, "evaluation"),
    "figures": (5, "figures"),
    "predict": (6, "predict"),
    "evaluators": (6, "evaluators"),
    "training.loop": (7, "loop"),
    "experiments": (8, "experiments"),
}


def place(module: str) -> tuple[int, str]:
    parts = module.removeprefix("sleepjax").strip(".").split(".")
    for length in range(len(parts), -1, -1):
        if ".".join(parts[:length]) in PLACES and (length or parts == [""]):
            return PLACES[".".join(parts[:length])]
    raise AssertionError(f"{module} has no layer: add it to PLACES and to docs/design.md")


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


def test_the_rule_can_fail():
    assert place("sleepjax.data.labels") == (1, "data")
    assert place("sleepjax.training.loop") == (7, "loop")
    assert "sleepjax.training.loop" not in imports(PACKAGE / "data" / "windows.py")
    assert "sleepjax.data.labels" in imports(PACKAGE / "data" / "windows.py")


@pytest.mark.parametrize("name", ["metrics", "postprocess"])
def test_metric_and_postprocessing_need_no_jax(name, project):
    import subprocess
    import sys

    code = f"import sys, sleepjax.{name}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=project).returncode == 0
