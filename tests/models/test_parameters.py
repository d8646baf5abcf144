"""Parameter names and shapes of the shipped architectures, against tests/reference/parameters.txt.

A checkpoint is restored by these names: a change here makes every trained run unreadable.

python -m tests.models.test_parameters > tests/reference/parameters.txt     # after an intended one
"""

import jax
import jax.numpy as jnp

from sleepjax import models
from sleepjax.config import load_config
from tests.support.project import PROJECT

GOLDEN = PROJECT / "tests" / "reference" / "parameters.txt"
ARCHITECTURES = (
    *(f"{name}:tiny" for name in ("spec1d", "spec2d", "lstm", "transformer", "centernet", "detr")),
    *(f"parts:extractor={name},decoder=mlp" for name in models.EXTRACTORS),
    *(f"parts:decoder={name}" for name in models.DECODERS),
)


def lines(architecture: str) -> list[str]:
    """``spec1d:tiny params/decoder/down0/conv1/kernel 3x12x8`` for every variable."""
    name, _, arg = architecture.partition(":")
    config = load_config(f"{PROJECT / 'configs' / name}.py:{arg}")
    model = models.build(**config.model, downsample=config.data.downsample)
    x = jax.ShapeDtypeStruct((1, 96, len(config.data.features)), jnp.float32)
    init = lambda key, x: model.init(key, x, train=False)
    leaves = jax.tree_util.tree_leaves_with_path(jax.eval_shape(init, jax.random.key(0), x))
    return [
        f"{architecture} {'/'.join(key.key for key in path)} {'x'.join(map(str, leaf.shape))}"
        for path, leaf in leaves
    ]


def test_names_and_shapes_of_parameters_are_what_they_were():
    found = [line for architecture in ARCHITECTURES for line in lines(architecture)]
    assert found == GOLDEN.read_text().splitlines()


if __name__ == "__main__":
    print("\n".join(line for architecture in ARCHITECTURES for line in lines(architecture)))
