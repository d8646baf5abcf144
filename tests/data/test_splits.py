"""Folds are disjoint, complete, seeded, stratified, and never split a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data.splits import kfold
from sleepjax.types import InputError


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 30), min_size=6),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_every_series_is_in_exactly_one_fold(nights, folds, seed):
    parts = kfold(nights, folds, seed)
    assert sorted(s for part in parts for s in part) == sorted(nights)
    assert parts == kfold(dict(reversed(nights.items())), folds, seed)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_seed_changes_the_folds():
    nights = {f"s{i}": 10 for i in range(20)}
    assert kfold(nights, 5, 0) != kfold(nights, 5, 1)


def test_folds_share_the_strata():
    nights = {f"s{i:03d}": i // 10 for i in range(100)}
    totals = [sum(nights[s] for s in part) for part in kfold(nights, 5, 0)]
    assert max(totals) - min(totals) <= 9
    empty = [sum(nights[s] == 0 for s in part) for part in kfold(nights, 5, 0)]
    assert empty == [2] * 5


def moved(before, after):
    """Series that are in both and changed their fold."""
    fold = lambda parts: {s: k for k, part in enumerate(parts) for s in part}
    old, new = fold(before), fold(after)
    return [s for s in old.keys() & new.keys() if old[s] != new[s]]


def test_content_moves_no_series():
    """Another hash of one recording, and names of groups in another order, change nothing."""
    nights = {f"s{i:02d}": 8 + i % 7 for i in range(60)}
    content = {s: f"hash of {s}" for s in nights}
    before = kfold(nights, 5, 0, content)
    for changed in ("zzz", "000"):
        assert kfold(nights, 5, 0, content | {"s07": changed}) == before
    assert kfold(nights, 5, 0) == before


@given(st.integers(0, 20), st.integers(0, 14))
def test_a_series_more_or_less_moves_few(seed, labelled):
    nights = {f"s{i:02d}": 8 + i % 7 for i in range(60)}
    more = kfold(nights | {"new": labelled}, 5, seed)
    assert len(moved(kfold(nights, 5, seed), more)) <= 8
    fewer = kfold({s: n for s, n in nights.items() if s != "s30"}, 5, seed)
    assert len(moved(kfold(nights, 5, seed), fewer)) <= 8


@given(st.integers(0, 20))
def test_a_group_stays_together(seed):
    nights = {f"s{i}": i % 4 for i in range(24)}
    groups = {s: f"person{int(s[1:]) // 3}" for s in nights}
    for part in kfold(nights, 4, seed, groups):
        inside = {groups[s] for s in part}
        assert all(s in part for s in nights if groups[s] in inside)


def test_too_few_series():
    with pytest.raises(
        InputError, match=r"data.folds=5 needs .* the data holds 3. Set data.folds=3"
    ):
        kfold({"a": 1, "b": 1, "c": 0}, 5, 0)
