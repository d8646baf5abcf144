"""The notebooks run from the first cell to the last, and are kept without outputs."""

import os
import re
import subprocess
import sys
import venv

import nbformat
import pytest
from nbclient import NotebookClient

import sleepjax
from sleepjax.evaluation import compare

NAMES = ("quickstart", "ablations")


def read(project, name):
    return nbformat.read(project / "notebooks" / f"{name}.ipynb", as_version=4)


def test_every_notebook_is_tested(project):
    assert {path.stem for path in (project / "notebooks").glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_valid_and_stripped(project, name):
    notebook = read(project, name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code and all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert sum('VARIANT = "demo"' in cell.source for cell in code) == 1


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_call_what_the_modules_define(project, name):
    """The whole ablations notebook runs among the slow tests only; a function that moved is red."""
    code = [c.source for c in read(project, name).cells if c.cell_type == "code"]
    python = "\n".join(text for text in code if not text.startswith("%%"))
    called = set(re.findall(r"\b(sleepjax|compare)\.(\w+)\(", python))
    assert called
    for module, function in called:
        owner = {"sleepjax": sleepjax, "compare": compare}[module]
        assert callable(getattr(owner, function))
        assert owner is sleepjax or getattr(owner, function).__module__ == compare.__name__


class Found(Exception):
    """The command that the first cell would have run."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gpu", [False, True])
def test_the_first_cell_installs_from_an_address_or_its_folder(
    project, tmp_path, monkeypatch, name, gpu
):
    def run(command, check):
        raise Found(command[-1])

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    monkeypatch.setattr("shutil.which", lambda program: "/usr/bin/nvidia-smi" if gpu else None)
    code = next(c.source for c in read(project, name).cells if c.cell_type == "code")
    extra = "[cuda]" if gpu else ""
    monkeypatch.chdir(project / "notebooks")
    with pytest.raises(Found, match=re.escape(f"..{extra}") + "$"):
        exec(code, {})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="address of the repository"):
        exec(code, {})
    given = code.replace('REPOSITORY = ""', 'REPOSITORY = "https://example.org/sleepjax"')
    source = f"sleepjax{extra} @ git+https://example.org/sleepjax"
    with pytest.raises(Found, match=re.escape(source) + "$"):
        exec(given, {})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n == "ablations" else []) for n in NAMES],
)
def test_notebooks_run(project, tmp_path, finished, name):
    """With the tiny variant, which ``finished`` has compiled already, in an empty folder."""
    notebook = tiny(read(project, name))
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == {"quickstart": 5, "ablations": 1}[name]
    assert any((tmp_path / "runs").rglob("report.html"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_notebooks_run_with_nothing_but_the_wheel(project, tmp_path, name):
    """A new environment with the wheel and what it needs, and a kernel; no file of the clone."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    pip = lambda python, *args: subprocess.run(
        [str(python), "-m", "pip", "-q", *map(str, args)],
        check=True, capture_output=True, env=environment,
    )  # fmt: skip
    pip(sys.executable, "wheel", "--no-deps", "-w", tmp_path / "dist", project)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    try:
        pip(python, "install", "-c", project / "constraints.txt", wheel, "ipykernel", "nbclient")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no package index here: {error.stderr.decode()[-200:]}")
    folder = tmp_path / "work"
    folder.mkdir()
    nbformat.write(tiny(read(project, name)), folder / "it.ipynb")
    code = (
        "import sys; from nbclient.cli import NbClientApp\n"
        "NbClientApp.launch_instance(sys.argv[1:])"
    )
    kernel = ["install", "--sys-prefix", "--name", "python3"]
    subprocess.run([python, "-m", "ipykernel", *kernel], check=True, env=environment)
    command = [python, "-c", code, "--timeout=1000", "it.ipynb"]
    subprocess.run(list(map(str, command)), check=True, cwd=folder, env=environment)
    assert any((folder / "runs").rglob("report.html"))


def tiny(notebook):
    """The notebook with sizes of seconds."""
    for cell in notebook.cells:
        cell.source = cell.source.replace('VARIANT = "demo"', 'VARIANT = "tiny"')
    return notebook
