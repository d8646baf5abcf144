"""Stretches without the watch, or awake: read, checked, stored, and known to hold no sleep."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import stretches, windows
from sleepjax.data.labels import Labels, with_wear
from sleepjax.data.store import open_store, prepare
from sleepjax.types import InputError, SeriesMeta
from tests.reference.labels import dense
from tests.reference.series import small_cohort, tree
from tests.reference.wear import wear

HEADER = "series_id,start_step,end_step"
METAS = {
    name: SeriesMeta(name, 100, first, 0, ((0, 0),), {}) for name, first in (("a", 0), ("b", 50))
}


def written(folder, *lines):
    path = folder / "train_nonwear.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


def rows_of(table, name) -> Any:
    return stretches.rows_of(table, METAS[name])


def located(folder, *lines, **kwargs):
    table = stretches.read_stretches(written(folder, *lines), "nonwear")
    return stretches.locate_stretches(table, METAS, "nonwear", **kwargs)


def test_rows_become_stretches_of_each_recording(tmp_path):
    counts = Counter()
    found = located(tmp_path, "a,10,20", "b,50.0,150", "a,0,1", counts=counts)
    assert rows_of(found, "a").tolist() == [[10, 20], [0, 1]]
    assert rows_of(found, "b").tolist() == [[0, 100]]
    assert counts == {"n_nonwear_series": 2, "n_nonwear_dropped": 0}


def test_a_series_worn_throughout_is_known_and_one_without_a_row_is_not(tmp_path):
    found = located(tmp_path, "a,,")
    assert rows_of(found, "a").shape == (0, 2)
    assert rows_of(found, "b") is None


@pytest.mark.parametrize(
    "lines, message",
    [
        (["", "a,10,20", "", "c,1,2"], r"line 5: series 'c' has no recording"),
        (["", "a,ten,20"], r"line 3: start_step is 'ten'"),
        (["", ",10,20"], r"line 3: series_id is empty"),
        (["a,10,20", "c,1,2"], r"line 3: series 'c' has no recording; correct the row, or"),
        (["a,10,10"], r"line 2: series 'a' is listed .* step 10 to 10; .* steps 0 to 100 .*--drop"),
        (["b,49,60"], r"line 2: series 'b' .* from step 49 to 60; .* steps 50 to 150"),
        (["b,60,151"], r"line 2: series 'b' .* from step 60 to 151"),
        (["a,10,"], r"line 2: series 'a' has only one of start_step and end_step"),
        (
            ["a,1,2", "a,,"],
            r"line 3: series 'a' has an empty row \(the watch was worn throughout\) beside",
        ),
        (["a,x,2"], r"line 2: start_step is 'x'; it must be a whole number .*or empty where the"),
        (["a,1,2.5"], r"line 2: end_step is '2.5'"),
        ([",1,2"], r"line 2: series_id is empty"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        located(tmp_path, *lines)


def test_a_missing_column_and_renumbered_steps_are_named(tmp_path):
    path = tmp_path / "train_nonwear.csv"
    path.write_text("series_id,start,end_step\na,1,2\n")
    with pytest.raises(InputError, match="column 'start_step' is missing, did you mean 'start'"):
        stretches.read_stretches(path, "nonwear")
    meta = SeriesMeta("a", 100, 0, 0, ((0, 0),), {"n_step_mismatch": 3})
    table = stretches.read_stretches(written(tmp_path, "a,1,2"), "nonwear")
    with pytest.raises(InputError, match="steps disagree with its clock"):
        stretches.locate_stretches(table, {"a": meta}, "nonwear")


def test_drop_bad_makes_a_series_unknown_and_counts_it(tmp_path):
    counts = Counter()
    found = located(tmp_path, "a,10,20", "a,90,200", "b,60,70", drop_bad=True, counts=counts)
    assert rows_of(found, "a") is None
    assert rows_of(found, "b").tolist() == [[10, 20]]
    assert counts == {"n_nonwear_series": 1, "n_nonwear_dropped": 1}
    lines = ["a,10,20", "a,x,y", ",1,2", "b,60,70"]
    table = stretches.read_stretches(written(tmp_path, *lines), "nonwear", drop_bad=True)
    meta = SeriesMeta("a", 100, 0, 0, ((0, 0),), {})
    metas = {"a": meta, "b": meta}
    found = stretches.locate_stretches(table, metas, "nonwear", drop_bad=True)
    assert found.rows() == [("b", 60, 70)]


def test_a_store_holds_it_and_follows_the_file(tmp_path):
    cohort = small_cohort(tmp_path / "raw")
    out = tmp_path / "out"
    assert prepare(cohort, out, "train", quiet=True).stretches == {}
    written(cohort, "a1,0,100", "B/2,,")
    store = prepare(cohort, out, "train", quiet=True)
    assert store.stretches["nonwear"].rows() == [("a1", 0, 100), ("B/2", None, None)]
    assert store.manifest["event_counts"]["n_nonwear_series"] == 2
    written(cohort, "a1,0,300", "B/2,,")
    prepare(cohort, out, "train", quiet=True)
    store: Any = prepare(cohort, tmp_path / "fresh", "train", quiet=True)
    assert tree(out) == tree(tmp_path / "fresh")
    load: Any = lambda s: dense(windows.load_labelled(store, s, ("enmo",), store.events).labels)
    one, other, last = map(load, store.series_ids)
    assert one.worn[:300].max() == 0 and one.worn[300:].min() == 1
    assert one.known[:300].all() and not one.asleep[:300].any()
    assert (other.worn == 1).all() and (last.worn == -1).all()
    (cohort / "train_nonwear.csv").unlink()
    prepare(cohort, out, "train", quiet=True)
    assert open_store(out).stretches == {}


def test_minutes_awake_are_no_sleep(tmp_path):
    """They change what is asleep within a night, and nothing else; unknown is all asleep."""
    cohort = small_cohort(tmp_path / "raw")
    load: Any = lambda store: [
        dense(windows.load_labelled(store, s, ("enmo",), store.events).labels)
        for s in store.series_ids
    ]
    before = load(prepare(cohort, tmp_path / "out", "train", quiet=True))
    onset, wakeup = before[0].nights[0]
    lines = [f"a1,{onset + 60},{onset + 180}", "B/2,,"]
    text = "\n".join((HEADER, *lines)) + "\n"
    (cohort / "train_awake.csv").write_text(text)
    store = prepare(cohort, tmp_path / "out", "train", quiet=True)
    assert store.manifest["event_counts"]["n_awake_series"] == 2
    after = load(store)
    assert not after[0].asleep[onset + 60 : onset + 180].any()
    assert after[0].asleep[onset : onset + 60].all() and after[0].asleep[onset + 180]
    for old, new in zip(before, after, strict=True):
        assert (old.known == new.known).all() and (old.distance == new.distance).all()
        assert new.worn is None
    assert (before[1].asleep == after[1].asleep).all()
    (cohort / "train_awake.csv").write_text(text + "a1,9,2\n")
    with pytest.raises(InputError, match=r"train_awake.csv, line 4: .* listed as awake from"):
        prepare(cohort, tmp_path / "out", "train", quiet=True)


flags = lambda n: st.lists(st.booleans(), min_size=n, max_size=n)


@given(
    asleep=flags(30),
    known=flags(30),
    copied=flags(30),
    edges=st.one_of(
        st.none(), st.lists(st.tuples(st.integers(0, 29), st.integers(1, 30)), max_size=3)
    ),
)
def test_labels_with_wear_equal_their_definition(asleep, known, copied, edges):
    stretches = None if edges is None else [(a, b) for a, b in edges if a < b]
    rows = None if stretches is None else np.array(stretches, np.int64).reshape(-1, 2)
    known = [k or a for k, a in zip(known, asleep, strict=True)]  # a labelled night is known
    labels = Labels(
        np.array(asleep), np.zeros((30, 2), np.int32), np.array(known), np.zeros((0, 2))
    )
    found: Any = with_wear(labels, np.array(copied), rows, target=True)
    expected = wear(asleep, known, copied, stretches)
    for values, want in zip((found.asleep, found.known, found.worn), expected, strict=True):
        assert values.tolist() == want
    assert with_wear(labels, np.array(copied), rows, target=False).worn is None
