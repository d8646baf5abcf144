"""The command ``sleepjax``: lists its subcommands without importing them, and runs one by name."""

import importlib
import subprocess
import sys
import tomllib

import pytest

from sleepjax import commands
from sleepjax.commands import NAMES


def sleepjax(monkeypatch, capsys, *arguments):
    """(exit code, standard output, standard error) of ``sleepjax ARGUMENTS``."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sleepjax", *arguments])
    try:
        code = commands.main()
    except SystemExit as stop:  # argparse's own --help
        code = stop.code
    return code, *capsys.readouterr()


def test_every_script_is_a_command_and_the_other_way_round(project):
    assert NAMES == tuple(sorted(path.stem for path in (project / "scripts").glob("*.py")))
    assert {"predict", "train", "agreement"} < set(NAMES)
    facts = tomllib.loads((project / "pyproject.toml").read_text())
    assert facts["project"]["scripts"] == {"sleepjax": "sleepjax.commands:main"}


def test_the_list_has_a_line_for_each(monkeypatch, capsys):
    code, out, err = sleepjax(monkeypatch, capsys, "--help")
    lines = [line.split(maxsplit=1) for line in out.splitlines()[2:]]
    assert code == 0 and not err and [name for name, _ in lines] == list(NAMES)
    for name, text in lines:
        doc = importlib.import_module(f"sleepjax.commands.{name}").__doc__
        assert doc and text == doc.splitlines()[0]


def test_help_imports_nothing_heavy():
    """So that it comes at once: seconds of imports are spent when there is something to do."""
    code = """
import contextlib, importlib, io, sys
from sleepjax import commands
for name in commands.NAMES:
    sys.argv = ["sleepjax", name, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        commands.main()
    heavy = sys.modules.keys() & {"jax", "numpy", "polars", "scipy", "matplotlib", "sleepjax.data"}
    print(name, *sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(commands.NAMES)


@pytest.mark.parametrize("name", ["train", "crossval", "sweep", "distill"])
def test_a_workdir_that_is_a_file_is_refused_before_anything_is_read(
    project, tmp_path, monkeypatch, capsys, name
):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    words = ["--config", f"{project / 'configs' / 'spec1d.py'}:tiny", "--workdir", "file"]
    words += ["--grid", "seed=0,1"] if name == "sweep" else []
    code, _, err = sleepjax(monkeypatch, capsys, name, *words)
    assert code == 2 and err == "error: --workdir 'file' is a file; give a folder.\n"


def test_the_package_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "sleepjax", "predct"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: 'predct' is not a command, did you mean 'predict'?")


def test_a_command_has_its_own_name_in_its_help(monkeypatch, capsys):
    code, out, _ = sleepjax(monkeypatch, capsys, "agreement", "--help")
    assert code == 0 and out.startswith("usage: sleepjax agreement [-h] --truth TRUTH")


def test_who_has_no_clone_reads_of_no_scripts(monkeypatch, capsys):
    code, out, _ = sleepjax(monkeypatch, capsys, "process", "--help")
    assert code == 0 and "sleepjax process my.gt3x --out nights" in out and "scripts/" not in out
    code, _, err = sleepjax(
        monkeypatch, capsys, "export", "--out", "x", "--workdir", "configs", "--check", "configs"
    )
    assert code == 2 and "scripts/" not in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "error: name a command. sleepjax --help lists them."),
        (["--halp"], "error: '--halp' is not a command. sleepjax --help lists them."),
        (["prdict"], "error: 'prdict' is not a command, did you mean 'predict'? sleepjax --help"),
        (
            ["agreement", "--truth", "no.csv", "--found", "no.csv"],
            "error: no.csv: the file does not exist.",
        ),
    ],
)
def test_what_cannot_be_run_is_one_line(monkeypatch, capsys, arguments, message):
    code, out, err = sleepjax(monkeypatch, capsys, *arguments)
    assert code == 2 and not out and err.startswith(message) and err.count("\n") == 1
