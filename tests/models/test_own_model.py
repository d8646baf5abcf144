"""A user-defined model: trained, resumed and loaded without touching the package."""

import shutil
from typing import Any

import jax
import jax.numpy as jnp
import polars as pl
import pytest

from sleepjax import models
from sleepjax.config import load_config, override
from sleepjax.predict import load
from sleepjax.training import loop
from sleepjax.types import InputError


@pytest.fixture(scope="module")
def own(project, cohort, tmp_path_factory):
    """A config on a copy of the example of the docs, and where that copy is."""
    path = tmp_path_factory.mktemp("own") / "my_model.py"
    shutil.copy(project / "docs" / "examples" / "my_model.py", path)
    config = load_config(project / "configs" / "spec1d.py:tiny", {"data.root": str(cohort)})
    with config.unlocked():
        config.model = dict(name=f"{path}:Dilated", width=8, layers=2, dropout=0.1)
    return config, path


def test_a_run_is_trained_resumed_and_needs_the_file_no_more(own, cohort, tmp_path):
    config, path = own
    result = loop.run(config, tmp_path / "run", evaluators={})
    assert 0 <= result.metrics["event_ap"] <= 1
    assert (tmp_path / "run" / "code" / "my_model.py").read_bytes() == path.read_bytes()
    # A finished run is resumed: the same file passes.
    loop.run(config, tmp_path / "run", evaluators={})
    text = path.read_text()
    path.write_text(text + "# changed\n")
    with pytest.raises(
        InputError, match=r"my_model.py is not the file it was \(code/my_model.py\)"
    ):
        loop.run(config, tmp_path / "run", evaluators={})
    path.unlink()
    moved = (tmp_path / "run").rename(tmp_path / "elsewhere")
    frame = pl.scan_parquet(cohort / "test_series.parquet").head(5_000).collect()
    assert set(load(moved).predict(frame).columns) >= {"step", "event", "score"}
    path.write_text(text)


def test_the_example_is_a_config_too(project, monkeypatch):
    monkeypatch.chdir(project)
    config: Any = load_config("docs/examples/my_model.py:tiny", {"model.width": 16})
    assert config.total_steps == 4 and config.model.name.endswith("my_model.py:Dilated")
    override(config.unlock(), "model.layers", 3)
    model = models.build(**config.model.to_dict(), downsample=4, features=5)
    call = lambda x: model.init_with_output(jax.random.key(0), x, train=False)
    output, variables = jax.eval_shape(call, jnp.zeros((2, 50, 5)))
    assert output[0].shape == (2, 13, 3)
    assert variables["params"]["Conv_2"]["kernel"].shape == (5, 16, 16)


BAD = """
import flax.linen as nn
import jax.numpy as jnp
class Narrow(nn.Module):
    width: int
    def __call__(self, x, *, train): return jnp.zeros((*x.shape[:2], 2)), {}
class Bare(nn.Module):
    def __call__(self, x, *, train): return x
class Slip(nn.Module):
    @nn.compact
    def __call__(self, x, *, train): return nn.Dense(3)(y), {}
class Biased(nn.Module):
    downsample: int
    bias: bool = True
    @nn.compact
    def __call__(self, x, *, train):
        assert self.bias is True
        return nn.Dense(3, use_bias=self.bias)(x[:, ::self.downsample]), {}
class NoTrain(nn.Module):
    def __call__(self, x): return x, {}
"""


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("nowhere.py:M", {}, r"model: the file 'nowhere.py' does not exist"),
        ("{own}:Dialted", {}, r"has no Linen module 'Dialted', did you mean 'Dilated'\? It has"),
        ("{own}:Dilated", {"widht": 3}, r"setting 'widht' .*, did you mean 'width'\? Known: width"),
        ("{own}:Dilated", {"width": 3.5}, r"model.width=3.5 must be of type int, like 32"),
        ("{bad}:Narrow", {}, r"needs the settings width"),
        ("{bad}:Narrow", {"width": 1}, r"into logits \(2, 128, 2\); they must be \(2, 64, 3\)"),
        ("{bad}:Bare", {}, r"it must return \(logits \[B,T',3\], dictionary"),
        ("{bad}:Slip", {}, r"fails on x .* in line 11: NameError: name 'y' is not defined"),
        (
            "{bad}:NoTrain",
            {},
            r"with train=False: TypeError: .*unexpected keyword argument 'train'",
        ),
        (
            "{broken}:M",
            {},
            r"cannot be loaded: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
    ],
)
def test_words_for_what_cannot_be_used(own, tmp_path, name, settings, message):
    (tmp_path / "bad.py").write_text(BAD)
    (tmp_path / "broken.py").write_text("import nothing_like_it")
    paths = {"own": own[1], "bad": tmp_path / "bad.py", "broken": tmp_path / "broken.py"}
    with pytest.raises(InputError, match=message):
        models.build(name.format(**paths), downsample=2, **settings)


def test_fields_that_the_packages_models_share_are_settings_of_a_user_defined_one(tmp_path):
    (tmp_path / "bad.py").write_text(BAD)
    name = f"{tmp_path / 'bad.py'}:Biased"
    assert models.build(name, downsample=2).bias is True
    with pytest.raises(InputError, match="model.bias=1 must be of type bool, like True"):
        models.build(name, downsample=2, bias=1)
