"""The feature store: what goes in comes out, only what differs is written, damage is noticed."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sleepjax.data import features, raw, store_files
from sleepjax.data.store import Store, open_store, prepare
from sleepjax.types import InputError
from tests.reference.series import nights, rows, write_cohort

SOME = ("anglez", "enmo", "hour_sin")


@pytest.fixture
def cohort(tmp_path):
    """Three series, one with a gap, one without events; half of the nights labelled."""
    frames = [
        rows(2400),
        pl.concat([rows(900, "B/2", seed=1)[:300], rows(900, "B/2", seed=1)[500:]]),
    ]
    frames.append(rows(40, "c3", seed=2, offset=3600))
    events = pl.concat(
        [nights("a1", [(120, 600), (None, None), (1200, 1800)]), nights("B/2", [(None, 700)])]
    )
    return write_cohort(tmp_path / "raw", frames, "train", events)


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def modified(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.npy")}


def build(cohort, out, **kwargs) -> Store:
    return prepare(cohort, out, "train", quiet=True, **kwargs)


def test_the_store_holds_what_compute_gives_bit_for_bit(cohort, tmp_path):
    build(cohort, tmp_path / "out")
    store = open_store(tmp_path / "out")
    assert store.series_ids == ("a1", "B/2", "c3")
    assert store.features == features.DEFAULT_FEATURES
    assert store.normalisers == features.NORMALISERS
    assert (store.phase, store.simulated) == ("train", False)
    for recording in raw.iter_recordings(cohort / "train_series.parquet"):
        series_id = recording.meta.series_id
        assert store.meta(series_id) == recording.meta
        np.testing.assert_array_equal(store.valid(series_id), recording.frame["valid"])
        x = features.compute(recording, store.features)
        for f, name in enumerate(store.features):
            array = store.array(series_id, name)
            assert isinstance(array, np.memmap)
            assert array.dtype == np.float32
            assert array.tobytes() == x[:, f].tobytes()


def test_events_are_validated_and_stored(cohort, tmp_path):
    store = build(cohort, tmp_path / "out")
    assert store.events is not None
    assert store.events["step"].to_list() == [120, 600, None, None, 1200, 1800, None, 700]
    assert store.manifest["event_counts"] == {
        "n_nights": 4, "n_labelled": 2, "n_unlabelled": 1, "n_one_sided": 1, "n_dropped": 0,
        "n_unknown_series": 0, "n_series_without_events": 1,
    }  # fmt: skip
    shutil.move(cohort / "train_series.parquet", cohort / "test_series.parquet")
    assert prepare(cohort, tmp_path / "test", "test", quiet=True).events is None


def test_the_simulators_mark_is_kept(cohort, tmp_path):
    (cohort / "simulation.json").write_text("{}")
    assert build(cohort, tmp_path / "out").simulated
    assert "simulated series" in repr(open_store(tmp_path / "out"))


def test_content_groups_find_the_same_recording_under_two_ids(tmp_path):
    frames = [rows(50), rows(50, "b2"), rows(50, "c3", seed=1)]
    groups = prepare(write_cohort(tmp_path / "raw", frames), tmp_path / "out", "test", quiet=True)
    groups = groups.content_groups
    assert groups["a1"] == groups["b2"] != groups["c3"]


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
    with pytest.raises(InputError, match="does not hold feature 'step', only anglez, enmo"):
        open_store(out).array("a1", "step")

    monkeypatch.setitem(features.FEATURES, "enmo", pl.col("enmo") * 2)
    changed = build(cohort, out, features=SOME)
    assert changed.array("c3", "enmo")[1] == pytest.approx(2 * rows(40, seed=2)["enmo"][1])

    path = cohort / "train_series.parquet"
    pl.read_parquet(path).filter(pl.col("series_id") != "c3").write_parquet(path)
    build(cohort, out, features=SOME)
    assert not (out / "c3").exists()


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


def test_stopping_before_any_rename_loses_nothing(tmp_path, monkeypatch):
    """Every place at which a file is put in place is a place to die; then the run is repeated."""
    events = nights("a1", [(12, 60)])
    cohort = write_cohort(tmp_path / "raw", [rows(90), rows(60, "b2", seed=1)], "train", events)
    build(cohort, tmp_path / "want", features=SOME)
    want = tree(tmp_path / "want")
    monkeypatch.setattr("sleepjax.data.writing.WORKERS", 1)
    replace, calls = os.replace, 0
    n_renames = len(want) - 1  # all but the lock
    for k in range(n_renames):
        out = tmp_path / f"out{k}"
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


def test_damage_is_noticed_and_mended(cohort, tmp_path):
    out = tmp_path / "out"
    build(cohort, out)
    want = tree(out)
    with (out / "a1" / "enmo.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(InputError, match="enmo.npy has 1000 bytes, not 9728; re-run prepare"):
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


def test_version_and_missing_store(cohort, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_store(tmp_path / "none")
    build(cohort, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(InputError, match="format version 99, this program reads 1; re-run prepare"):
        open_store(tmp_path / "out")


def test_a_folder_with_other_files_is_left_alone(cohort, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("all I have")
    with pytest.raises(InputError, match="precious holds other files"):
        build(cohort, tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "all I have"
    with pytest.raises(InputError, match="thesis.txt is a file"):
        build(cohort, tmp_path / "precious" / "thesis.txt")


def test_two_at_once(cohort, tmp_path):
    with (
        store_files.locked(tmp_path / "out"),
        pytest.raises(InputError, match="being prepared by another process"),
    ):
        build(cohort, tmp_path / "out")


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
    store = build(cohort, tmp_path / "out", drop_bad=True)
    assert store.events is not None
    assert store.events["step"].to_list() == [None, None]
    assert store.manifest["event_counts"]["n_unknown_series"] == 1


def test_unknown_series(cohort, tmp_path):
    store = build(cohort, tmp_path / "out")
    for read in (store.meta, store.valid, lambda s: store.array(s, "enmo")):
        with pytest.raises(InputError, match="holds no series 'a2'"):
            read("a2")


@pytest.mark.parametrize(
    "series_id", ["038441c925bb", "B/2", "../../etc", ".", "..", "", "ABC", "abc", "x" * 300,
                  "a b", "dürr", "con", "a\nb", "-rf"]
)  # fmt: skip
def test_folder_names_are_safe_and_different(series_id):
    name = store_files.folder_name(series_id)
    assert name.isascii() and 0 < len(name) < 70
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert not name.startswith("-")
    assert name != store_files.folder_name(series_id + "x")
    assert name.lower() != store_files.folder_name(series_id.swapcase() + "!").lower()


def test_manifest_is_complete_json(cohort, tmp_path):
    store = build(cohort, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["dtypes"] == dict.fromkeys(store.features, "float32") | {"valid": "bool"}
    entry = manifest["series"][1]
    meta = json.loads(json.dumps(asdict(store.meta("B/2"))))
    assert {key: entry[key] for key in meta} == meta
    assert entry["qc"]["n_gap_steps"] == 200
    assert len(entry["content"]) == 64
    assert (
        entry["bytes"]["enmo.npy"]
        == (tmp_path / "out" / entry["folder"] / "enmo.npy").stat().st_size
    )
