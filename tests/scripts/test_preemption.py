"""Signals: heard from a command's first moment to its last, and never answered by a traceback."""

import os
import signal
import subprocess
import sys

import pytest

from sleepjax.runs.stop import REQUEUE, SIGNALS, StopSignal, resumable
from sleepjax.training import input_pipeline
from tests.support.scripts import script

NOTHING = "stopped by {} while nothing had to be saved; the same command resumes\n"


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    """SIGHUP as it is without nohup, which commands respect."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def arrives(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_where_nothing_is_to_be_saved_ends_the_command(number, capsys):
    before = signal.getsignal(number)

    def body(stop):
        try:
            arrives(number)
        except Exception:  # as code does that gives faults a better text
            pytest.fail("swallowed")
        pytest.fail("not heard")

    assert resumable(body) == REQUEUE
    assert capsys.readouterr().err == NOTHING.format(number.name)
    assert signal.getsignal(number) == before


def test_a_loop_that_ends_well_hands_on_what_it_heard_too_late(capsys):
    def body(stop):
        with StopSignal() as inner:
            arrives()
            assert inner and not stop
        pytest.fail("the next run began")

    assert resumable(body) == REQUEUE
    assert capsys.readouterr().err == NOTHING.format("SIGTERM")


def test_among_several_processes_the_loop_decides(capsys):
    def body(stop):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as jax.distributed does
        stop.defer()
        arrives()
        with StopSignal() as inner:
            assert inner.name == "SIGTERM"
        return 0

    assert resumable(body) == 0
    assert capsys.readouterr().err == ""


def test_a_second_ctrl_c_does_not_wait():
    with StopSignal() as stop:
        arrives(signal.SIGINT)
        assert stop
        with pytest.raises(KeyboardInterrupt):
            arrives(signal.SIGINT)


@pytest.mark.parametrize(
    "name, arguments",
    [("train", []), ("crossval", ["--folds", "2"]), ("sweep", ["--grid", "seed=0,1"])],
)
def test_while_data_are_read(project, cohort, tmp_path, monkeypatch, capsys, name, arguments):
    monkeypatch.setattr(input_pipeline, "open_data", lambda config: arrives())
    config = ["--config", f"{project / 'configs' / 'spec1d.py'}:tiny"]
    data = [f"--config.data.root={cohort}", "--workdir", str(tmp_path / "run")]
    assert script(project, name).main([*config, *data, *arguments]) == REQUEUE
    assert capsys.readouterr().err.endswith(NOTHING.format("SIGTERM"))


@pytest.mark.entry
def test_while_jax_is_imported(project, tmp_path):
    code = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, *rest):
        if name == "jax.numpy":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Finder())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    command = [sys.executable, "-c", code, str(project / "scripts" / "train.py")]
    command += ["--config", f"{project / 'configs' / 'spec1d.py'}:tiny"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (REQUEUE, NOTHING.format("SIGTERM"))
    assert not list(tmp_path.iterdir())
