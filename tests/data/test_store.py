"""The feature store: what goes in comes out."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleepjax.data import (
    derived,
    features,
    identity,
    plausible,
    raw,
    repair,
    rest,
    store_files,
    windows,
)
from sleepjax.data.store import Store, open_store, prepare
from sleepjax.types import STEPS_PER_DAY, InputError, SeriesMeta
from tests.reference.series import nights, rows, small_cohort, tree, write_cohort

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
    assert store.features == features.PREPARED
    assert store.normalisers == features.NORMALISERS
    assert (store.phase, store.simulated) == ("train", False)
    for recording in raw.iter_recordings(cohort / "train_series.parquet"):
        series_id = recording.meta.series_id
        assert store.meta(series_id) == recording.meta
        np.testing.assert_array_equal(store.valid(series_id), recording.frame["valid"])
        assert store.recording(series_id).frame.equals(recording.frame)
        x = features.compute(recording, features.DEFAULT_FEATURES)
        for f, name in enumerate(features.DEFAULT_FEATURES):
            array = store.array(series_id, name)
            assert np.asarray(array).dtype == np.float32
            assert np.asarray(array).tobytes() == x[:, f].tobytes()
            np.testing.assert_array_equal(array[7:30:4], x[7:30:4, f])


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
    with pytest.raises(InputError, match="format version 99, this program reads 4; re-run prepare"):
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
    entry = manifest["series"][1]
    assert sum(entry["bytes"].values()) < 13 * entry["n_steps"] + 4 * 128 + 4_096
    meta = json.loads(json.dumps(asdict(store.meta("B/2"))))
    assert {key: entry[key] for key in meta} == meta
    assert entry["qc"]["n_gap_steps"] == 200
    assert len(entry["content"]) == 64
    assert (
        entry["bytes"]["repeat.npy"]
        == (tmp_path / "out" / entry["folder"] / "repeat.npy").stat().st_size
    )


def test_a_file_cut_short_while_it_is_read_is_an_error_not_a_crash(cohort, tmp_path):
    store = build(cohort, tmp_path / "out", features=SOME)
    array, path = store.array("a1", "enmo"), tmp_path / "out" / "a1" / "enmo.npy"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 400)
    assert len(array[:10]) == 10
    with pytest.raises(
        InputError, match="enmo.npy was cut short while it was in use; the same command"
    ):
        array[10:]
    path.unlink()
    with pytest.raises(InputError, match=r"enmo.npy cannot be read \(No such file"):
        np.asarray(array)


def test_no_file_stays_open(cohort, tmp_path):
    """277 series of 13 arrays would be more than the usual limit of 1,024."""
    store = build(cohort, tmp_path / "out")
    count = lambda: len(list(Path("/proc/self/fd").iterdir()))
    before = count()
    kept = [store.array(s, f) for s in store.series_ids for f in features.DEFAULT_FEATURES]
    assert all(len(array[:5]) for array in kept) and count() == before


def test_what_is_known_does_not_depend_on_the_features_that_are_stored(tmp_path):
    """A copy of another day holds no sleep, whether the store has the feature `repeat` or not."""
    day = rows(17_280, "a1")
    twice = pl.concat([day, rows(2 * 17_280, "a1")["step", "timestamp"][17_280:].hstack(
        day["series_id", "anglez", "enmo"])[day.columns]])  # fmt: skip
    cohort = write_cohort(tmp_path / "raw", [twice], "train", nights("a1", [(12, 60)]))
    known = []
    for out, names in (("with", ("enmo", "repeat")), ("without", ("enmo",))):
        store = build(cohort, tmp_path / out, features=names)
        assert store.events is not None and np.asarray(store.recording("a1").copied).any()
        labels = windows.load_labelled(store, "a1", ("enmo",), store.events).labels
        assert labels is not None
        known.append(np.asarray(labels.known))
    assert known[0][20_000:34_000].all()
    np.testing.assert_array_equal(*known)


@pytest.mark.parametrize(
    ("module", "name"), [(plausible, "RANGES"), (rest, "NOT_WORN"), (rest, "TURN")]
)
def test_another_repair_makes_another_store(cohort, tmp_path, monkeypatch, module, name):
    """Not only settings: a store that was prepared by other code is not up to date."""
    build(cohort, tmp_path / "out")
    edited = {"RANGES": {"anglez": (-90.0, 90.0), "enmo": (0.0, 0.05)}, "NOT_WORN": 10, "TURN": 9.0}
    before = identity.repair_code()
    monkeypatch.setattr(repair, "MAX_OUT_OF_RANGE_SHARE", 1.0)
    monkeypatch.setattr(module, name, edited[name])
    assert identity.repair_code() != before
    prepare(cohort, tmp_path / "fresh", "train", quiet=True)
    build(cohort, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_comments_and_docstrings_are_no_other_code():
    text = lambda body: identity._statements(f"def f(x):\n{body}    return x + 1\n")
    assert text("") == text('    """Words."""\n    # a remark\n')
    assert text("") != text("    x = 2 * x\n")


@settings(max_examples=30)
@given(st.data())
def test_slices_of_derived_features_are_those_of_the_computed_ones(data):
    """Across changes of the clock, at any second of the day, and for values at every edge."""
    n, start = data.draw(st.integers(1, 40_000)), data.draw(st.integers(0, 2**31))
    turns = data.draw(st.lists(st.integers(1, n), max_size=3, unique=True).map(sorted))
    offset = st.integers(-56, 56).map(lambda quarter: quarter * 900)
    offsets = tuple((row, data.draw(offset)) for row in (0, *(row for row in turns if row < n)))
    meta = SeriesMeta("a", n, 0, start, offsets, {})
    rng = np.random.default_rng(n)
    signals = {
        "anglez": rng.uniform(-90, 90, n).astype(np.float32),
        "enmo": rng.choice([0.0, 0.02, 0.041315, 1.0, 1.0000001, 7.5], n).astype(np.float32),
    }
    stored: Any = signals.__getitem__
    recording = repair.filled(meta, np.stack(list(signals.values())), np.ones(n, bool))
    ends = st.integers(-n, n)
    rows = slice(data.draw(ends), data.draw(ends), data.draw(st.integers(1, 5)))
    for name in (*derived.SIGNALS, *derived.CLOCK):
        found = derived.derived(name, meta, stored)
        assert found is not None and len(found) == n
        want = features.compute(recording, [name])[:, 0]
        assert found[rows].dtype == np.float32
        assert found[rows].tobytes() == want[rows].tobytes(), name
    assert derived.derived("month_sin", meta, stored) is None


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_copies_of_days_are_those_of_the_computed_feature(seed):
    """Of coarse signals, which agree by chance too, with copies of other days and gaps."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9 * STEPS_PER_DAY))
    signals = rng.integers(0, rng.integers(2, 9), (2, n)).astype(np.float32)
    for first in rng.integers(0, n, rng.integers(4)):
        lag, size = rng.integers(1, 9) * STEPS_PER_DAY, rng.integers(1, 5_000)
        source = signals[:, max(first - lag, 0) : max(first - lag + size, 0)].copy()
        signals[:, first : first + source.shape[1]] = source[:, : n - first]
    valid = np.repeat(rng.random(n // 100 + 1) < rng.choice([0.5, 1.0]), 100)[:n]
    recording = repair.filled(SeriesMeta("a", n, 0, 0, ((0, 0),), {}), signals, valid)
    want = features.compute(recording, ["repeat"])[:, 0]
    assert derived.repeat(recording).tobytes() == want.tobytes()
