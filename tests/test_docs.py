"""The docs name only what exists, their code is code, and where mkdocs is installed they build."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sleepjax.config import load_config
from sleepjax.simulation import Cohort

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|#|<)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def pages(project):
    paths = [*(project / "docs").rglob("*.md"), project / "README.md", project / "CONTRIBUTING.md"]
    return {path: path.read_text() for path in paths}


def test_links_and_pictures_lead_somewhere(pages):
    broken = [
        f"{path.name}: {target}"
        for path, text in pages.items()
        for target in LINK.findall(FENCE.sub("", text))
        if not (path.parent / target).exists()
    ]
    assert not broken


def test_tests_that_are_named_exist(pages, project):
    named = {name for text in pages.values() for name in re.findall(r"tests/[\w/]+\.\w+", text)}
    assert len(named) > 5
    assert not [name for name in sorted(named) if not (project / name).exists()]


def test_named_files_exist(pages, project):
    """Files in backticks, named from the root of the project; the model card comes with weights."""
    folders = "sleepjax|scripts|configs|tests|benchmarks|docs|notebooks"
    gone = {
        f"{path.name}: {named}"
        for path, text in pages.items()
        for named in re.findall(rf"`((?:{folders})/[\w/.]+)`", text)
        if not (project / named).exists() and named != "sleepjax/release/card.md"
    }
    assert not gone


def test_python_is_python_and_commands_exist(pages, project):
    unknown = []
    for path, text in pages.items():
        for language, code in FENCE.findall(text):
            if language == "python" and "!git" not in code:
                ast.parse(code)
            for script in re.findall(r"python ((?:scripts|docs|benchmarks)/\S+\.py)", code):
                if not (project / script).exists():
                    unknown.append(f"{path.name}: {script}")
            for script, rest in re.findall(r"python (scripts/\w+\.py)((?:.|\\\n)*?)(?:\n|$)", code):
                command = project / "sleepjax" / "commands" / Path(script).name
                source = command.read_text() if command.exists() else ""
                source += (project / "sleepjax" / "cli.py").read_text()  # options of several
                for flag in re.findall(r" (--[a-z]\w*)(?![\w.])", rest):
                    if f'"{flag}"' not in source:
                        unknown.append(f"{path.name}: {script} {flag}")
    assert not unknown


def test_the_simulated_folder_of_getting_started_is_the_one_that_training_makes(project):
    simulated = load_config(str(project / "configs" / "spec1d.py:demo")).simulate
    folder = f"data/simulated/{Cohort(**simulated).folder_name}/"
    assert folder in (project / "docs" / "getting-started.md").read_text()


def test_the_own_model_of_the_page_is_the_example(project):
    page = (project / "docs" / "how-to" / "own-model.md").read_text()
    assert (project / "docs" / "examples" / "my_model.py").read_text() in page


def test_the_snippets_of_debugging_run_and_print_numbers(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    page = (project / "docs" / "how-to" / "debug.md").read_text()
    for code in (code for language, code in FENCE.findall(page) if language == "python"):
        exec(compile(code, "debug.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "(1, 240, 3)" in printed and "invalid value (nan)" in printed
    assert re.search(r"decoder/down0 \(1, 20, 8\): mean -?\d+\.\d{3}", printed)


def test_every_reference_names_something(project):
    names = [
        name
        for path in (project / "docs" / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)", path.read_text(), re.M)
    ]
    assert len(names) > 40
    missing = []
    for name in names:
        path = project / name.replace(".", "/")
        inner, leaf = path.parent.with_suffix(".py"), path.name
        if path.is_dir() or path.with_suffix(".py").exists():
            continue
        if not re.search(rf"^(def|class) {leaf}\b", inner.read_text(), re.M):
            missing.append(name)
    assert not missing


@pytest.mark.entry
def test_the_site_builds_strictly_and_is_self_contained(project, tmp_path):
    for name in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f'{name} is not installed: pip install -e ".[docs]"')
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = [path.read_text() for path in tmp_path.rglob("*.html")]
    fetched = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?https?://")
    assert len(pages) > 15 and not any(fetched.search(page) for page in pages)
    assert (tmp_path / "images" / "concept_windows.png").stat().st_size > 10_000
    assert not (tmp_path / "examples").exists()
