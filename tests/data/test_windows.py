"""Windows contain their anchor, repeat for a (seed, step), and never look past the series."""

from dataclasses import replace
from typing import cast

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sleepjax.data import windows
from sleepjax.data.labels import Labels, make_labels
from sleepjax.data.recording import Recording
from sleepjax.data.store import Store
from sleepjax.types import InputError, SeriesMeta
from tests.reference import windows as reference
from tests.reference.labels import dense, events_frame


def make_series(n_steps, nights, name="s", features=2, invalid=()):
    meta = SeriesMeta(name, n_steps, 0, 0, ((0, 0),), {})
    ramp = np.arange(n_steps, dtype=np.float32)
    valid = np.ones(n_steps, bool)
    valid[list(invalid)] = False
    labels = make_labels(events_frame(dict(enumerate(nights))), n_steps)
    x = {f"x{f}": ramp + 1000 * f for f in range(features)}
    return Recording(meta, valid, features=x, labels=labels)


def labels_of(one: Recording):
    return dense(one.labels)


SERIES = (
    make_series(900, [(100, 300), (500, 700)], "long"),
    make_series(60, [(20, 40)], "short"),
    make_series(200, [], "unlabelled"),
)
DURATION = 128


def draw(background, seed=0, step=0, batch=400, duration=DURATION):
    sampler = windows.make_sampler(SERIES, duration, background)
    return sampler, *sampler.indices(seed, step, batch)


def test_positive_windows_contain_an_event():
    _, which, start = draw(background=0.0)
    for i, begin in zip(which, start, strict=True):
        events = labels_of(SERIES[i]).nights.ravel()
        assert ((begin <= events) & (events < begin + DURATION)).any()
    assert set(which) == {0, 1}


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("duration", [7, 128, 1000])
def test_windows_lie_inside_the_series(background, duration):
    _, which, start = draw(background, duration=duration)
    lengths = np.array([s.meta.n_steps for s in SERIES])[which]
    assert (start >= 0).all()
    assert (start + duration <= np.maximum(lengths, duration)).all()
    assert 2 not in which  # nothing is known of the unlabelled one


def test_background_anchors_are_any_known_step():
    _, which, start = draw(1.0, batch=20_000, duration=1)
    for i in (0, 1):
        known = labels_of(SERIES[i]).known
        drawn = np.bincount(start[which == i], minlength=len(known))
        assert (drawn[~known] == 0).all()
        assert (drawn[known] > 0).mean() > 0.99
    share = (which == 0).mean()
    known_steps = [labels_of(s).known.sum() for s in SERIES]
    assert share == pytest.approx(known_steps[0] / sum(known_steps), abs=0.02)


def test_share_of_background():
    # Windows of one step show their anchor: events are hit only by chance among the background.
    _, which, start = draw(0.3, batch=20_000, duration=1)
    at_event = [(labels_of(SERIES[i]).nights == s).any() for i, s in zip(which, start, strict=True)]
    assert np.mean(at_event) == pytest.approx(0.7, abs=0.02)


def test_batches_are_a_function_of_seed_and_step():
    make = lambda **kw: windows.train_batch(
        SERIES,
        windows.make_sampler(SERIES, DURATION, 0.5),
        **{"seed": 0, "step": 3, "batch": 8, "downsample": 2} | kw,
    )
    first = make()
    for name, array in make().items():
        np.testing.assert_array_equal(array, first[name])
        assert array.dtype == np.float32
    assert not np.array_equal(make(step=4)["x"], first["x"])
    assert not np.array_equal(make(seed=1)["x"], first["x"])


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_global_batch(processes):
    sampler = windows.make_sampler(SERIES, DURATION, 0.5)
    make = lambda p, n: windows.train_batch(
        SERIES, sampler, seed=0, step=1, batch=8, downsample=2, process=p, processes=n
    )
    whole = make(0, 1)
    parts = [make(p, processes) for p in range(processes)]
    for name in whole:
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 390)), min_size=1, max_size=4),
    st.integers(1, 130),
    st.integers(1, 13),
    st.booleans(),
)
def test_a_batch_is_the_windows_of_the_definition(where, duration, downsample, wear_known):
    one = [SERIES[0], SERIES[1], make_series(400, [(20, 47), (300, 355)], invalid=[0, 50, 399])]
    if wear_known:
        rng = np.random.default_rng(downsample)
        wear = lambda n: np.repeat(rng.integers(-1, 2, n // 20).astype(np.int8), 20)
        one = [
            replace(s, labels=replace(cast(Labels, s.labels), worn=wear(s.meta.n_steps)))
            for s in one
        ]
    windows_of = [(one[i], start) for i, start in where if start < one[i].meta.n_steps]
    assume(windows_of)
    batch = windows.gather_batch(windows_of, duration, downsample)
    for k, (series, start) in enumerate(windows_of):
        expected = reference.gather(series, start, duration, downsample)
        assert expected.keys() == batch.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(batch[name][k], array)
            assert batch[name].dtype == np.float32


@given(st.integers(-DURATION + 1, 120), st.integers(0, DURATION), st.integers(1, 13))
def test_a_window_may_end_before_it_is_full_and_count_at_its_end_only(start, tail, downsample):
    one = SERIES[0]
    end, first = start + DURATION, max(start, 0)
    labels = cast(Labels, one.labels)
    kept = {
        name: np.asarray(getattr(labels, name))[:end] for name in ("asleep", "distance", "known")
    }
    nothing_after = Recording(
        replace(one.meta, n_steps=end),
        np.asarray(one.valid)[:end],
        features={name: np.asarray(values)[:end] for name, values in one.features.items()},
        labels=replace(labels, **kept),
    )
    batch = windows.gather_batch([(one, start)], DURATION, downsample, tail)
    expected = windows.gather_batch([(nothing_after, first)], DURATION, downsample)
    mask = expected.pop("mask")
    found = batch.pop("mask")
    for name, array in expected.items():
        np.testing.assert_array_equal(batch[name], array)
    step = np.arange(mask.shape[1]) * downsample
    np.testing.assert_array_equal(found, mask * (step >= end - first - tail if tail else 1))


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
def test_with_a_tail_the_anchor_is_among_the_last_steps_of_a_window(background):
    sampler = windows.make_sampler(SERIES[:2], DURATION, background, tail=30)
    which, start = sampler.indices(0, 3, 2_000)
    end = start + DURATION
    assert start.min() < 0 and (end <= sampler.lengths[which]).all()
    events = [labels_of(SERIES[i]).nights.ravel() for i in which]
    anchored = [
        ((e - 30 <= found) & (found < e)).any() for e, found in zip(end, events, strict=True)
    ]
    assert np.mean(anchored) >= 1 - 1.1 * background
    counted = windows.train_batch(SERIES[:2], sampler, seed=0, step=3, batch=2_000, downsample=1)
    assert counted["mask"].any(axis=1).all() and counted["mask"].sum(axis=1).max() == 30


@pytest.mark.parametrize("downsample", [1, 2, 4, 6, 8, 12])
def test_an_event_is_at_distance_zero_from_the_centre_of_its_frame(downsample):
    one = SERIES[0]
    for start in range(80, 80 + downsample):
        batch = windows.gather(one, start, DURATION, downsample)
        frame = (100 - start) // downsample
        distance = np.abs(batch["distance"][:, 0])
        assert distance.argmin() == frame
        centre = start + frame * downsample + (downsample - 1) / 2
        assert batch["distance"][frame, 0] == centre - 100
        assert len(batch["distance"]) == -(-DURATION // downsample)


def test_no_frame_between_two_events_is_near_one():
    # The onsets are 100 and 500; around 300 the nearest onset changes inside a frame.
    batch = windows.gather(SERIES[0], 295, 12, 4)
    assert (np.abs(batch["distance"][:, 0]) > 190).all()


def test_mask_is_zero_where_anything_is_unknown_invalid_or_outside():
    one = make_series(100, [(20, 40)], invalid=[50])
    batch = windows.gather(one, 0, 128, 4)
    expected = np.zeros(32)
    expected[:25] = 1
    expected[50 // 4] = 0
    np.testing.assert_array_equal(batch["mask"], expected)
    np.testing.assert_array_equal(batch["x"][:100, 0], np.arange(100))
    assert (batch["x"][100:] == 0).all()


def test_asleep_is_the_share_of_the_frame():
    batch = windows.gather(make_series(100, [(22, 41)]), 0, 100, 4)
    np.testing.assert_allclose(batch["asleep"][4:12], [0, 0.5, 1, 1, 1, 1, 0.25, 0])


@given(st.integers(1, 300), st.integers(1, 100), st.integers(1, 100))
def test_evaluation_windows_cover_every_step(n_steps, duration, stride):
    stride = min(stride, duration)
    starts = windows.eval_starts(n_steps, duration, stride)
    covered = np.zeros(max(n_steps, duration), bool)
    for start in starts:
        covered[start : start + duration] = True
    assert covered[:n_steps].all()
    assert n_steps <= duration or starts[-1] + duration == n_steps
    assert len(set(starts.tolist())) == len(starts)


def test_evaluation_batches_have_one_shape_and_blank_filling():
    batches = list(
        windows.eval_batches(SERIES, duration=DURATION, stride=64, downsample=2, batch=4)
    )
    assert {b["x"].shape for _, b in batches} == {(4, DURATION, 2)}
    jobs = [job for part, _ in batches for job in part]
    assert [i for i, _ in jobs] == sorted(i for i, _ in jobs)
    last, batch = batches[-1]
    assert 0 < len(last) < 4 and (batch["mask"][len(last) :] == 0).all()


def test_no_labelled_night():
    with pytest.raises(
        InputError, match="none of the 1 training series has a fully labelled night"
    ):
        windows.make_sampler(SERIES[2:], DURATION, 0.5)


def test_copied_stretches_are_known_to_have_no_event(tmp_path):
    n = 3_000
    copied = np.zeros(n, bool)
    copied[2_000:2_500] = True
    meta = SeriesMeta("s", n, 0, 0, ((0, 0),), {})

    class OneSeries:  # what load_labelled asks of a Store
        stretches = {}
        recording = staticmethod(
            lambda series_id, features: Recording(meta, np.ones(n, bool), copied=copied)
        )

    events = events_frame({1: (None, None)}).with_columns(series_id=pl.lit("s"))
    labels = labels_of(windows.load_labelled(cast(Store, OneSeries()), "s", (), events))
    np.testing.assert_array_equal(labels.known, copied)
    assert not labels.asleep.any()
