"""Keypoints and intervals: what they learn from labels, and how they become probabilities."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from sleepjax import objectives
from sleepjax.objectives import interval_queries as detr
from sleepjax.objectives import keypoints as centernet
from sleepjax.objectives import losses
from sleepjax.types import InputError
from tests.reference import objectives as reference
from tests.support.windows import D, window

SIGMA = 20.0
WEIGHTS = {"centernet": (1.0, 1.0, 1.0, 1.0), "detr": (1.0, 1.0, 1.0)}
LOSSES = {
    name: objectives.make(name, downsample=D, sigma=SIGMA, weights=weights)
    for name, weights in WEIGHTS.items()
}


def compiled(name):
    """(outputs, batch) -> (loss sum, count), its gradient; and the probabilities of 400 steps."""
    loss = lambda o, b: LOSSES[name].loss((o, {}), b, jnp.zeros((), jnp.int32))
    both = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return both, jax.jit(lambda o: LOSSES[name].probabilities((o, {}), 400))


CALLS = {name: compiled(name) for name in LOSSES}


def test_a_certain_event_sums_to_the_steps_it_is_spread_over():
    """The probabilities of a model that is sure and right, added up around one event."""
    make = partial(objectives.make, downsample=D, sigma=SIGMA)
    distance = jnp.arange(-2000.0, 2001.0)[None, :, None].repeat(2, axis=2)
    for target, decay in (("gaussian", 0), ("tolerance", 0), ("tolerance", 100)):
        at = losses.targets(target, sigma=SIGMA, decay=decay)
        frames = at(jnp.zeros(distance.shape[:2]), distance, jnp.asarray(100))
        made = make("segmentation", weights=(1, 1, 1), target=target, decay=decay)
        assert made.event_steps == pytest.approx(float(frames[0, :, 1].sum()), rel=1e-4)

    made = make("detr", weights=(1, 1, 1))
    sure = jnp.array([[[30.0, 30.0, 30.0, 1000.0, 1500.0]]])
    onset = made.probabilities((sure, {}), 2000)[0, :, 1]
    assert made.event_steps == pytest.approx(float(onset.sum()), rel=1e-3)

    made = make("centernet", weights=(1, 1, 1, 1))
    away = ((jnp.arange(2400 // D) * D + (D - 1) / 2)[None, :, None] - 1000.0).repeat(2, axis=2)
    heat = jnp.exp(-0.5 * jnp.square(away / SIGMA))
    onset = centernet.cast_votes(heat, -away, 2400, D, SIGMA)[0, :, 0]
    assert made.event_steps == pytest.approx(float(onset.sum()), rel=0.1)


def loss_of(name, outputs, batch):
    """(sum, count, gradient)"""
    (total, count), grad = CALLS[name][0](outputs, batch)
    return float(total), float(count), np.array(grad)


def probabilities_of(name, outputs):
    return np.array(CALLS[name][1](outputs))[0]


def test_each_class_learns_its_own_offset_and_size_near_its_own_event():
    batch = window([(1010, 1203)], 900)
    frames = batch["mask"].shape[1]
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(1, frames, 7)), jnp.float32)
    grad = np.abs(loss_of("centernet", outputs, batch)[2])[0]
    centre = np.arange(frames) * D + (D - 1) / 2
    for column, event in ((3, 110), (4, 303), (5, 110), (6, 303)):
        near = np.abs(centre - event) <= 2 * SIGMA
        assert (grad[near, column] > 0).all() and (grad[~near, column] == 0).all()
    assert (grad[:, :3] > 0).all()


def perfect_keypoints(batch):
    """What CenterNet would say if it knew."""
    distance = batch["distance"]
    peak = np.clip(np.exp(-0.5 * (np.array(distance) / SIGMA) ** 2), 1e-4, 1 - 1e-4)
    asleep = np.clip(np.array(batch["asleep"]), 0.01, 0.99)[..., None]
    sizes, _ = centernet.sizes_near(batch, D, 2 * SIGMA)
    logit = lambda p: np.log(p / (1 - p))
    parts = [logit(asleep), logit(peak), -distance / SIGMA, np.log(sizes / 5760)]
    return jnp.concatenate([jnp.asarray(part, jnp.float32) for part in parts], axis=-1)


def test_loss_is_least_for_the_truth_and_counts_events():
    batch = window([(1010, 1203)], 900)
    truth = perfect_keypoints(batch)
    best, count, _ = loss_of("centernet", truth, batch)
    assert count == 2
    for column in range(3, 7):
        worse, *_ = loss_of("centernet", truth.at[..., column].add(0.5), batch)
        # Half a unit for one object, whose frames weigh 1 together (less what lies beyond 2 sigma).
        assert worse - best == pytest.approx(0.5, abs=0.04)
    sizes, known = centernet.sizes_near(batch, D, 2 * SIGMA)
    assert set(np.array(sizes)[np.array(known) > 0]) == {193.0}


def test_decoding_puts_the_peak_where_the_offsets_point():
    batch = window([(1010, 1203)], 900)
    truth = perfect_keypoints(batch)
    probs = probabilities_of("centernet", truth)
    assert probs[:, 1].argmax() == 110 and probs[:, 2].argmax() == 303
    moved = truth.at[..., 3].add(7 / SIGMA)  # only the offsets move
    probs = probabilities_of("centernet", moved)
    assert probs[:, 1].argmax() == 117 and probs[:, 2].argmax() == 303
    assert 0.5 < probs[117, 1] <= 1


def test_votes_equal_their_sum():
    rng = np.random.default_rng(0)
    heat, offset = rng.random((1, 12, 2)), rng.normal(size=(1, 12, 2)) * 30
    got = centernet.cast_votes(jnp.asarray(heat), jnp.asarray(offset), 46, D, SIGMA)
    want = reference.votes(heat[0], offset[0], 46, D, SIGMA)
    np.testing.assert_allclose(got[0], want, atol=1e-5)


# ---- DETR


def intervals_output(*queries):
    """[1,Q,5]: (probability, onset inside, wakeup inside, onset, wakeup) of each query."""
    queries = np.array(queries, np.float64)
    queries[:, :3] = np.log(queries[:, :3] / (1 - queries[:, :3]))
    return jnp.asarray(queries, jnp.float32)[None]


SURE, NEVER = 0.999, 0.001


@pytest.mark.parametrize("seed", range(5))
def test_assignment_is_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    cost, real = rng.normal(size=(2, 6, 6)), rng.random((2, 6)) < 0.5
    query = np.array(jax.jit(detr.assign)(jnp.asarray(cost), jnp.asarray(real)))
    for c, r, q in zip(cost, real, query, strict=True):
        assert sorted(q) == list(range(6))
        rows, columns = linear_sum_assignment(np.where(r, c, 0.0))
        best = c[rows, columns][r[columns]].sum()
        assert c[q[r], np.flatnonzero(r)].sum() == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    "a, b, want",
    [
        ((0, 10), (0, 10), 1.0),
        ((0, 10), (5, 15), 5 / 15),
        ((0, 10), (10, 20), 0.0),
        ((0, 10), (30, 40), -0.5),
        ((10, 0), (0, 10), 0.0),
    ],
)
def test_generalised_overlap(a, b, want):
    got = detr.generalised_iou(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32))
    assert float(got) == pytest.approx(want, abs=1e-6)


def test_the_right_intervals_in_any_order_have_the_least_loss():
    batch = window([(950, 1100), (1200, 1290)], 900)
    one, two = (SURE, SURE, SURE, 50, 200), (SURE, SURE, SURE, 300, 390)
    none = (NEVER, 0.5, 0.5, 0, 100)
    right, count, _ = loss_of("detr", intervals_output(one, two, none), batch)
    other, *_ = loss_of("detr", intervals_output(none, two, one), batch)
    assert count == 2 and right == pytest.approx(other, rel=1e-4) and right < 0.02
    late = (SURE, SURE, SURE, 50 + 72, 200)
    worse, *_ = loss_of("detr", intervals_output(late, two, none), batch)
    # 72 steps are 0.1 h; 72 of 150 steps do not overlap.
    assert worse - right == pytest.approx(0.1 + 72 / 150, abs=1e-3)
    unsure = (0.5, 0.5, 0.5, 210, 290)
    extra, *_ = loss_of("detr", intervals_output(one, two, unsure), batch)
    assert extra - right == pytest.approx(np.log(2), abs=0.01)


def test_an_end_outside_the_window_has_no_position_to_learn():
    batch = window([(1010, 1203)], 1100)  # from before the window to step 103
    none = (NEVER, 0.5, 0.5, 200, 300)
    query = intervals_output((SURE, NEVER, SURE, 20, 100), none, none)
    total, _, grad = loss_of("detr", query, batch)
    assert grad[0, 0, 3] == 0 and grad[0, 0, 4] < 0
    assert total < 0.1


@pytest.mark.parametrize("name, columns", [("centernet", (100, 7)), ("detr", (3, 5))])
def test_windows_without_events_give_no_nan_and_blank_ones_nothing(name, columns):
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(1, *columns)), jnp.float32)
    empty = window([(1010, 1203)], 2000)
    total, count, grad = loss_of(name, outputs, empty)
    assert count == 0 and total > 0 and np.isfinite(grad).all() and np.abs(grad).max() > 0
    blank = window([(1010, 1203)], 900)
    blank |= {"mask": jnp.zeros_like(blank["mask"])}
    total, count, grad = loss_of(name, outputs, blank)
    assert total == 0 and count == 0 and (grad == 0).all()


def test_queries_in_unknown_nights_are_neither_right_nor_wrong():
    batch = window([(1010, 1203)], 2000)
    batch |= {"mask": jnp.ones((1, 100)).at[:, 50:].set(0.0)}
    known, unknown = (SURE, 0.5, 0.5, 10, 150), (SURE, 0.5, 0.5, 250, 390)
    quiet = (NEVER, 0.5, 0.5, 0, 10)
    loss = lambda *q: loss_of("detr", intervals_output(*q), batch)[0]
    assert loss(unknown, quiet, quiet) < 0.01 < 5 < loss(known, quiet, quiet)


def test_intervals_become_scores_at_their_ends_and_sleep_between_them():
    none = (NEVER, 0.5, 0.5, 0, 10)
    output = intervals_output((0.8, 0.9, NEVER, 100, 250), (0.1, SURE, SURE, 20, 60), none)
    probs = probabilities_of("detr", output)
    assert probs[100, 1] == pytest.approx(0.72, abs=0.01) and probs[:, 1].argmax() == 100
    assert probs[:, 2].max() == pytest.approx(0.1, abs=0.01) and probs[:, 2].argmax() == 60
    # The wakeup lies outside, so the sleep goes on to the window's end.
    assert probs[300, 0] == pytest.approx(0.8, abs=0.01) and probs[5, 0] < 0.1
    assert probs[100 - 60, 1] < 0.2


# ---- what is refused


def test_what_is_refused():
    refused = lambda match: pytest.raises(InputError, match=match)
    with refused(r"loss.name='detrr' is unknown, did you mean 'detr'\? Known: segmentation"):
        objectives.make("detrr", downsample=4)
    with refused(r"setting 'target' of loss 'detr' is unknown.* Known: sigma, weights. Start from"):
        objectives.make("detr", downsample=4, sigma=1.0, weights=(1, 1, 1), target="gaussian")
    with refused(r"loss.name='centernet' reads 7 outputs and the model has 3; it belongs to model"):
        LOSSES["centernet"].probabilities((jnp.zeros((1, 10, 3)), {}), 40)
    with refused(r"model.queries=3 must be at least 4 for windows of 34560 steps"):
        detr.check_queries(3, 34_560)


# ---- worn, beside the classes


def test_worn_learns_from_its_own_frames_and_leaves_the_classes_alone():
    make = lambda **worn: objectives.make(
        "segmentation", downsample=D, sigma=SIGMA, weights=(1.0, 2.0, 3.0), **worn
    )
    rng = np.random.default_rng(0)
    batch = window([(100, 200)])
    flags = lambda p: jnp.asarray(rng.random((1, 100)) < p, jnp.float32)
    batch |= {"worn": flags(0.7), "worn_mask": flags(0.6), "mask": flags(0.5)}
    logits = rng.normal(size=(1, 100, 4)).astype(np.float32)
    zero = jnp.zeros((), jnp.int32)
    total, count = make(worn=0.5).loss((jnp.asarray(logits), {}), batch, zero)
    classes, n = make().loss((jnp.asarray(logits[..., :3]), {}), batch, zero)
    more = frames = 0.0
    for x, y, m in zip(logits[0, :, 3], batch["worn"][0], batch["worn_mask"][0], strict=True):
        p = 1 / (1 + np.exp(-x))
        more += 0.5 * m * -np.log(p if y else 1 - p)
        frames += 0.5 * m
    assert float(total - classes) == pytest.approx(float(more), rel=1e-4)
    assert float(count - n) == pytest.approx(float(frames))
    probs = make(worn=0.5).probabilities((jnp.asarray(logits), {}), 400)
    assert probs.shape == (1, 400, 4)
    np.testing.assert_array_equal(
        probs[..., :3], make().probabilities((jnp.asarray(logits[..., :3]), {}), 400)
    )


def test_worn_is_refused_where_it_means_nothing():
    with pytest.raises(InputError, match="reads 4 outputs and the model has 3"):
        objectives.make(
            "segmentation", downsample=D, sigma=SIGMA, weights=(1, 1, 1), worn=1.0
        ).probabilities((jnp.zeros((1, 5, 3)), {}), 20)
    with pytest.raises(InputError, match=r"loss.worn=-1.0 must be a finite weight of at least 0"):
        objectives.make("segmentation", downsample=D, sigma=SIGMA, weights=(1, 1, 1), worn=-1.0)
    for name, weights in WEIGHTS.items():
        with pytest.raises(InputError, match=f"setting 'worn' of loss '{name}' is unknown"):
            objectives.make(name, downsample=D, sigma=SIGMA, weights=weights, worn=1.0)
