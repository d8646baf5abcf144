"""Run directories: read without a trace, complete or refused, resumed only as the same training."""

import json
import os
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from sleepjax import release
from sleepjax.config import flat
from sleepjax.defaults import default_config
from sleepjax.parallel import sharding
from sleepjax.predict import load
from sleepjax.runs import checkpoints, directory, environment, log, validation
from sleepjax.runs.checkpoints import Checkpoints
from sleepjax.runs.runtime import Execution
from sleepjax.training import loop
from sleepjax.types import InputError
from tests.support.runs import template, without_pictures
from tests.support.training import make_state


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished.workdir, tmp_path / "run")


def listing(folder):
    """Every path and when it was last changed: a folder is changed by what comes and goes in it."""
    return {path: path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def edit(path, change):
    contents = json.loads(path.read_text())
    change(contents)
    path.write_text(json.dumps(contents))


# ---- reading


def test_runs_of_earlier_versions_get_the_settings_they_lack():
    """A new setting has a value that does what runs did before there was it."""
    defaults = default_config(SimpleNamespace(fold=0, demo=False, tiny=False)).to_dict()
    shipped = release.read()[0][0].run["settings"]
    assert not set(flat(defaults)) - set(shipped) - set(directory.ADDED)


def test_reading_leaves_no_trace(copied):
    shutil.rmtree(copied / "checkpoints" / "best")
    saving = copied / "checkpoints" / "latest" / "6.saving"  # of a training that runs now
    saving.mkdir()
    (saving / "state").write_text("half")
    before = listing(copied)
    load(copied)
    with pytest.raises(InputError, match="best holds no checkpoint"):
        load(copied, "best")
    validation.load(copied)
    assert listing(copied) == before


def test_a_reader_beside_a_writer(tmp_path):
    like = sharding.placed(make_state(), sharding.shardings(sharding.data_mesh())[0])
    failed = []

    def write(saved):
        try:
            for step in range(2, 40):
                saved.save(make_state(step, float(step)))
        except Exception as error:
            failed.append(error)

    with Checkpoints(tmp_path) as saved:
        saved.save(make_state(1, 1.0))
        writer = threading.Thread(target=write, args=(saved,))
        writer.start()
        read = []
        while writer.is_alive():
            state = checkpoints.restore(tmp_path, like)
            np.testing.assert_array_equal(state.params["w"], float(state.step))
            read.append(int(state.step))
        writer.join()
    assert not failed and read == sorted(read) and len(set(read)) > 1
    assert checkpoints.steps(tmp_path) == [38, 39]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_disk_that_fails_sets_nothing_aside(copied, tiny_config, monkeypatch, error):
    def fail(path):
        raise error

    like, before = template(tiny_config()), listing(copied / "checkpoints")
    with Checkpoints(copied) as saved:
        monkeypatch.setattr(checkpoints, "file_hash", fail)
        with pytest.raises(type(error)):
            saved.resume(like, pytest.fail)
    assert listing(copied / "checkpoints") == before


def test_an_array_of_another_shape_is_named(copied, tiny_config):
    like = template(tiny_config({"model.decoder.widths": (8, 24)}))
    with pytest.raises(InputError, match=r"array .*decoder.* is float32\[.*\] there and "):
        checkpoints.restore(copied, like)


def test_an_unfinished_run_says_so(copied, finished):
    assert load(finished.workdir).unfinished == []
    shutil.rmtree(copied / "checkpoints" / "latest" / "4")
    (copied / "validation" / "series.json").unlink()
    assert load(copied).unfinished == [
        f"{copied} is unfinished: latest is the state at step 2 of 4."
    ]


# ---- complete or refused


@pytest.mark.parametrize(
    "name", ["post.snap", "seed", "model.decoder.norm", "loss.sigma", "eval.trim", "guard", "data"]
)
def test_a_setting_is_never_filled_in(copied, name):
    def remove(config):
        *groups, last = name.split(".")
        for group in groups:
            config = config[group]
        del config[last]

    edit(copied / "config.json", remove)
    with pytest.raises(InputError, match=f"config.json has no {name}.*, which the run was trained"):
        load(copied)


def test_an_unknown_setting_is_named(copied):
    edit(copied / "config.json", lambda c: c["post"].update(snop=c["post"].pop("snap")))
    with pytest.raises(InputError, match="setting 'post.snop', .* did you mean 'post.snap'"):
        load(copied)


@pytest.mark.parametrize("name", directory.FACTS)
def test_a_fact_that_is_missing_is_named(copied, name):
    edit(copied / "run.json", lambda run: run.pop(name))
    with pytest.raises(InputError, match="format None" if name == "format" else f"no {name};"):
        directory.read(copied)


@pytest.mark.parametrize("name", [fact for fact in directory.FACTS if fact != "format"])
def test_a_fact_of_another_kind_is_named(copied, name):
    edit(copied / "run.json", lambda run: run.update({name: 1}))
    with pytest.raises(InputError, match=f"run.json has an odd {name}; the run directory is"):
        directory.read(copied)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("post.distance", "x", "config.json: post: setting distance='x' must be"),
        ("post.height", None, "config.json: post: setting height=None must be"),
        ("eval.stride", 0, "config.json was changed: eval.stride=0 must be at least 1"),
        ("eval.trim", "a", "config.json was changed: eval.trim='a' must be of type int, like"),
        ("data.features", "anglez", "data.features='anglez' must be of type tuple, like"),
        ("data.downsample", True, "data.downsample=True must be of type int, like"),
    ],
)
def test_a_setting_of_another_kind_is_named(copied, name, value, message):
    group, key = name.split(".")
    edit(copied / "config.json", lambda config: config[group].update({key: value}))
    with pytest.raises(InputError, match=message):
        load(copied)


@pytest.mark.parametrize("text", ["null", "[1]", "3", '{"format": 6}', "[" * 100_000, "\xff"])
@pytest.mark.parametrize("name", ["config.json", "run.json"])
def test_a_file_of_another_shape(copied, name, text):
    (copied / name).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=name):
        directory.read(copied)


def test_features_defined_in_another_way(copied, capsys):
    edit(copied / "run.json", lambda run: run["features"].update(hour_sin="0" * 16))
    with pytest.raises(InputError, match="another definition of the features hour_sin .*use the"):
        load(copied)
    edit(copied / "run.json", lambda run: run["versions"].update(polars="0.1"))
    load(copied)
    assert "hour_sin, or only with another polars (0.1, now" in capsys.readouterr().err
    edit(copied / "run.json", lambda run: run.update(repair="0" * 16))
    load(copied)
    assert "recordings that other code read and repaired" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["series.json", "0.npz", "solution.parquet"])
def test_half_a_validation_is_not_the_end_of_a_run(copied, tiny_config, name):
    assert validation.is_finished(copied, tiny_config())
    os.truncate(copied / "validation" / name, 20)
    assert not validation.is_finished(copied, tiny_config())
    with pytest.raises(InputError, match="Run the training command"):
        validation.load(copied)


# ---- resumed


def facts(workdir):
    """What `data.facts` gave when the run began."""
    run = json.loads((workdir / "run.json").read_text())
    ours = {"format", "settings", "changes", *environment.ENVIRONMENT}
    return {name: run[name] for name in directory.FACTS if name not in ours}


def test_what_does_not_change_the_training_may_change(copied, tiny_config, capsys, monkeypatch):
    root = tiny_config().data.root
    config = tiny_config(
        {"log_every": 1, "ckpt_every": 3, "eval.stride": 480, "post.height": 0.1,
         "data.root": os.path.relpath(root)}
    )  # fmt: skip
    assert validation.is_finished(copied, tiny_config({"log_every": 1}))
    assert not validation.is_finished(copied, config)  # its validation is another one
    directory.write(copied, config, facts(copied))
    said = capsys.readouterr().err
    assert "resumed at step 4 with changes" in said and "post.height: 0.001 -> 0.1" in said
    (change,) = json.loads((copied / "run.json").read_text())["changes"]
    assert change["step"] == 4 and "log_every: 2 -> 1" in change["differences"]
    assert directory.read(copied)[0].post.height == 0.1
    directory.write(copied, config, facts(copied))
    assert capsys.readouterr().err == ""  # nothing changed any more
    monkeypatch.setattr(environment, "_git_commit", lambda: "another")
    directory.write(copied, config, facts(copied))
    assert "-> 'another'" in capsys.readouterr().err
    changes = json.loads((copied / "run.json").read_text())["changes"]
    assert changes[1]["environment"]["git_commit"] == "another"
    with pytest.raises(InputError, match="accumulate: 1 -> 2"):
        directory.write(copied, tiny_config({"accumulate": 2}), facts(copied))


def test_a_run_is_extended(copied, tiny_config, capsys):
    longer = tiny_config({"total_steps": 6})
    with pytest.raises(InputError, match="total_steps: 4 -> 6(.|\n)*--extend total_steps=N"):
        directory.write(copied, longer, facts(copied))
    with pytest.raises(InputError, match="total_steps=3 is less than the 4 steps"):
        shorter = tiny_config({"total_steps": 3})
        directory.write(copied, shorter, facts(copied), extend=True)
    result = loop.run(longer, copied, Execution(extend=True), without_pictures(longer))
    said = capsys.readouterr().err
    assert "resuming" in said and "at step 4 of 6" in said and "schedule of 6 steps" in said
    assert checkpoints.newest(copied) == 6 and load(copied).unfinished == []
    assert [r["step"] for r in log.read_metrics(copied) if "valid/loss" in r] == [2, 4, 6]
    changes = json.loads((copied / "run.json").read_text())["changes"]
    assert "total_steps: 4 -> 6" in changes[0]["differences"]
    assert np.isfinite(result.metrics["loss"]) and validation.is_finished(copied, longer)
    directory.write(copied, longer, facts(copied))  # the longer config resumes without the flag


def test_checkpoints_that_are_gone(copied, tiny_config):
    shutil.rmtree(copied / "checkpoints")
    before = (copied / log.FILE).read_bytes()
    with pytest.raises(InputError, match="records 4 steps, but .*latest holds no checkpoint"):
        loop.run(tiny_config(), copied)
    assert (copied / log.FILE).read_bytes() == before
