"""What a script answers when it cannot go on: one line and its exit code."""

import importlib.util

import pytest

from sleepjax.cli import answer
from sleepjax.types import InputError


def raising(error):
    def body() -> int:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("x.csv is empty."), 2, "error: x.csv is empty.\n"),
        (OSError(30, "Read-only file system"), 2, "error: [Errno 30] Read-only file system\n"),
        (KeyboardInterrupt(), 130, "interrupted; start again\n"),
    ],
)
def test_a_fault_is_one_line_and_a_code(error, code, line, capsys):
    assert answer(raising(error), "start again") == code
    assert capsys.readouterr().err == line


def test_other_errors_are_bugs_and_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        answer(raising(ZeroDivisionError()), "start again")
    assert answer(lambda: 3, "start again") == 3


def test_preparing_on_a_full_disk_is_one_line(project, monkeypatch, capsys):
    path = project / "scripts" / "prepare_data.py"
    spec = importlib.util.spec_from_file_location("prepare_data_script", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "prepare", full)
    assert module.main(["--data", "a", "--phase", "train", "--out", "b"]) == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"
