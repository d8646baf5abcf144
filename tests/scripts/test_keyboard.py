"""What goes wrong at the keyboard: one helpful line each, and an exit code that is not 0."""

import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile

import polars as pl
import pytest

from tests.support.project import PROJECT

SCRIPTS = sorted(path.name for path in (PROJECT / "scripts").glob("*.py"))


@pytest.fixture
def run(project, monkeypatch, capsys):
    """Run a script in this process; returns (exit code, stderr)."""

    def run(name, *arguments):
        path = str(project / "scripts" / name)
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as stop:
            return stop.code or 0, capsys.readouterr().err
        return 0, capsys.readouterr().err

    return run


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "serve.py"])
def test_no_arguments(run, name):
    """Only the service starts without any."""
    code, error = run(name)
    assert code == 2 and "error: " in error.splitlines()[-1]
    assert "Traceback" not in error


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_has_an_example(project, name):
    source = (project / "sleepjax" / "commands" / name).read_text()
    assert f"python scripts/{name}" in source.split('"""')[1]


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("prepare_data.py", ["--data", "nowhere", "--phase", "train", "--out", "x"]),
        ("evaluate.py", ["--events", "nowhere.csv", "--submission", "nowhere.csv"]),
        ("train.py", ["--config", "nowhere.py"]),
        ("predict.py", ["--workdir", "nowhere", "--series", "nowhere.csv", "--out", "x.csv"]),
        ("plot.py", ["--series", "nowhere.csv"]),
        ("compare.py", ["nowhere", "elsewhere"]),
        ("tune_postprocess.py", ["--workdir", "nowhere"]),
    ],
)
def test_wrong_paths(run, tmp_path, monkeypatch, name, arguments):
    monkeypatch.chdir(tmp_path)
    code, error = run(name, *arguments)
    assert code == 2 and error.startswith("error: ") and error.count("\n") == 1
    assert "nowhere" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["predict.py", "plot.py", "compare.py", "tune_postprocess.py"])
def test_a_run_of_another_version(run, finished, cohort, tmp_path, name):
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(finished.workdir / "config.json", old)
    facts = json.loads((finished.workdir / "run.json").read_text())
    (old / "run.json").write_text(json.dumps(facts | {"format": 1, "sleepjax": "0.0.1"}))
    arguments = {
        "predict.py": ["--workdir", old, "--series", cohort / "test_series.parquet"]
        + ["--out", tmp_path / "x.csv"],
        "plot.py": ["--workdir", old],
        "compare.py": [old, finished.workdir],
        "tune_postprocess.py": ["--workdir", old],
    }[name]
    code, error = run(name, *arguments)
    assert code == 2 and "has run format 1 (sleepjax 0.0.1)" in error.splitlines()[-1]
    assert "Use the version that trained it." in error


def test_interrupted_downloads(run, cohort, tmp_path):
    whole = (cohort / "test_series.parquet").read_bytes()
    (tmp_path / "test_series.parquet").write_bytes(whole[: len(whole) // 2])
    code, error = run("plot.py", "--series", tmp_path / "test_series.parquet")
    assert code == 2 and "test_series.parquet: the parquet file is cut short; copy it" in error
    out = ["--phase", "test", "--out", tmp_path / "store"]
    code, error = run("prepare_data.py", "--data", tmp_path, *out)
    assert code == 2 and "the parquet file is cut short; copy it again" in error.splitlines()[-1]
    (tmp_path / "test_series.parquet").write_bytes(b"")
    code, error = run("prepare_data.py", "--data", tmp_path, *out)
    assert code == 2 and "the file is empty (0 bytes); copy it again" in error.splitlines()[-1]
    (tmp_path / "events.parquet").write_bytes(whole[:100])
    pair = ["--events", tmp_path / "events.parquet", "--submission", tmp_path / "events.parquet"]
    code, error = run("evaluate.py", *pair)
    assert (
        code == 2
        and "events.parquet: the parquet file is cut short" in error
        and error.count("\n") == 1
    )


def test_the_archive_itself(run, tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("train_series.parquet", b"PAR1")
    code, error = run(
        "prepare_data.py", "--data", tmp_path / "data.zip", "--phase", "train", "--out", "x"
    )
    assert code == 2 and "data.zip' is a file; give the folder that holds" in error
    shutil.copy(tmp_path / "data.zip", tmp_path / "train_series.parquet")
    code, error = run("plot.py", "--series", tmp_path / "train_series.parquet")
    assert code == 2 and "it is a zip archive but no .gt3x file" in error


# /proc takes no files, even from root: it stands in for a disk that is read-only.
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("simulate.py", ["--out", "/proc/x", "--series", "1", "--days", "1"]),
        ("plot.py", ["--series", "{cohort}/test_series.parquet", "--out", "/proc/x"]),
        ("compare.py", ["{run}", "{copy}", "--out", "/proc/x"]),
        ("tune_postprocess.py", ["--workdir", "{run}", "--out", "/proc/x.json"]),
        (
            "predict.py",
            ["--workdir", "{run}", "--series", "{cohort}/test_series.parquet"]
            + ["--out", "/proc/x.csv"],
        ),
        ("train.py", ["--config", "{spec}:tiny", "--workdir", "/proc/x"]),
        (
            "evaluate.py",
            ["--events", "{events}", "--submission", "{found}", "--html", "/proc/x.html"],
        ),
    ],
)
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_read_only_disk(run, finished, cohort, project, tmp_path, name, arguments):
    shutil.copytree(finished.workdir, tmp_path / "copy")
    pl.DataFrame({"series_id": ["a"], "event": ["onset"], "step": [1], "score": [0.5]}).write_csv(
        tmp_path / "found.csv"
    )
    paths = {
        "cohort": cohort, "run": finished.workdir, "copy": tmp_path / "copy",
        "spec": project / "configs" / "spec1d.py", "events": tmp_path / "found.csv",
        "found": tmp_path / "found.csv",
    }  # fmt: skip
    arguments = [argument.format(**paths) for argument in arguments]
    if name == "train.py":
        arguments.append(f"--config.data.root={cohort}")
    code, error = run(name, *arguments)
    assert code == 2 and error.splitlines()[-1].startswith("error: ")
    assert "/proc" in error.splitlines()[-1] and "Traceback" not in error


def test_without_tensorboard(monkeypatch, tmp_path):
    from sleepjax.runs.log import MetricWriter
    from sleepjax.types import InputError

    monkeypatch.setitem(sys.modules, "tensorboardX.proto", None)  # another test may have it
    with pytest.raises(InputError, match="tensorboardX is not installed; pip install tensorboardX"):
        MetricWriter(tmp_path)


def test_without_a_display(project, cohort, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, project / "scripts" / "plot.py", "--out", tmp_path]
    command += ["--series", cohort / "test_series.parquet"]
    done = subprocess.run(
        [str(part) for part in command], env=environment | {"MPLBACKEND": "TkAgg"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and len(list(tmp_path.glob("*.png"))) == 3, done.stderr
