"""What a script answers when it cannot go on: one line and its exit code."""

import signal

import pytest

from sleepjax.cli import answer
from sleepjax.types import InputError
from tests.support.scripts import script


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


def test_memory_of_a_device_or_of_the_machine_is_short(capsys):
    import jax.numpy as jnp

    assert answer(lambda: jnp.zeros(2**45).size, "start again") == 2
    assert answer(raising(MemoryError("Unable to allocate 7 TiB")), "start again") == 2
    device, host = capsys.readouterr().err.splitlines()
    assert device.startswith("error: out of memory (RESOURCE_EXHAUSTED: ")
    assert host.startswith("error: out of memory (Unable to allocate 7 TiB). A training needs less")
    assert device.endswith("fewer or shorter recordings at once.")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_that_cleans_up(number, capsys):
    cleaned = []

    def body() -> int:
        try:
            signal.raise_signal(number)
            return 0
        finally:
            cleaned.append(True)

    before = signal.getsignal(number)
    assert answer(body, "start again") == 128 + number and cleaned
    assert capsys.readouterr().err == f"stopped by {number.name}; start again\n"
    assert signal.getsignal(number) is before


def test_a_bug_is_one_line_and_its_traceback_is_in_a_file(capsys, monkeypatch, tmp_path):
    series = tmp_path / "x.csv"
    series.write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["scripts/predict.py", "--series", str(series)])
    assert answer(raising(KeyError("snap")), "start again") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    assert f"predict.py with {series} failed unexpectedly (KeyError: 'snap')" in said
    (report,) = tmp_path.glob("sleepjax-*.txt")
    assert str(report) in said and "please report it" in said
    text = report.read_text()
    assert text.startswith("scripts/predict.py --series") and "Traceback" in text
    monkeypatch.setenv("SLEEPJAX_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        answer(raising(ZeroDivisionError()), "start again")
    assert answer(lambda: 3, "start again") == 3


def test_preparing_on_a_full_disk_is_one_line(project, monkeypatch, capsys):
    module = script(project, "prepare_data")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sleepjax.data.store.prepare", full)
    assert module.main(["--data", "a", "--phase", "train", "--out", "b"]) == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"
