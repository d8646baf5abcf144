"""A setting of a wrong type is refused by its name, whichever it is and however wrong."""

from typing import Any

import pytest
from ml_collections import ConfigDict

from sleepjax.config import load_config
from sleepjax.training import checks
from sleepjax.training.build import build
from sleepjax.types import InputError

WRONG = (None, True, -1.5, 2, "x", (), ("a", None), {"a": 1})


def changed(config, key, value):
    """A copy with one setting changed, however wrong, as a user's file may hold it."""
    copy = config.copy_and_resolve_references()
    *way, last = key.split(".")
    values = copy.to_dict()
    node = values
    for name in way:
        node = node[name]
    node[last] = value
    return ConfigDict(values)


def keys(group, prefix=""):
    """All dotted keys, groups too."""
    for key, value in group.items():
        yield prefix + key
        if isinstance(value, ConfigDict):
            yield from keys(value, f"{prefix}{key}.")


@pytest.mark.parametrize("name", ["spec1d", "detr", "centernet"])
def test_a_setting_of_another_type_is_one_line_with_its_name(project, name):
    config = load_config(f"{project}/configs/{name}.py:tiny")
    accepted = []
    for key in keys(config):
        if name != "spec1d" and key.split(".")[0] not in ("model", "loss"):
            continue
        for value in WRONG:
            one = changed(config, key, value)
            try:
                checks.check(one)
                build(one)
                accepted.append((key, value))
            except InputError as error:
                assert key.split(".")[-1] in str(error) and "\n" not in str(error), (key, value)
    for key, value in accepted:
        old: Any = config
        for part in key.split("."):
            old = old[part]
        number = isinstance(old, float) and type(value) is int
        assert type(value) is type(old) or number or (key, value) == ("post.daily", None)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.name", [], r"model.name=\(\) must be of type str, like 'spec1d'"),
        ("model.decoder.name", {"a": 1}, "model.decoder.name={'a': 1} must be of type str"),
        ("model.dtype", 32, "model.dtype=32 must be of type str, like 'float32'"),
        ("model", None, "the config's model=None must be a group of settings"),
        ("post", "x", "the config's post='x' must be a group of settings"),
        ("model.downsample", 2, "model.downsample=2 is not a setting"),
        ("data.features", ("anglez", 1), r"data.features=\('anglez', 1\): 1 must be of type str"),
        ("optim.lr_factors", (0.1,), r"optim.lr_factors=\(0.1,\): 0.1 must be of type str"),
        ("loss.weights", ("a",), r"loss.weights=\('a',\): 'a' must be of type float"),
        ("loss", {}, "the config lacks loss.name"),
        ("model", {}, "the config lacks model.name"),
    ],
)
def test_what_is_said(project, key, value, message):
    value = tuple(value) if isinstance(value, list) else value
    config = changed(load_config(f"{project}/configs/spec1d.py:tiny"), key, value)
    with pytest.raises(InputError, match=message):
        checks.check(config)
