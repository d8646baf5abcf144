"""Preparing: only what differs is written, a stop at any moment loses nothing."""

import hashlib
import os
import shutil
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sleepjax import lock, tables
from sleepjax.data import features, raw, store_files
from sleepjax.data.store import Store, open_store, prepare
from sleepjax.threads import WORKERS
from sleepjax.types import InputError
from tests.reference.series import nights, rows, small_cohort, tree, with_value, write_cohort

SOME = ("anglez", "enmo", "hour_sin")


@pytest.fixture
def cohort(tmp_path):
    return small_cohort(tmp_path / "raw")


def modified(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.npy")}


def build(cohort, out, **kwargs) -> Store:
    return prepare(cohort, out, "train", quiet=True, **kwargs)


def test_a_rerun_does_nothing_and_says_so(cohort, tmp_path, capsys):
    prepare(cohort, tmp_path / "out", "train")
    assert "3 series written, 0 were there already" in capsys.readouterr().err
    before = modified(tmp_path / "out")
    prepare(cohort, tmp_path / "out", "train")
    assert "up to date" in capsys.readouterr().err
    assert modified(tmp_path / "out") == before


def test_a_change_of_one_series_rewrites_that_one(cohort, tmp_path, capsys):
    build(cohort, tmp_path / "out")
    before = modified(tmp_path / "out")
    path = cohort / "train_series.parquet"
    frame = pl.read_parquet(path)
    frame = frame.with_columns(
        pl.when(series_id="c3").then(pl.col("enmo") / 2).otherwise("enmo").alias("enmo")
    )
    frame.write_parquet(path)
    prepare(cohort, tmp_path / "out", "train")
    assert "1 series written, 2 were there already" in capsys.readouterr().err
    after = modified(tmp_path / "out")
    changed = {name for name in after if after[name] != before[name]}
    assert changed and all(name.startswith("c3") for name in changed)
    build(cohort, tmp_path / "fresh")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_other_features_settings_and_series_give_the_same_as_a_fresh_store(
    cohort, tmp_path, monkeypatch
):
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    build(cohort, out)
    build(cohort, out, features=SOME)
    build(cohort, fresh, features=SOME)
    assert tree(out) == tree(fresh)
    assert not (out / "a1" / "step.npy").exists()
    # What was not prepared is computed where it is asked for, and kept until the next change.
    computed = np.asarray(open_store(out).array("a1", "step"))
    assert computed.tobytes() == np.asarray(build(cohort, fresh).array("a1", "step")).tobytes()
    assert len(list((out / "computed").rglob("a1.npy"))) == 1

    more = (*SOME, "anglez_abs")
    before = np.asarray(build(cohort, out, features=more).array("c3", "anglez_abs"))
    twice = features.FEATURES["anglez_abs"] * 2
    monkeypatch.setitem(features.FEATURES, "anglez_abs", twice)
    changed = np.asarray(build(cohort, out, features=more).array("c3", "anglez_abs"))
    np.testing.assert_allclose(changed, 2 * before)

    path = cohort / "train_series.parquet"
    pl.read_parquet(path).filter(pl.col("series_id") != "c3").write_parquet(path)
    build(cohort, out, features=SOME)
    assert not (out / "c3").exists() and not (out / "computed").exists()


def test_memory_holds_a_few_series_however_many_there_are(tmp_path, monkeypatch):
    frames = [rows(100, f"s{i:02d}", seed=i) for i in range(20)]
    cohort = write_cohort(tmp_path / "raw", frames)
    monkeypatch.setattr(tables, "_BATCH_ROWS", 100)
    alive, most, read = set(), 0, raw.iter_rows

    def counted(paths):
        nonlocal most
        for rows_of_series in read(paths):
            series = rows_of_series.frame
            alive.add(id(series))
            weakref.finalize(series, alive.discard, id(series))
            most = max(most, len(alive))
            yield rows_of_series
            del series, rows_of_series

    monkeypatch.setattr(raw, "iter_rows", counted)
    assert len(prepare(cohort, tmp_path / "out", "test", quiet=True).series_ids) == 20
    assert 1 <= most <= 2 * WORKERS + 1


def test_one_bad_cell_leaves_out_its_series_only(tmp_path):
    frames = [rows(90), with_value(rows(60, "b2", seed=1), "step", 30, None), rows(40, "c3")]
    events = pl.concat([nights("a1", [(12, 60)]), nights("b2", [(12, 40)])])
    cohort = write_cohort(tmp_path / "raw", frames, "train", events)
    with pytest.raises(InputError, match=r"row 120 \(series 'b2'\): step is empty"):
        prepare(cohort, tmp_path / "out", "train", SOME, quiet=True)
    store = prepare(cohort, tmp_path / "out", "train", SOME, drop_bad=True, quiet=True)
    assert store.series_ids == ("a1", "c3")
    assert list(store.manifest["skipped"]) == ["b2"]
    assert store.events is not None and store.events["series_id"].unique().to_list() == ["a1"]


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


@pytest.mark.parametrize("over_another", [False, True])
def test_stopping_before_any_rename_loses_nothing(tmp_path, monkeypatch, over_another):
    """Every place at which a file is put in place is a place to die; then the run is repeated."""
    events = nights("a1", [(12, 60)])
    cohort = write_cohort(tmp_path / "raw", [rows(90), rows(60, "b2", seed=1)], "train", events)
    build(cohort, tmp_path / "want", features=SOME)
    want = tree(tmp_path / "want")
    other = write_cohort(tmp_path / "raw2", [rows(90, seed=5), rows(60, "c3")], "train", events)
    build(other, tmp_path / "other")
    monkeypatch.setattr("sleepjax.threads.WORKERS", 1)
    replace, calls = os.replace, 0
    n_renames = len(want) - 1  # all but the lock
    for k in range(n_renames):
        out = tmp_path / f"out{k}"
        if over_another:
            shutil.copytree(tmp_path / "other", out)
        calls = 0

        def die(source, target, k=k):
            nonlocal calls
            calls += 1
            if calls > k:
                raise Killed
            replace(source, target)

        monkeypatch.setattr(os, "replace", die)
        with pytest.raises(Killed):
            build(cohort, out, features=SOME)
        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(InputError, match="is not finished .*re-run prepare"):
            open_store(out)
        build(cohort, out, features=SOME)
        assert tree(out) == want


@pytest.mark.parametrize("name", ["train_series.parquet", "train_nonwear.csv"])
def test_an_input_that_cannot_be_opened_is_said_before_the_store_is_touched(cohort, tmp_path, name):
    (cohort / name).unlink(missing_ok=True)
    (cohort / name).mkdir()
    with pytest.raises(InputError, match=f"{name}: it is a folder; give the file itself"):
        build(cohort, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_manifest_names_the_content_of_each_input(cohort, tmp_path):
    """They are hashed while they are read, so the hash comes last."""
    found = build(cohort, tmp_path / "out").manifest["settings"]["inputs"]
    assert [one["name"] for one in found] == ["train_series.parquet", "train_events.csv"]
    for one in found:
        data = (cohort / one["name"]).read_bytes()
        assert (one["size"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_damage_is_noticed_and_mended(cohort, tmp_path):
    out = tmp_path / "out"
    build(cohort, out)
    want = tree(out)
    with (out / "a1" / "signal_enmo.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(
        InputError, match="signal_enmo.npy has 1000 bytes, not 9728; re-run prepare"
    ):
        open_store(out)
    build(cohort, out)
    (out / "c3" / "valid.npy").unlink()
    with pytest.raises(InputError, match="valid.npy is missing; re-run prepare"):
        open_store(out)
    build(cohort, out)
    (out / "events.parquet").unlink()
    with pytest.raises(InputError, match="events.parquet is missing; re-run prepare"):
        open_store(out)
    build(cohort, out)
    (out / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not the manifest of a feature store"):
        open_store(out)
    build(cohort, out)
    assert tree(out) == want


def test_a_folder_with_other_files_is_left_alone(cohort, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("all I have")
    with pytest.raises(InputError, match="precious holds other files"):
        build(cohort, tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "all I have"
    with pytest.raises(InputError, match="thesis.txt is a file"):
        build(cohort, tmp_path / "precious" / "thesis.txt")


def test_a_store_copied_without_hidden_files_is_still_ours(cohort, tmp_path):
    build(cohort, tmp_path / "out")
    (tmp_path / "out" / store_files.LOCK).unlink()
    (tmp_path / "out" / "manifest.json").touch()
    assert build(cohort, tmp_path / "out").series_ids == ("a1", "B/2", "c3")


def test_two_at_once_prepare_once(cohort, tmp_path, monkeypatch, capfd):
    """The second waits, says so, and then has nothing to do."""
    out, first = tmp_path / "out", build(cohort, tmp_path / "first")
    monkeypatch.setattr("sleepjax.lock._POLL", 0.01)
    with ThreadPoolExecutor(1) as pool:
        with store_files.locked(out):
            second = pool.submit(prepare, cohort, out, "train")
            while "waiting for it" not in (said := capfd.readouterr().err):
                assert not second.done()
                time.sleep(0.01)
            assert f"out is being prepared by another process (process {os.getpid()} on" in said
            shutil.copytree(first.root, out, dirs_exist_ok=True)
        before = modified(out)
        assert second.result().series_ids == first.series_ids
    assert "up to date" in capfd.readouterr().err and modified(out) == before


def test_waiting_has_an_end(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("sleepjax.lock.WAIT", 0.05)
    with (
        store_files.locked(tmp_path / "out"),
        pytest.raises(InputError, match=r"being prepared .*, still after 0 s; wait for it or stop"),
    ):
        build(cohort, tmp_path / "out")


def test_a_store_that_is_up_to_date_is_not_locked(cohort, tmp_path, monkeypatch):
    """So that it can lie in a read-only folder, and many trainings can start on it at once."""
    out = tmp_path / "out"
    build(cohort, out)
    (out / store_files.LOCK).unlink()

    def refuse(*args, **kwargs):
        pytest.fail("locked")

    monkeypatch.setattr(lock, "held", refuse)
    assert build(cohort, out).series_ids == ("a1", "B/2", "c3")
    assert not (out / store_files.LOCK).exists()


def test_a_bad_series_stops_or_is_left_out_and_named(cohort, tmp_path, capsys):
    frames = pl.read_parquet(cohort / "train_series.parquet").partition_by("series_id")
    frames[0] = frames[0].with_columns(pl.col("enmo") * 1000)
    pl.concat(frames).write_parquet(cohort / "train_series.parquet")
    with pytest.raises(InputError, match="series 'a1': .*mg vs g"):
        build(cohort, tmp_path / "out")
    store = prepare(cohort, tmp_path / "out", "train", drop_bad=True)
    assert store.series_ids == ("B/2", "c3")
    assert "mg vs g" in store.manifest["skipped"]["a1"]
    assert "series a1 left out: train_series.parquet: series 'a1'" in capsys.readouterr().err
    assert store.events is not None
    assert store.events["series_id"].unique().to_list() == ["B/2"]
    frames = [frames[0]]
    frames[0].write_parquet(cohort / "train_series.parquet")
    with pytest.raises(InputError, match="no series can be used; the first: .*mg vs g"):
        build(cohort, tmp_path / "out", drop_bad=True)


def test_bad_events_stop_prepare_with_the_files_name(cohort, tmp_path):
    pl.concat([nights("zz", [(1, 2)]), nights("a1", [(9, 5)])]).write_csv(
        cohort / "train_events.csv"
    )
    with pytest.raises(InputError, match="^train_events.csv: series 'a1' night 1 has its wakeup"):
        build(cohort, tmp_path / "out")
    assert not any((tmp_path / "out").rglob("*.npy"))  # known before any recording was read
    store = build(cohort, tmp_path / "out", drop_bad=True)
    assert store.events is not None
    assert store.events["step"].to_list() == [None, None]
    assert store.manifest["event_counts"]["n_unknown_series"] == 1
