"""The feature store: what goes in comes out."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest

from sleepjax.data import features, raw, store_files
from sleepjax.data.store import Store, open_store, prepare
from sleepjax.types import InputError
from tests.reference.series import rows, small_cohort, write_cohort

SOME = ("anglez", "enmo", "hour_sin")


@pytest.fixture
def cohort(tmp_path):
    return small_cohort(tmp_path / "raw")


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


def test_version_and_missing_store(cohort, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_store(tmp_path / "none")
    build(cohort, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(InputError, match="format version 99, this program reads 1; re-run prepare"):
        open_store(tmp_path / "out")


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
