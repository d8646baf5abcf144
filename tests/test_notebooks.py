"""The notebooks run from the first cell to the last, and are kept without outputs."""

import nbformat
import pytest
from nbclient import NotebookClient

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


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n == "ablations" else []) for n in NAMES],
)
def test_notebooks_run(project, tmp_path, finished, name):
    """With the tiny variant, which ``finished`` has compiled already."""
    (tmp_path / "configs").symlink_to(project / "configs")
    notebook = read(project, name)
    for cell in notebook.cells:
        cell.source = cell.source.replace('VARIANT = "demo"', 'VARIANT = "tiny"')
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == {"quickstart": 5, "ablations": 1}[name]
    assert any((tmp_path / "runs").rglob("report.html"))
