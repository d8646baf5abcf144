"""Nothing is lost: a directory has one run, a damaged checkpoint and a full disk have a way out."""

import gc
import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

from sleepjax import lock
from sleepjax.runs import checkpoints, directory
from sleepjax.runs.checkpoints import STATE, Checkpoints
from sleepjax.runs.log import read_metrics
from sleepjax.training import loop
from sleepjax.types import InputError
from tests.support.runs import biggest_file, final_state, flip_a_bit, leaves_equal, template

HOLD = (
    "import sys, fcntl; f = open(sys.argv[1], 'a+'); fcntl.flock(f, 2); print('held', flush=True)"
)


def test_a_directory_in_use_is_refused(tiny_config, tmp_path):
    with (
        directory.locked(tmp_path),
        pytest.raises(
            InputError, match=rf"in use by another run \(process {os.getpid()} on .*wait"
        ),
    ):
        loop.run(tiny_config(), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {directory.LOCK}


def test_the_lock_of_a_dead_process_is_no_obstacle(tmp_path):
    path = tmp_path / directory.LOCK
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD + "; sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout and holder.stdout.readline()
        with pytest.raises(lock.InUseError, match="in use"), directory.locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with directory.locked(tmp_path):
        assert f"process {os.getpid()} on" in path.read_text()
    with directory.locked(tmp_path):
        pass


def test_a_workdir_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("")
    with (
        pytest.raises(InputError, match="cannot be made or written to"),
        directory.locked(tmp_path / "run"),
    ):
        pass


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of a finished run, without what tells that it is finished."""
    folder = tmp_path / "run"
    shutil.copytree(finished.workdir, folder)
    return folder


def cut_off(folder):
    os.truncate(biggest_file(folder / STATE), 100)


def remove_data(folder):
    biggest_file(folder / STATE).unlink()


def test_a_run_goes_back_from_a_damaged_checkpoint(copied, finished, tiny_config, capsys):
    flip_a_bit(copied / "checkpoints" / "latest" / "4")
    loop.run(tiny_config(), copied, evaluators={})
    said = capsys.readouterr().err
    assert "latest/4 cannot be read into this model" in said
    assert "Going back to step 2; 4 is kept in checkpoints/damaged" in said
    assert "resuming" in said and "at step 2 of 4" in said
    (step, tree), (_, whole) = final_state(copied), final_state(finished.workdir)
    assert step == 4
    leaves_equal(tree, whole)
    assert [p.name for p in (copied / "checkpoints" / "damaged").iterdir()] == ["4"]


@pytest.mark.parametrize("damage", [cut_off, remove_data])
def test_a_damaged_checkpoint_falls_back(damage, copied, tiny_config):
    damage(copied / "checkpoints" / "latest" / "4")
    like = template(tiny_config())
    said = []
    with Checkpoints(copied) as saved:
        state = saved.resume(like, said.append)
        assert state is not None and int(state.step) == 2 and len(said) == 1
        assert checkpoints.newest(saved.workdir) == 2
        saved.save(state._replace(step=state.step + 2))
        assert checkpoints.newest(saved.workdir) == 4  # its name is free again


def test_a_best_checkpoint_of_a_later_step_is_not_that_of_the_run(
    copied, finished, tiny_config, monkeypatch
):
    """The run goes back to step 2; on its way again it finds the best one where it was, at 4."""
    evaluate = loop.event_ap.evaluate
    seen = []

    def better_each_time(*args, **kwargs):
        seen.append(checkpoints.newest(copied, "best"))
        evaluation = evaluate(*args, **kwargs)
        evaluation.metrics["event_ap"] = 0.9
        return evaluation

    like = template(tiny_config())
    with Checkpoints(copied) as saved:
        saved.save(checkpoints.restore(copied, like), "best")
    assert checkpoints.steps(copied, "best") == [4]
    with (copied / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "valid/loss": 1.0, "valid/event_ap": 0.9}\n')
    flip_a_bit(copied / "checkpoints" / "latest" / "4")
    monkeypatch.setattr(loop.event_ap, "evaluate", better_each_time)
    loop.run(tiny_config(), copied, evaluators={})
    assert seen == [None]
    (step, best), (_, whole) = final_state(copied, "best"), final_state(finished.workdir)
    assert step == 4
    leaves_equal(best, whole)
    rows = [row for row in read_metrics(copied) if "valid/loss" in row]
    assert [(row["step"], row["valid/event_ap"]) for row in rows][1:] == [(4, 0.9)]


def test_a_run_whose_labels_were_corrected_is_not_resumed(copied, tiny_config):
    facts = json.loads((copied / "run.json").read_text())
    assert len(facts["labels"]) == 64
    (copied / "run.json").write_text(json.dumps(facts | {"labels": "0" * 64}))
    with pytest.raises(
        InputError, match="changed since the run began:\n  labels: (.|\n)*another --workdir"
    ):
        loop.run(tiny_config(), copied)


def test_when_no_checkpoint_can_be_read_nothing_is_touched(copied, tiny_config):
    latest = copied / "checkpoints" / "latest"
    for folder in latest.iterdir():
        flip_a_bit(folder)
    with pytest.raises(InputError, match="latest/4 cannot be read .* has changed"):
        loop.run(tiny_config(), copied)
    assert {p.name for p in latest.iterdir()} == {"2", "4"}


def test_a_full_disk_stops_the_run_with_the_old_checkpoint_intact(
    tiny_config, tmp_path, monkeypatch
):
    save, limits = Checkpoints.save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_on_a_full_disk(self, state, kind="latest"):
        if int(state.step) == 4:  # no file can grow beyond 1 kB: a write fails as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        try:
            save(self, state, kind)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(Checkpoints, "save", save_on_a_full_disk)
    message = r"checkpoint of step 4 could not be written .*that of step 2 is intact\. Make room"
    with pytest.raises(OSError, match=message):
        loop.run(tiny_config(), tmp_path, evaluators={})
    gc.collect()  # nothing unfinished speaks up later
    monkeypatch.setattr(Checkpoints, "save", save)
    assert final_state(tmp_path)[0] == 2
    with Checkpoints(tmp_path) as saved:  # and the remains are no obstacle
        state = saved.resume(template(tiny_config()), pytest.fail)
        assert state is not None
        saved.save(state._replace(step=state.step + 2))
        assert checkpoints.newest(saved.workdir) == 4
