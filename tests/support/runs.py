"""What a run left behind, to compare it with another run and to damage it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from sleepjax import models
from sleepjax.evaluators import standard
from sleepjax.parallel import sharding
from sleepjax.runs import checkpoints
from sleepjax.training import optim
from sleepjax.training.state import init_state


def without_pictures(config):
    """The evaluators of a run but for those that draw, which take most of so short a run."""
    drawing = ("report", "nights")
    return {name: one for name, one in standard(config).items() if name not in drawing}


def leaves_equal(a, b, **tolerance):
    compare = np.testing.assert_allclose if tolerance else np.testing.assert_array_equal
    jax.tree.map(lambda x, y: compare(np.asarray(x), np.asarray(y), **tolerance), a, b)


def final_state(workdir, kind="latest"):
    """Every array of the newest checkpoint, as NumPy, whatever devices it was saved from."""
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    step = checkpoints.newest(workdir, kind)
    folder = workdir / "checkpoints" / kind / str(step) / checkpoints.STATE
    with ocp.StandardCheckpointer() as reader:
        shapes = reader.metadata(folder).item_metadata.tree
        tree = reader.restore(folder, sharding.placed(shapes, here))
    return step, jax.tree.map(np.asarray, tree)


def biggest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def flip_a_bit(folder):
    path = biggest_file(folder / checkpoints.STATE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def template(config):
    """Shapes of the state of a run of this config."""
    model = models.build(**config.model, downsample=config.data.downsample)
    tx, _ = optim.make(total_steps=config.total_steps, **config.optim)
    init = partial(init_state, model=model, tx=tx, ema=config.ema)
    x = jax.ShapeDtypeStruct((1, config.data.duration, len(config.data.features)), jnp.float32)
    where = sharding.shardings(sharding.data_mesh())[0]
    return sharding.placed(jax.eval_shape(init, jax.random.key(0), x), where)
