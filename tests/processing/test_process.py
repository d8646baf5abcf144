"""The command process: kills, shards, exit codes; one result whatever happened on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import polars as pl
import pytest

from sleepjax.commands import process
from sleepjax.nights.reasons import MIN_HOURS
from sleepjax.processing import run
from tests.support.processes import InThisProcess
from tests.support.recordings import BAD, folder, tables


@pytest.fixture
def here(monkeypatch):
    """The command without processes."""
    monkeypatch.setattr("sleepjax.processing.engines.Local", InThisProcess)


def command(*arguments) -> int:
    return process.main([str(word) for word in ("--no_reports", *arguments)])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five recordings and three bad files."""
    return folder(tmp_path_factory.mktemp("data") / "in", good=5, bad=3)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The results of all of them, made without interruption."""
    out = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sleepjax.processing.engines.Local", InThisProcess)
        assert command(data, "--out", out) == 3
    return out


def test_every_file_is_a_row_and_every_recording_has_nights(whole):
    status = pl.read_csv(whole / "status.csv")
    assert status["state"].to_list() == ["failed"] * 3 + ["done"] * 5
    assert status["path"].is_sorted() and status["path"].n_unique() == 8
    assert status.filter(state="failed")["reason"].is_not_null().all()
    assert pl.read_csv(whole / "nights.csv")["series_id"].n_unique() == 5
    made = json.loads((whole / "provenance.json").read_text())
    assert [one["name"] for one in made["inputs"]] == status["path"].to_list()
    assert [one["sha256"] for one in made["inputs"]] == status["sha256"].to_list()
    assert made["series"] == 5 and "in 5 wrist-accelerometer recordings" in made["methods"]
    assert pl.read_csv(whole / "people.csv")["nights_with_sleep"].min() == 1


@contextmanager
def started(project, *arguments):
    """The command in a process of its own, which Ctrl-C reaches.

    A shell lets what it starts in the background ignore Ctrl-C, and children inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    script = [sys.executable, str(project / "scripts" / "process.py"), "--no_reports"]
    child = subprocess.Popen(
        [*script, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()
        signal.signal(signal.SIGINT, before)


def done(out) -> int:
    return len(list((out / "results").glob("??/*/result.json")))


def killed(project, data, out, after: int) -> None:
    """Run the command and kill it once it has so many results."""
    with started(project, data, "--out", out, "--jobs", 2) as child:
        while done(out) < after:
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)


@pytest.mark.entry
def test_killed_and_started_again_it_gives_the_same(project, data, whole, tmp_path, here):
    killed(project, data, tmp_path / "out", after=1)
    assert not (tmp_path / "out" / "status.csv").exists()
    before = done(tmp_path / "out")
    assert command(data, "--out", tmp_path / "out") == 3
    assert before < 5 and tables(tmp_path / "out") == tables(whole)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_files_killed_three_times(project, tmp_path):
    data = folder(tmp_path / "in", good=180, bad=20)
    assert len(BAD) == 10
    for after in (20, 70, 120):
        killed(project, data, tmp_path / "out", after)
    results = []
    for out in ("out", "whole"):
        with started(project, data, "--out", tmp_path / out, "--jobs", 2) as child:
            _, error = child.communicate()
            assert child.returncode == 3, error
        results.append(tables(tmp_path / out))
    assert results[0] == results[1]
    states = pl.read_csv(tmp_path / "out" / "status.csv")["state"].value_counts()
    assert dict(states.iter_rows()) == {"done": 180, "failed": 20}
    assert pl.read_csv(tmp_path / "out" / "people.csv").height == 180


def test_shards_put_together_are_the_whole(data, whole, tmp_path, here, monkeypatch, capsys):
    out = tmp_path / "out"
    for number in (1, 3):
        assert command(data, "--out", out, "--shard", f"{number}/3") in (0, 2, 3)
    assert command("--out", out, "--merge") == 2
    assert "shard-2-of-3 is not finished; run --shard 2/3 again" in capsys.readouterr().err
    assert not (out / "status.csv").exists()
    for name, value in (("ID", 11), ("MIN", 10), ("COUNT", 3)):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    assert command(data, "--out", out) in (0, 2, 3)
    assert command("--out", out, "--merge") == 3
    assert tables(out) == tables(whole)

    assert command(data, "--out", out, "--shard", "1/2") == 2
    assert "is of 3 shards, this is one of 2" in capsys.readouterr().err
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    assert command(data, "--out", out) == 2
    assert "is of 3 shards, this has none; give --shard N/3 and then" in capsys.readouterr().err
    assert command(data, "--out", out, "--shard", "1/3", "--tz", "America/New_York") != 1
    assert command("--out", out, "--merge") == 2
    assert "shard-2-of-3 has other identity than shard-1-of-3" in capsys.readouterr().err
    assert tables(out) == tables(whole)


def test_a_diary_is_compared_and_says_who_is_missing(data, whole, tmp_path, here, capsys):
    found = pl.read_csv(whole / "nights.csv").filter(pl.col("kind") == "main").row(0, named=True)
    clock = lambda end: found[end][11:16]
    line = f"{found['person']},{found['date']},{clock('onset')},{clock('wakeup')}"
    path, out = tmp_path / "diary.csv", tmp_path / "out"
    path.write_text(f"person,date,onset,wakeup\n{line}\n")
    assert command(data, "--out", out, "--diary", path) == 2
    assert "--diary needs --diary_dates evening or morning" in capsys.readouterr().err
    about = ["--diary", path, "--diary_dates", "evening"]
    assert command(data, "--out", out, *about) == 3
    assert "against the diary" in capsys.readouterr().out
    (row,) = pl.read_csv(out / "diary.csv").rows(named=True)
    assert row["night"] == found["night"] and abs(row["onset_error_min"]) < 1
    path.write_text("person,date,onset,wakeup\nnobody,2018-08-14,23:00,\n")
    assert command("--out", out, "--merge", *about) == 3
    assert "nobody" in (out / "study.html").read_text()
    assert command(data, "--out", out) == 3 and not (out / "diary.csv").exists()


def test_the_least_hours_of_a_night_are_asked_for(data, whole, tmp_path, here, capsys):
    assert process.MIN_HOURS == MIN_HOURS
    assert command(data, "--out", tmp_path / "out", "--min_hours", 2) == 3
    found, before = (pl.read_csv(out / "nights.csv") for out in (tmp_path / "out", whole))
    assert found.drop("reasons", "why").equals(before.drop("reasons", "why"))
    short = before["reasons"].str.contains("recording_too_short").fill_null(False)
    assert short.any() and before.filter(short)["why"].str.contains("16 h are needed").all()
    assert not found["reasons"].str.contains("recording_too_short").any()
    assert command(data, "--out", tmp_path / "x", "--min_hours", 30) == 2
    assert "--min_hours 30 must be from 0 to 24" in capsys.readouterr().err


def test_several_recordings_of_one_person(data, whole, tmp_path, here):
    """A file of people needs nothing computed again."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    names = pl.read_csv(whole / "recordings.csv")["file"].to_list()
    text = "".join(f"{name},ann\n" for name in names)
    (tmp_path / "people.csv").write_text(f"file,person\n{text}")
    before = done(out)
    assert command(data, "--out", out, "--people", tmp_path / "people.csv") == 3
    assert done(out) == before
    (row,) = pl.read_csv(out / "people.csv").rows(named=True)
    assert (row["person"], row["recordings"]) == ("ann", 5) and row["overlap_h"] > 24
    assert pl.read_csv(out / "nights.csv")["reasons"].str.contains("recorded_twice").any()


def test_files_that_come_and_go(data, whole, tmp_path, here, capsys):
    more = folder(tmp_path / "in", good=5, bad=0)
    out = tmp_path / "out"
    assert command(more, "--out", out) == 0
    before = tables(out)
    printed = capsys.readouterr()
    assert "earlier result" not in printed.out and "changed" not in printed.err
    (more / "later.csv").write_text("")
    assert command(more, "--out", out) == 3
    assert pl.read_csv(out / "status.csv").height == 6
    (more / "later.csv").unlink()
    assert command(more, "--out", out) == 0 and tables(out) == before
    next(path for path in sorted(more.rglob("*")) if path.is_file()).unlink()
    capsys.readouterr()
    assert command(more, "--out", out) == 0
    assert "not in these tables: 1 earlier result in" in capsys.readouterr().out
    listing = out / "results" / f"{run.Shard().name}.json"
    listing.write_text(listing.read_text().replace('"code": "', '"code": "0'))
    assert command(more, "--out", out) == 0
    assert f"code changed since {out} was made: all files" in capsys.readouterr().err


def test_exit_codes_and_refusals(data, tmp_path, here, capsys):
    bad = folder(tmp_path / "bad", good=0, bad=2)
    assert command(bad, "--out", tmp_path / "none") == 2
    assert pl.read_csv(tmp_path / "none" / "nights.csv").height == 0
    capsys.readouterr()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    for arguments, message in (
        (["--out", tmp_path / "x"], "name a file or a folder to process"),
        ([data, "--out", data], "holds the input"),
        ([data, "--out", tmp_path / "full"], "holds other files; give a new or an empty folder"),
        ([data, "--out", tmp_path / "full" / "mine.txt"], "is a file; give a folder"),
        ([data, "--out", tmp_path / "x", "--shard", "0/3"], "--shard 0/3, of 3, must be from 1"),
        ([data, "--out", tmp_path / "x", "--shard", "3"], "'3' must be N/COUNT, such as 3/100"),
        ([data, "--out", tmp_path / "x", "--jobs", 0], "--jobs 0 must be at least 1"),
        ([data, "--out", tmp_path / "x", "--timeout", 0], "--timeout 0 must be more than 0"),
        ([data, "--out", tmp_path / "x", "--tz", "Mars/Base"], "zone 'Mars/Base' is unknown"),
        ([data, "--out", tmp_path / "x", "--device_tz", ""], "time zone '' is unknown"),
        ([data, "--out", tmp_path / "x", "--columns", "t"], "'t' must be NAME=COLUMN"),
        ([data, "--out", tmp_path / "x", "--workdir", "no"], "no"),
        (["--out", tmp_path / "x", "--merge"], "holds no results of a shard"),
    ):
        assert command(*arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "x" / "status.csv").exists()


def test_slurm_arrays_that_cannot_be_told_are_refused(monkeypatch, capsys, tmp_path, data):
    for name, value in (("ID", 9), ("MIN", 1), ("COUNT", 3)):  # --array=1-9:4
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    assert command(data, "--out", tmp_path / "x") == 2
    assert "number an array 1-3 without steps, or give --shard" in capsys.readouterr().err


def test_two_commands_do_not_write_one_folder(data, tmp_path, here, capsys):
    out, shard = tmp_path / "out", run.Shard()
    (out / "results").mkdir(parents=True)
    (out / run.LOCK).touch()
    held = run.held(out / "results" / f".{shard.name}.lock", state="in use", remedy="wait")
    with held:
        assert command(data, "--out", out) == 2
    assert "is being processed (shard-1-of-1)" in capsys.readouterr().err


def test_a_person_can_stop_it(project, data, tmp_path):
    with started(project, data, "--out", tmp_path / "out", "--jobs", 1) as child:
        while not (tmp_path / "out").exists():  # seconds before the first result
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGINT)
        _, error = child.communicate(timeout=60)
    assert child.returncode == 130
    assert error.splitlines()[-1] == "interrupted; the same command resumes where it stopped"
