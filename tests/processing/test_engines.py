"""Engines: a process that hangs or dies fails its own input, and no other one."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial

import pytest

from sleepjax.processing import engines
from sleepjax.processing.engines import Local
from sleepjax.processing.results import DONE
from sleepjax.types import InputError
from tests.support.toy_work import Toy, inputs


def test_what_happens_to_a_process_happens_to_one_input(tmp_path):
    sound = [f"sound-{i}" for i in range(12)]
    bad = ["hangs-1", "killed-1", "aborts-1", "leaves-1", "killed-2"]
    names = [*sound[:3], *bad, *sound[3:]]
    with closing(Local(2, timeout=2.0)) as engine:
        found = {one.name: one for one in engine.outcomes(inputs(*names), Toy(tmp_path))}
    assert set(found) == set(names)
    assert {name for name, one in found.items() if one.state == DONE} == set(sound)
    reasons = {
        "hangs-1": "it took longer than 2 s; give a longer --timeout",
        "killed-1": "its process was ended (SIGKILL, perhaps for lack of memory: fewer --jobs "
        "need less); run again",
        "aborts-1": "its process was ended (SIGABRT); run again",
        "leaves-1": "its process was ended (exit code 7); run again",
        "killed-2": found["killed-1"].reason,
    }
    assert {name: found[name].reason for name in bad} == reasons
    begun = {path.name: len(path.read_text().splitlines()) for path in tmp_path.iterdir()}
    assert begun == dict.fromkeys(names, 1)  # nothing was begun twice


def test_processes_are_spawned_and_reused_and_few_inputs_wait(tmp_path):
    handed = []

    def asked():
        for one in inputs(*(f"sound-{i}" for i in range(40))):
            handed.append(one)
            yield one

    with closing(Local(2, timeout=60)) as engine:
        for number, outcome in enumerate(engine.outcomes(asked(), Toy(tmp_path)), start=1):
            assert outcome.reason == "False"  # a fork would have JAX from this process
            assert len(handed) <= number + 2 * 2
    pids = {path.read_text() for path in tmp_path.iterdir()}
    assert number == 40 and len(pids) <= 2


def test_a_question_is_answered_by_a_process():
    with closing(Local(1, timeout=60)) as engine:
        assert engine.ask(partial(max, 3, 4)) == 4
        with pytest.raises(InputError, match="no such run"):
            engine.ask(partial(refuse, "no such run"))
        with pytest.raises(InputError, match=r"a process was ended \(exit code 9\)"):
            engine.ask(partial(os._exit, 9))


def refuse(text):
    raise InputError(text)


PARENT = """
import sys
from pathlib import Path
from sleepjax.processing.engines import Local
from tests.support.toy_work import Toy, inputs
if __name__ == "__main__":
    names = [f"slow-{i}" for i in range(30)]
    list(Local(2, timeout=60).outcomes(inputs(*names), Toy(Path(sys.argv[1]))))
"""


def test_processes_end_with_the_command_however_it_ends(tmp_path, project):
    (tmp_path / "parent.py").write_text(PARENT)
    notes = tmp_path / "notes"
    notes.mkdir()
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", notes],
        env=os.environ | {"PYTHONPATH": str(project)},
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: len(begun_by(notes)) == 2)
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(map(alive, begun_by(notes))))
    assert len(list(notes.iterdir())) < 10


def begun_by(notes) -> set[int]:
    return {int(text) for path in notes.iterdir() for text in path.read_text().splitlines()}


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"  # a zombie has ended
    except FileNotFoundError:
        return False


def wait_for(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_waits_until_the_processes_have_started_and_ends_them(ctrl_c, monkeypatch):
    """A process that has not been told what it is for would end with a traceback."""
    started = []

    class Pool(engines.ProcessPool):
        @property
        def active(self):
            ctrl_c()
            started.append(self)
            return super().active

    monkeypatch.setattr(engines, "ProcessPool", Pool)
    with pytest.raises(KeyboardInterrupt):
        Local(1, timeout=60)
    assert len(started) == 1 and not multiprocessing.active_children()
