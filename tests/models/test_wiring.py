"""Where in time an answer lies, and what reaches it: alignment through all levels, skips."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax.models.spec import real_frames
from tests.support.models import BATCH, DOWNSAMPLE, MEMBERS, apply, build, member

X = BATCH["x"]
PERIOD = {"spec1d": 2, "spec2d": 8, "panns, tcn": 1}
"""Member -> frames by which its deepest level strides."""


@pytest.fixture(scope="module", params=list(PERIOD))
def tiny(request):
    one = MEMBERS[request.param]
    if request.param == "spec2d":  # two levels below the stem
        one = member("spec2d", **one.settings | dict(unet2d=dict(depths=(1, 1), width=8)))
    model = build(one)
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), X[:1])
    evaluate = jax.jit(lambda variables, x: apply(model, variables, x, None)[0])
    return SimpleNamespace(name=request.param, variables=variables, evaluate=evaluate)


def test_a_later_signal_moves_the_answer_by_as_many_frames(tiny):
    """Exact alignment through all levels: shift the input by the deepest stride, in frames."""
    frames = PERIOD[tiny.name]
    late = jnp.roll(X, frames * DOWNSAMPLE, axis=1)
    before, _ = tiny.evaluate(tiny.variables, X)
    after, _ = tiny.evaluate(tiny.variables, late)
    inner = slice(45, 53)
    shifted = slice(inner.start + frames, inner.stop + frames)
    np.testing.assert_allclose(before[:, inner], after[:, shifted], atol=1e-3)
    assert not np.allclose(before[:, inner], after[:, inner], atol=1e-2)


def test_padding_is_seen_without_being_told():
    """Zeros at the end of a window are no frames, zeros inside it are."""
    gap = X.at[:, 100:140].set(0.0).at[0, 301:].set(0.0)
    want = np.ones((3, 101))
    want[0, 76:] = 0
    np.testing.assert_array_equal(real_frames(gap, DOWNSAMPLE), want)
    assert (np.array(real_frames(jnp.zeros((1, 9, 2)), DOWNSAMPLE)) == 1).all()
    model = build(MEMBERS["spec, lstm"])
    params = jax.jit(partial(model.init, train=False))(jax.random.key(0), X[:1])
    evaluate = jax.jit(lambda x, mask: apply(model, params, x, mask)[0][0])
    padded = evaluate(gap, None)
    np.testing.assert_allclose(padded, evaluate(gap, jnp.asarray(want)), atol=1e-6)
    assert np.abs(np.array(padded - evaluate(gap, jnp.ones((3, 101)))))[0, :76].max() > 1e-3


UNETS = pytest.mark.parametrize("tiny", ["spec1d", "spec2d"], indirect=True)


@UNETS
def test_full_resolution_skip_carries_the_signal_alone(tiny):
    """Zero everything below the top level: an impulse still answers, and near its own frame."""
    keep = ("'extractor'", "'head'", "'down0'", "'up0'", "'up1'")

    def top(path, value):
        name = jax.tree_util.keystr(path)
        kept = any(k in name for k in keep) and "'encoder'" not in name
        return value if kept or "batch_stats" in name else jnp.zeros_like(value)

    variables = jax.tree_util.tree_map_with_path(top, tiny.variables)
    frame = 53
    x = X.at[:, frame * DOWNSAMPLE + 1].add(3.0)
    quiet, out = tiny.evaluate(variables, X)
    moved, _ = tiny.evaluate(variables, x)
    assert np.abs(out["decoder/down1"]).max() == 0
    change = np.abs(np.array(moved - quiet)).max(axis=(0, 2))
    reached = np.flatnonzero(change > 1e-7)
    radius = {"spec1d": 1 + 4, "spec2d": 1 + 6 + 1 + 4}[tiny.name]
    assert change[frame] > 1e-5
    assert frame - radius <= reached.min() < frame < reached.max() <= frame + radius


@UNETS
def test_each_level_takes_the_level_below_and_its_skip(tiny):
    params, image = tiny.variables["params"], 4 * 2  # 2x2 blocks of two banks
    ups = {
        (part, name): level["conv1"]["kernel"].shape
        for part in ("decoder", "unet2d")
        for name, level in params.get(part, {}).items()
        if name.startswith("up")
    }
    first = {("decoder", "up0"): (3, 2 * 8, 8)}
    second = {
        ("unet2d", "up1"): (3, 3, 4 + 8 + image, 4),
        ("unet2d", "up2"): (3, 3, 8 + 8, 8),
    }
    assert ups == {"spec1d": first, "spec2d": first | second}[tiny.name]
