"""Devices, prefetch, resident data, a split optimiser: they change how a run goes, not its end."""

import os
import subprocess
import sys
import threading
import time
from functools import partial

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from jax.sharding import AxisType, SingleDeviceSharding

from sleepjax import models
from sleepjax.data import source, windows
from sleepjax.data.labels import Labels
from sleepjax.data.recording import Recording
from sleepjax.parallel import sharding
from sleepjax.runs import runtime, stop
from sleepjax.training import input_pipeline, loop
from sleepjax.training.input_pipeline import prefetch
from sleepjax.training.state import init_state
from sleepjax.types import InputError, SeriesMeta
from tests.support.project import QUICK
from tests.support.runs import final_state, leaves_equal
from tests.support.training import SMALL, TX, make_batch, stepper

# ---- device counts

LOSSES = """
import jax, numpy as np
from jax.sharding import AxisType
from sleepjax import models
from sleepjax.parallel import sharding
from sleepjax.training.state import init_state
from tests.support.training import MODEL, TX, make_batch, stepper
step = stepper()
init = lambda key: init_state(key, make_batch()["x"], model=MODEL, tx=TX, ema=0.0)
start = jax.device_get(jax.jit(init)(jax.random.key(0)))
for n in (1, 2, 4, 8):
    mesh = jax.make_mesh((n,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:n])
    replicated, by_batch = sharding.shardings(mesh)
    state, losses = jax.device_put(start, replicated), []
    for i in range(6):
        batch = sharding.to_global(make_batch(seed=i), by_batch)
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    print("losses", *losses)
"""


@pytest.mark.slow
def test_the_losses_are_those_of_one_device(project):
    """1, 2, 4 and 8 devices, with dropout and batch statistics."""
    env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count=8 {QUICK}"}
    done = subprocess.run(
        [sys.executable, "-c", LOSSES], cwd=project, env=env, capture_output=True, text=True
    )
    rows = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("losses")]
    assert len(rows) == 4, done.stderr
    losses = np.array(rows, float)
    np.testing.assert_allclose(losses[1:], np.tile(losses[0], (3, 1)), rtol=1e-5)
    assert losses[0, -1] < losses[0, 0]


@pytest.fixture(scope="module")
def data(tiny_config):
    config = tiny_config()
    return source.open_training_data(config.data, config.simulate)


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_processes_share_the_data_of_one(data, processes):
    sampler = windows.make_sampler(data.train, 96, 0.5)
    make = partial(windows.train_batch, data.train, sampler, seed=1, step=7, batch=8, downsample=5)
    whole = make()
    parts = [make(process=i, processes=processes) for i in range(processes)]
    for name, array in whole.items():
        np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), array)

    # Validation: 8 windows a batch do not fill the last one, and some processes have none of it.
    make = partial(windows.eval_batches, data.valid, duration=960, stride=700, downsample=5)
    whole = list(make(batch=8))
    parts = [list(make(batch=8, process=i, processes=processes)) for i in range(processes)]
    assert len(whole[-1][0]) < 8
    for k, (where, batch) in enumerate(whole):
        assert all(part[k][0] == where for part in parts)
        for name, array in batch.items():
            found = np.concatenate([part[k][1][name] for part in parts])
            used = slice(None) if name == "mask" else slice(len(where))
            np.testing.assert_array_equal(found[used], array[used])


def mesh_of(count):
    auto = (AxisType.Auto,)
    return jax.make_mesh((count,), ("data",), axis_types=auto, devices=jax.devices()[:count])


@pytest.mark.slow
def test_a_run_goes_on_with_other_devices_and_another_execution(
    finished, tiny_config, tmp_path, monkeypatch
):
    """Two devices, resident, split optimiser; from step 3 on four devices as usual: 1e-5."""
    original = loop.Profile.at

    def stopping(self, step, wait_for):
        original(self, step, wait_for)
        if step == 2:
            os.kill(os.getpid(), stop.SIGNALS[0])

    monkeypatch.setattr(loop.Profile, "at", stopping)
    monkeypatch.setattr(sharding, "data_mesh", lambda: mesh_of(2))
    how = runtime.Execution(resident=True, shard_optimizer=True, profile=(1, 2))
    with pytest.raises(stop.Interrupted, match="step 3"):
        loop.run(tiny_config(), tmp_path, how)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))
    monkeypatch.undo()
    result = loop.run(tiny_config(), tmp_path)
    assert result.metrics["loss"] == pytest.approx(finished.metrics["loss"], rel=1e-5)
    leaves_equal(final_state(tmp_path)[1], final_state(finished.workdir)[1], rtol=1e-4, atol=1e-5)


# ---- the optimiser's state


def test_a_split_optimizer_takes_its_share_of_memory():
    mesh, shapes = sharding.data_mesh(), {"w": (6, 8), "b": (3,), "n": (), "v": (4,)}
    tree = {k: jax.ShapeDtypeStruct(s, jnp.float32) for k, s in shapes.items()}
    specs = {k: tuple(s.spec) for k, s in sharding.split(tree, mesh).items()}
    assert specs == {"w": (None, "data"), "b": (), "n": (), "v": ("data",)}

    params = {"w": jnp.ones((64, 64)), "b": jnp.ones(64)}
    opt_state = TX.init(params)
    split = jax.device_put(opt_state, sharding.split(opt_state, mesh))
    on_first = lambda tree: sum(a.addressable_shards[0].data.nbytes for a in jax.tree.leaves(tree))
    whole = sum(a.nbytes for a in jax.tree.leaves(opt_state))
    assert on_first(split) == pytest.approx(whole / mesh.size, rel=0.01)


def test_bfloat16_has_islands_of_float32():
    """Parameters, optimiser, averages, statistics, loss and gradient stay float32 in an update."""
    model = models.build(name="spec1d", **SMALL, decoder=dict(widths=(8, 16)), dtype="bfloat16")
    batch = make_batch()
    init = partial(init_state, model=model, tx=TX, ema=0.9)
    state = jax.eval_shape(init, jax.random.key(0), batch["x"])
    after, metrics = jax.eval_shape(stepper(model=model, ema=0.9), state, batch)
    dtypes = lambda tree: jax.tree.map(lambda a: a.dtype, tree)
    assert dtypes(after) == dtypes(state)
    assert {a.dtype for a in jax.tree.leaves(after)} == {jnp.dtype("f4"), jnp.dtype("i4")}
    assert metrics["loss"].dtype == metrics["grad_norm"].dtype == jnp.float32
    text = str(jax.make_jaxpr(stepper(model=model, ema=0.9))(state, batch))
    assert "bf16[" in text and "conv_general_dilated" in text


# ---- resident data


def series_of(lengths, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for i, n in enumerate(lengths):
        meta = SeriesMeta(f"s{i}", n, 0, 0, ((0, 0),), {})
        nights = np.array([[n // 3, n // 2]])
        labels = Labels(
            rng.random(n) < 0.3,
            rng.integers(-(10**6), 10**6, (n, 2)).astype(np.int32),
            rng.random(n) < 0.9,
            nights,
            rng.integers(-1, 2, n).astype(np.int8),
        )
        x = {name: rng.normal(size=n).astype(np.float32) for name in "abc"}
        made.append(Recording(meta, rng.random(n) < 0.95, features=x, labels=labels))
    return made


SERIES = series_of([300, 40, 97, 500])  # two of them shorter than a window


@pytest.fixture(scope="module", params=[(100, 12), (97, 5), (96, 1), (64, 2)], ids=str)
def cutter(request):
    duration, downsample = request.param
    store = input_pipeline.flatten(SERIES, duration)
    return duration, downsample, store, jax.jit(
        partial(input_pipeline.cut, duration=duration, downsample=downsample),
        static_argnames="tail",
    )  # fmt: skip


@pytest.mark.parametrize("tail", [0, 37])
@hypothesis.given(seed=st.integers(0, 2**32), step=st.integers(0, 10**6))
def test_resident_windows_are_those_of_the_host(cutter, tail, seed, step):
    duration, downsample, store, cut = cutter
    sampler = windows.make_sampler(SERIES, duration, 0.5, tail)
    expected = windows.train_batch(
        SERIES, sampler, seed=seed, step=step, batch=8, downsample=downsample
    )
    series, start = sampler.indices(seed, step, 8)
    where = {"series": series.astype(np.int32), "start": start.astype(np.int32)}
    found = cut(store, where, tail=tail)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name]), array)
        assert found[name].dtype == array.dtype


def test_resident_batches_are_split_over_the_devices(data, tiny_config):
    mesh = sharding.data_mesh()
    _, by_batch = sharding.shardings(mesh)
    host, device = (
        input_pipeline.make(data.train, tiny_config({"batch_size": 8}), mesh, resident=resident)
        for resident in (False, True)
    )
    batch = sharding.to_global(device.batch_at(3), by_batch)
    found = jax.jit(device.expand)(device.store, batch)
    expected = host.batch_at(3)
    for name, array in expected.items():
        assert found[name].sharding.is_equivalent_to(by_batch, array.ndim)
        np.testing.assert_array_equal(np.asarray(found[name]), array)
    assert sum(a.nbytes for a in jax.tree.leaves(device.batch_at(3))) == 8 * 8


# ---- prefetch


def test_prefetch_keeps_the_order_and_works_ahead():
    made = []
    make = lambda step: made.append(step) or step
    with prefetch(make, 5, 15) as ahead:
        found, end = [next(ahead)], time.monotonic() + 60
        while len(made) < 3 and time.monotonic() < end:  # nobody asks for the next ones yet
            time.sleep(0.001)
        assert made[:3] == [5, 6, 7]
        found += [next(ahead) for _ in range(9)]
    assert found == list(range(5, 15))


def test_prefetch_raises_where_the_batch_is_wanted():
    def make(step):
        if step == 2:
            raise InputError("bad file")
        return step

    with prefetch(make, 0, 9) as ahead:
        assert [next(ahead), next(ahead)] == [0, 1]
        with pytest.raises(InputError, match="bad file"):
            next(ahead)


def test_prefetch_ends_its_thread_and_makes_no_more_than_it_may():
    made = []
    before = threading.active_count()
    with prefetch(lambda step: made.append(step) or step, 0, 1000) as ahead:
        assert next(ahead) == 0 and threading.active_count() == before + 1
        time.sleep(0.05)
    assert len(made) <= 4
    assert threading.active_count() == before


def test_a_restored_state_may_be_placed_differently():
    shapes = {"a": jax.ShapeDtypeStruct((4,), jnp.float32), "b": {"c": jnp.zeros(3)}}
    here = SingleDeviceSharding(jax.devices()[0])
    replicated, by_batch = sharding.shardings(sharding.data_mesh())
    assert {s.sharding for s in jax.tree.leaves(sharding.placed(shapes, here))} == {here}
    mixed = sharding.placed(shapes, {"a": by_batch, "b": replicated})
    assert mixed["a"].sharding == by_batch and mixed["b"]["c"].sharding == replicated
