"""Configs are loaded by path; arguments and overrides are typed, typing errors explained."""

import re

import pytest

from sleepjax.config import load_config, override_from_text, parse_arg
from sleepjax.types import InputError
from tests.support.project import CONFIGS

SPEC1D = next(str(p) for p in CONFIGS if p.stem == "spec1d")


def test_parse_arg_reads_types_and_variants():
    arg = parse_arg("demo,fold=3,scale=0.5,name=x,flag", fold=0, scale=1.0, name="", flag=False)
    assert (arg.demo, arg.tiny, arg.fold, arg.scale, arg.name, arg.flag) == (
        True, False, 3, 0.5, "x", True,
    )  # fmt: skip
    assert parse_arg(None, fold=2).fold == 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("fodl=1", r"config argument 'fodl' is unknown, did you mean 'fold'\? Known: demo"),
        ("data.root=x", r"'data.root' is unknown. .* given as --config.data.root=x\."),
        ("fold", r"'fold' needs a value, for example fold=0"),
        ("fold=x", r"fold='x' must be of type int, like 0"),
        ("demo=maybe", r"demo='maybe' must be true or false"),
    ],
)
def test_parse_arg_errors(text, message):
    with pytest.raises(InputError, match=message):
        parse_arg(text, fold=0)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
@pytest.mark.parametrize("variant", ["", ":demo", ":tiny"])
def test_every_config_loads_in_every_variant(path, variant):
    config = load_config(f"{path}{variant}")
    assert config.is_locked
    assert re.search(r"python scripts/(train|distill)\.py --config configs/", path.read_text())
    assert len(path.read_text().splitlines()) < 100


def test_overrides_keep_types():
    config = load_config(SPEC1D, {"optim.lr": 1, "data.features": ["anglez"], "seed": 3})
    assert config.optim.lr == 1.0 and isinstance(config.optim.lr, float)
    assert config.data.features == ("anglez",)
    assert config.seed == 3


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("optim.lrr", 1e-3, r"no 'optim.lrr', did you mean 'lr'\? optim holds: clip, freeze, lr"),
        ("optm.lr", 1e-3, r"no 'optm.lr', did you mean 'optim'\? The top level holds: "),
        ("optim.lr", "fast", r"optim.lr='fast' is of type str; it must be of type float"),
        ("seed", 1.5, r"seed=1.5 is of type float; it must be of type int"),
        ("seed.x", 1, r"no 'seed.x'"),
        ("optim", 1, r"'optim' is a group; set one of optim.{clip,freeze,lr"),
    ],
)
def test_override_errors(key, value, message):
    with pytest.raises(InputError, match=message):
        load_config(SPEC1D, {key: value})


def test_overrides_from_text():
    config = load_config(SPEC1D).unlock()
    override_from_text(config, "optim.lr", "2e-4")
    override_from_text(config, "data.root", "2024")
    override_from_text(config, "data.features", "('anglez', 'enmo')")
    assert config.optim.lr == 2e-4
    assert config.data.root == "2024"
    assert config.data.features == ("anglez", "enmo")
    with pytest.raises(InputError, match="batch_size='many' is of type str"):
        override_from_text(config, "batch_size", "many")


def test_missing_config_file(tmp_path):
    with pytest.raises(InputError, match=r"config file 'nowhere.py' does not exist"):
        load_config("nowhere.py:demo")
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(InputError, match=r"has no get_config"):
        load_config(tmp_path / "empty.py")
