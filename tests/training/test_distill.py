"""A student learns what its teacher says, of recordings with and without labels."""

import json
import os
import shutil
import signal
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from sleepjax.commands import distill
from sleepjax.config import load_config
from sleepjax.data import source, teacher, windows
from sleepjax.data.store_files import folder_name
from sleepjax.objectives import make
from sleepjax.predict import load
from sleepjax.training import checks, loop
from sleepjax.types import InputError
from tests.support.project import PROJECT
from tests.support.runs import without_pictures
from tests.support.scripts import script


@pytest.fixture(scope="module")
def unlabelled(cohort, tmp_path_factory):
    """The cohort without the labels of its first series; (folder, series id)."""
    root = tmp_path_factory.mktemp("data") / "unlabelled"
    shutil.copytree(cohort, root, ignore=shutil.ignore_patterns("prepared"))
    events = pl.read_csv(root / "train_events.csv")
    without = events["series_id"][0]
    events.filter(pl.col("series_id") != without).write_csv(root / "train_events.csv")
    return root, without


@pytest.fixture(scope="module")
def student(project, unlabelled, worn_finished, tmp_path_factory):
    """Run directory of a distilled student, made by the script."""
    workdir = tmp_path_factory.mktemp("runs") / "student"
    config = ["--config", str(project / "configs" / "distilled.py:tiny")]
    root = f"--config.data.root={unlabelled[0]}"
    teachers = ["--teacher", str(worn_finished.workdir), "--workdir", str(workdir)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "standard", without_pictures)
        assert script(project, "distill").main([*config, *teachers, root]) == 0
    return workdir


def test_the_teacher_is_asked_about_every_recording(student, unlabelled, worn_finished):
    config = json.loads((student / "config.json").read_text())
    folder = student.with_name("student-teacher")
    assert config["data"]["teacher"] == str(folder)
    series = pl.read_parquet(unlabelled[0] / "train_series.parquet")
    ids = series["series_id"].unique().to_list()
    assert {path.stem for path in folder.glob("*.npy")} == {folder_name(one) for one in ids}
    rows = series.filter(series_id=unlabelled[1])
    wanted = load(worn_finished.workdir).probabilities(rows)
    found = np.load(folder / f"{folder_name(unlabelled[1])}.npy")
    names = ("asleep", "onset", "wakeup", "worn")
    np.testing.assert_allclose(found, wanted.select(names).to_numpy(), atol=1e-3)


def test_a_student_predicts_without_its_teacher(student, cohort, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(student, alone)
    series = pl.read_parquet(cohort / "train_series.parquet")
    one = series.filter(pl.col("series_id") == series["series_id"][0])
    assert load(alone).probabilities(one).columns[-1] == "worn"


def data_of(student):
    config = json.loads((student / "config.json").read_text())
    return source.open_training_data(config["data"], config["simulate"])


def test_windows_come_from_unlabelled_recordings_too(student, unlabelled):
    data = data_of(student)
    (one,) = [s for s in (*data.train, *data.valid) if s.meta.series_id == unlabelled[1]]
    assert one.labels is not None and not len(one.labels.nights)
    assert one.labels.soft is not None
    sampler = windows.make_sampler(data.train, 960, 0.5)
    assert len(np.unique(sampler.runs[:, 0])) == len(data.train)
    batch = windows.gather_batch([(one, 700)], 960, 12)
    assert batch["mask"].mean() > 0.9
    soft = np.asarray(one.labels.soft[700:1660], np.float32).reshape(80, 12, 4).mean(axis=1)
    np.testing.assert_allclose(batch["soft"][0], soft, atol=1e-6)


def test_the_targets_are_the_teacher_s_and_not_the_labels():
    objective = make("segmentation", downsample=1, sigma=5.0, weights=(1.0, 2.0, 3.0), worn=0.5)
    rng = np.random.default_rng(0)
    soft, logits = rng.random((2, 7, 4), np.float32), rng.normal(size=(2, 7, 4)).astype("f")
    mask = np.float32(rng.random((2, 7)) < 0.7)
    batch = {"soft": soft, "mask": mask, "asleep": 1 - soft[..., 0], "worn": 1 - soft[..., 3]}
    batch |= {"distance": np.zeros((2, 7, 2), np.float32), "worn_mask": 1 - mask}
    total, count = objective.loss(
        (jnp.asarray(logits), {}), jax.tree.map(jnp.asarray, batch), jnp.asarray(0)
    )
    wanted = 0.0
    for b, t in np.argwhere(mask > 0):
        p = 1 / (1 + np.exp(-logits[b, t].astype(float)))
        each = -soft[b, t] * np.log(p) - (1 - soft[b, t]) * np.log(1 - p)
        wanted += each @ [1.0, 2.0, 3.0, 0.5]
    np.testing.assert_allclose(total, wanted, rtol=1e-5)
    np.testing.assert_allclose(count, mask.sum() * 6.5)


def test_what_is_stored_stays_and_belongs_to_one_teacher(student, tmp_path):
    data, folder = data_of(student), tmp_path / "teacher"
    asked = []

    def say(some):
        asked.extend(one.meta.series_id for one in some)
        return [np.zeros((one.meta.n_steps, 3)) for one in some]

    first, second, third = ids = [one.meta.series_id for one in data.train[:3]]
    series = dict(zip(ids, data.train, strict=False))
    now = data.store.identities()
    teacher.write(folder, "a", now, data.train[:1], say)
    teacher.write(folder, "a", now, data.train[:2], say)
    assert asked == [first, second]
    assert set(teacher.taught({second: series[second]}, folder, now)) == {second}
    with pytest.raises(InputError, match="the probabilities of another teacher; remove it first"):
        teacher.write(folder, "b", now, data.train, say)
    with pytest.raises(InputError, match="cannot be read .*run scripts/distill.py again"):
        teacher.taught({third: series[third]}, folder, now)
    changed = now | {second: "of other samples"}
    with pytest.raises(InputError, match=f"the teacher has not seen series '{second}' as it is"):
        teacher.taught(series, folder, changed)
    teacher.write(folder, "a", changed, data.train[:2], say)
    assert asked == [first, second, second]
    np.save(folder / f"{folder_name(first)}.npy", np.zeros((5, 3)))
    with pytest.raises(InputError, match=r"the shape \(5, 3\).*the recordings were changed"):
        teacher.taught({first: series[first]}, folder, now)
    with pytest.raises(InputError, match="holds no teacher.json of this version; scripts/distill"):
        teacher.taught(series, tmp_path, now)
    (folder / teacher.FILE).write_text('{"weights": "a"}')
    with pytest.raises(InputError, match="the probabilities of another teacher; remove it first"):
        teacher.write(folder, "a", now, data.train, say)
    (folder / teacher.FILE).write_text('{"format": 2, "weights": "a"}')
    with pytest.raises(InputError, match="the teacher has not seen series"):
        teacher.taught(series, folder, now)


def test_an_identity_changes_with_samples_and_clock(student):
    store = data_of(student).store
    series_id = store.series_ids[0]
    before = store.identities()[series_id]
    assert before == store.identities()[series_id]
    store._metas[series_id] = replace(store.meta(series_id), start=store.meta(series_id).start + 60)
    assert store.identities()[series_id] != before


def test_settings_are_refused_before_the_teacher_is_asked(project, worn_finished, tmp_path, capsys):
    flags = ["--config", str(project / "configs" / "distilled.py:tiny"), "--workdir"]
    flags += [str(tmp_path / "run"), "--teacher", str(worn_finished.workdir)]
    assert script(project, "distill").main([*flags, "--config.augment.mixup=0.5"]) != 0
    assert "augment.mixup=0.5 changes windows" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_teacher_knows_of_wear_where_nobody_wrote_it_down(
    project, cohort, worn_finished, tmp_path
):
    without = shutil.ignore_patterns("prepared", "train_nonwear.csv", "truth_*")
    root = shutil.copytree(cohort, tmp_path / "data", ignore=without)
    config = load_config(f"{project}/configs/distilled.py:tiny", {"data.root": str(root)})
    distill.teach(config, tmp_path / "teacher", str(worn_finished.workdir))
    assert len(list((tmp_path / "teacher").glob("*.npy"))) > 1


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"augment.mixup": 0.5}, "augment.mixup=0.5 changes windows"),
        ({"augment.reverse": 0.5}, "augment.reverse=0.5 changes windows"),
    ],
)
def test_settings_that_a_teacher_forbids(tiny_config, setting, message):
    config = tiny_config(setting | {"data.teacher": "somewhere"})
    with pytest.raises(InputError, match=message):
        checks.check(config)
    with pytest.raises(InputError, match="is learned by loss.name='segmentation', not 'centernet'"):
        spec = str(PROJECT / "configs" / "centernet.py:tiny")
        checks.check(load_config(spec, {"data.teacher": "somewhere"}))


def test_a_teacher_says_as_much_as_the_student_learns(
    project, finished, unlabelled, tmp_path, capsys
):
    config = ["--config", str(project / "configs" / "distilled.py:tiny")]
    root = f"--config.data.root={unlabelled[0]}"
    teachers = ["--teacher", str(finished.workdir), "--workdir", str(tmp_path / "run")]
    assert script(project, "distill").main([*config, *teachers, root]) == 2
    assert "the teacher does not say; set loss.worn=0" in capsys.readouterr().err


def test_a_signal_says_what_the_teacher_has_said(
    project, unlabelled, worn_finished, tmp_path, monkeypatch, capsys
):
    config = ["--config", str(project / "configs" / "distilled.py:tiny")]
    config += [f"--config.data.root={unlabelled[0]}", "--workdir", str(tmp_path / "run")]
    folder, saved = tmp_path / "run-teacher", np.save

    def save(file, array):
        saved(file, array)
        if len(list(folder.glob("*.npy"))) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(np, "save", save)
    arguments = [*config, "--teacher", str(worn_finished.workdir)]
    assert script(project, "distill").main(arguments) == 75
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "stopped by SIGINT while the teacher was asked; what it said of 2 recordings is kept in "
        f"{folder}; the same command resumes"
    )
    assert len(list(folder.iterdir())) == 3  # nothing is half written
    assert script(project, "distill").main([*arguments, "--distributed"]) == 2
    assert f"by scripts/train.py with --config.data.teacher={folder}" in capsys.readouterr().err


def test_resident_recordings_have_no_teacher(student, tmp_path):
    from sleepjax.config import from_json
    from sleepjax.runs.runtime import Execution

    config = from_json(json.loads((student / "config.json").read_text()))
    with pytest.raises(InputError, match="--resident holds no teacher's probabilities"):
        loop.run(config, tmp_path / "run", Execution(resident=True))


def test_the_student_is_below_100_kb():
    from sleepjax.training.build import build

    state = build(load_config(str(PROJECT / "configs" / "distilled.py"))).shapes()
    numbers = sum(leaf.size for leaf in jax.tree.leaves((state.params, state.model_state)))
    assert 2 * numbers < 100_000  # float16, as scripts/release.py --half writes
