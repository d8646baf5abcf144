"""User-defined parts of every kind: trained, and loaded where the file is gone or has changed."""

import re
import shutil
from typing import Any

import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from ml_collections import ConfigDict

from sleepjax import custom, evaluators, release
from sleepjax.config import load_config
from sleepjax.evaluation import compare
from sleepjax.evaluators import standard
from sleepjax.models import registry
from sleepjax.objectives import OBJECTIVES
from sleepjax.predict import load
from sleepjax.runs import directory, ensemble
from sleepjax.runs.log import read_metrics
from sleepjax.training import augment, checks, loop
from sleepjax.training.build import build
from sleepjax.training.weights import read_run
from sleepjax.types import InputError
from tests.support.runs import without_pictures

PARTS = ("Convs", "Strided", "adam_fast", "candidates_per_series", "jitter", "laplace")
PARTS = (*PARTS, "only_likely", "peak_movement", "triangle")


@pytest.fixture(scope="module")
def parts(project, cohort, tmp_path_factory):
    """A copy of the example of the docs, and its config on the small cohort."""
    path = tmp_path_factory.mktemp("parts") / "my_parts.py"
    shutil.copy(project / "docs" / "examples" / "my_parts.py", path)
    with pytest.MonkeyPatch.context() as here:
        here.chdir(project)
        config: Any = load_config(f"{path}:tiny", {"data.root": str(cohort)})
    with config.unlocked():
        config.total_steps = 2
    return path, config


@pytest.fixture(scope="module")
def series(cohort):
    return pl.scan_parquet(cohort / "test_series.parquet").head(5_000).collect()


@pytest.fixture(scope="module")
def trained(parts, series, tmp_path_factory):
    """A run with a part of every kind, moved, and what it found before its file was lost."""
    path, config = parts
    folder = tmp_path_factory.mktemp("trained")
    loop.run(config, folder / "run", evaluators=without_pictures(config))
    before = load(folder / "run").probabilities(series)
    text = path.read_text()
    path.write_text("raise SystemExit")
    yield (folder / "run").rename(folder / "elsewhere"), before
    path.write_text(text)


def test_the_page_shows_the_example(project):
    page = (project / "docs" / "how-to" / "own-parts.md").read_text()
    example = (project / "docs" / "examples" / "my_parts.py").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) >= 10 and all(block in example for block in blocks)
    assert all(block.count("\n") <= 15 for block in blocks[:10])


def test_a_run_with_every_kind_of_part_loads_anywhere(trained, series, tmp_path):
    run, before = trained
    assert {name.rpartition(":")[2] for name in custom.names(read_run(run).config.to_dict())} == {
        *PARTS
    }
    assert load(run).probabilities(series).equals(before)
    assert load(run).post["more"] == (f"{run}/code/my_parts.py:only_likely",)
    steps = lambda key: [row["step"] for row in read_metrics(run) if key in row]
    assert steps("valid/candidates") == steps("valid/loss") != []
    compared = compare.read_run(run, "run")
    shutil.copytree(run, tmp_path / "copy")
    assert compare.differences([compared, compare.read_run(tmp_path / "copy", "copy")]) == []
    assert len(compared.events) and compared.events["score"].is_not_nan().all()

    folder = tmp_path / "both"
    folder.mkdir()
    shutil.copytree(run, folder / "member")
    config: Any = directory.read(folder / "member")[0]
    post = config.post.to_dict()
    ensemble.write(folder, [folder / "member"], post)
    moved = folder.rename(tmp_path / "moved")
    assert load(moved).probabilities(series).equals(before)
    assert load(moved).predict(series).equals(load(run).predict(series))

    release.write(tmp_path / "out", [read_run(run)], load(run).post, "")
    shutil.rmtree(moved)
    released = (tmp_path / "out").rename(tmp_path / "released")
    assert load(released).probabilities(series).equals(before)
    assert load(released).predict(series).equals(load(run).predict(series))
    (released / "code" / "my_parts.py").write_text("changed = True")
    with pytest.raises(InputError, match=r"code/my_parts.py was changed; it holds parts of what"):
        load(released)


def test_a_changed_copy_and_a_changed_file_are_refused(trained, parts, tmp_path):
    run, _ = trained
    shutil.copytree(run, tmp_path / "run")
    path, config = parts
    path.write_text((run / "code" / "my_parts.py").read_text() + "# changed\n")
    with pytest.raises(InputError, match=r"my_parts.py is not the file it was \(code/my_parts.py"):
        loop.run(config, tmp_path / "run")
    (tmp_path / "run" / "code" / "my_parts.py").write_text("# changed\n")
    with pytest.raises(InputError, match="code/my_parts.py was changed"):
        load(tmp_path / "run")


def test_a_loss_of_its_own_settings_reaches_its_model(project, cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    shutil.copy("docs/examples/my_parts.py", tmp_path / "mine.py")
    config: Any = load_config("configs/spec1d.py:tiny", {"data.root": str(cohort)}).unlock()
    config.loss = ConfigDict(dict(name=f"{tmp_path}/mine.py:focal", sigma=30.0, gamma=1.0))
    checks.check(config)
    assert build(config).event_steps == pytest.approx(30 * np.sqrt(2 * np.pi))
    config.loss.gama = 2.0
    with pytest.raises(InputError, match="setting 'gama' of loss .* did you mean 'gamma'"):
        build(config)


BAD = """
import jax.numpy as jnp, optax, polars as pl
from sleepjax.data.features import Feature
from sleepjax.objectives import Objective, to_steps
def half(asleep, distance, sigma): return asleep
def slips(asleep, distance, sigma): return nothing_of_that_name
def shorter(batch, key, features): return batch | {"x": batch["x"][:, 1:]}
def no_objective(*, downsample): return 3
def vector(*, downsample): return Objective(lambda o, b, s: (b["mask"], b["mask"]), lambda o, n: o[0], 1.0)
def no_optimiser(): return 3
def below(*, lr, warmup, total_steps): return lambda step: -1.0
def climbs(): return optax.adam(1e-3)
def doubled(asleep, distance, sigma): return 2 - jnp.concatenate([asleep[..., None], abs(distance)], -1)
def flat(asleep, distance, sigma): return jnp.concatenate([asleep[..., None], 0 * distance], -1)
def mean(*, downsample): return Objective(lambda o, b, s: o[0].mean(), lambda o, n: o[0], 1.0)
def logits(*, downsample): return Objective(lambda o, b, s: (o[0].mean(), b["mask"].sum()), lambda o, n: to_steps(o[0], n, downsample), 1.0)
def unspread(*, downsample): return Objective(lambda o, b, s: (o[0].sum(), b["mask"].sum()), lambda o, n: o[0], float("nan"))
def highest(onset, wakeup, meta): return onset.keep(onset.score == onset.score.max()), wakeup
def half_of_it(onset, wakeup): return onset, wakeup
def backwards(onset, wakeup, meta): return type(onset)(onset.position[::-1], onset.score), wakeup
gappy = Feature(pl.col("enmo").shift(3))
plain = Feature(pl.col("enmo"))
short = Feature(pl.col("enmo").head(3))
thing = 3
"""  # noqa: E501


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"loss.target": "half"}, r"half' returns \(1, 1441\); it must return"),
        ({"loss.target": "slips"}, "slips' fails in line 6: NameError: name 'nothing"),
        ({"augment.more": ("shorter",)}, "augment.more=.* turns a batch of .* same arrays"),
        ({"loss": {"name": "no_objective"}}, "it must return a sleepjax.objectives.Ob"),
        ({"loss": {"name": "vector"}}, "bad.py:vector do not work together"),
        ({"loss": {"name": "mean"}}, "bad.py:mean' gives .*; it must give .sum, count."),
        ({"loss": {"name": "logits"}}, "logits' reads outputs from -4 to 4 .* from -4 to 4; they"),
        ({"loss": {"name": "unspread"}}, "event_steps=nan of its Objective must be a number above"),
        ({"loss.target": "doubled"}, "doubled' gives targets from -718 to 2 within an hour"),
        ({"loss.target": "flat"}, "those of events at most 0; they must .* above 0 at an event"),
        ({"optim.name": "climbs"}, "climbs' climbs: .* optax.scale_by_adam.. or optax.trace"),
        ({"post.more": ("highest",)}, "highest' fails on 0 candidates .* in line 18: ValueError"),
        ({"post.more": ("half_of_it",)}, "half_of_it' fails .*takes 2 positional arguments but 3"),
        ({"optim.name": "no_optimiser"}, "returns a int; it must return an optax transformation"),
        ({"optim.schedule": "below"}, "gives the learning rates .*; they must be"),
        ({"data.features": ("thing",)}, "features.Feature 'thing'. It has: gappy"),
        ({"data.features": ("enmo", "plain"), "augment.reverse": 0.5}, "reverse must be 0 with"),
        ({"evaluators": ("absent",)}, "evaluators: .*bad.py has no function or class 'absent'"),
        ({"post.more": ("thing",)}, "post.more: .*bad.py has no function or class 'thing'"),
        ({"optim.freeze": ("extractr/*",)}, r"'extractr/\*' fits no parameter, did you mean 'extr"),
        ({"optim.freeze": ("*",)}, "freezes every parameter"),
        ({"optim.lr_factors": ("extractor/*",)}, "must be a pattern and a factor of"),
        ({"optim.lr_factors": ("decodr/*=0.1",)}, r"'decodr/\*' fits no .* mean 'decod"),
        ({"optim.name": "adam"}, "optim.name='adam' is unknown, did you mean 'adamw'"),
        ({"optim.name": "schedule_free"}, "set optim.schedule='constant'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_before_training(tiny_config, tmp_path, settings, message):
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    written = {*re.findall(r"^(?:def )?(\w+)", BAD, re.M), "absent"} - {"from", "import"}
    known = lambda name: f"{path}:{name}" if name in written else name
    config: Any = tiny_config().unlock()
    for key, value in settings.items():
        value = {"name": known(value["name"])} if isinstance(value, dict) else value
        value = known(value) if isinstance(value, str) else value
        value = tuple(map(known, value)) if isinstance(value, tuple) else value
        group, _, name = key.rpartition(".")
        (config[group] if group else config)[name] = value
    with pytest.raises(InputError, match=message):
        checks.check(config)
        build(config).shapes()


def test_evaluators_that_cannot_be_called_or_take_names_of_the_run(tmp_path, tiny_config, capsys):
    path = tmp_path / "mine.py"
    path.write_text(
        "def nothing(): return {}\n"
        "def better(run): return {'mine': 1, 'valid/event_ap': 1.0}\n"
        "def later(run): return {'step': 9}\n"
    )
    config: Any = tiny_config({"evaluators": (f"{path}:nothing",)})
    with pytest.raises(InputError, match="mine.py:nothing' must be a function of one sleepjax.ev"):
        standard(config)
    for name, key in (("better", "valid/event_ap"), ("later", "step")):
        assert evaluators.user_defined(f"{path}:{name}")(None) == {}  # pyright: ignore
        said = f"evaluator mine.py:{name} failed (InputError: it returns {key!r}, which the run"
        assert said in capsys.readouterr().err


def test_features_without_a_number_at_every_step_and_steps_out_of_order(tmp_path, finished, series):
    (tmp_path / "bad.py").write_text(BAD)
    from sleepjax.data import features, raw

    (recording,) = raw.recordings_from_frame(series)
    for name, message in (("gappy", "not a finite number at 3 of 5000"), ("short", "has 3 values")):
        with pytest.raises(InputError, match=message):
            features.compute(recording, ["enmo", f"{tmp_path}/bad.py:{name}"])
    mixed = features.compute(recording, [f"{tmp_path}/bad.py:plain", "anglez"])
    np.testing.assert_array_equal(mixed[:, 0], recording.frame["enmo"].to_numpy())
    with pytest.raises(InputError, match="positions of onset must be ascending rows"):
        load(finished.workdir, post={"more": [f"{tmp_path}/bad.py:backwards"]}).predict(series)


def test_how_time_reversal_treats_a_feature_of_a_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import polars as pl\nfrom sleepjax.data.features import Feature\n"
        "still = Feature(pl.col('enmo'), reversal='same')\n"
        "turn = Feature(pl.col('anglez').diff().fill_null(0.0), reversal='negated')\n"
        "odd = Feature(pl.col('enmo'), reversal='upside down')\n"
    )
    with pytest.raises(InputError, match="cannot be loaded.*must be one of same, negated"):
        augment.Mirror([f"{tmp_path}/mine.py:turn"])
    text = (tmp_path / "mine.py").read_text().replace("upside down", "forbidden")
    (tmp_path / "mine.py").write_text(text)
    mirror = augment.Mirror(["enmo", *(f"{tmp_path}/mine.py:{n}" for n in ("turn", "still"))])
    np.testing.assert_array_equal(mirror(jnp.ones((1, 2, 3)))[0], [[1, -1, 1]] * 2)


def test_parts_put_into_the_tables_from_outside_are_refused(tiny_config, monkeypatch):
    monkeypatch.setitem(registry.DECODERS, "mine", type("Mine", (registry.DECODERS["mlp"],), {}))
    config: Any = tiny_config().unlock()
    config.model.decoder = dict(name="mine")
    with pytest.raises(
        InputError, match="decoder 'mine' was added to the package's table by tests"
    ):
        build(config)
    monkeypatch.setitem(OBJECTIVES, "mine", lambda *, downsample: None)
    config = tiny_config().unlock()
    config.loss.name = "mine"
    with pytest.raises(InputError, match="loss.name='mine' was added to the package's table"):
        build(config)
    from sleepjax.data.features import FEATURES, check_names

    monkeypatch.setitem(FEATURES, "mine", pl.col("enmo"))
    with pytest.raises(InputError, match="feature 'mine' was added to the package's table"):
        check_names(["mine"])


def test_a_file_that_needs_its_neighbour_is_refused(tmp_path):
    (tmp_path / "helpers.py").write_text("x = 1")
    (tmp_path / "mine.py").write_text("import helpers\ndef f(): pass")
    with pytest.raises(InputError, match="mine.py imports helpers, which lies beside it"):
        custom.load(f"{tmp_path}/mine.py:f", "loss.name")
    (tmp_path / "mine.py").write_text("from . import helpers\ndef f(): pass")
    with pytest.raises(InputError, match="a module relative to itself"):
        custom.load(f"{tmp_path}/mine.py:f", "loss.name")
    (tmp_path / "one.py").write_text("def f(): pass")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.py").write_text("def f(): return 1")
    names = [f"{tmp_path}/one.py:f", f"{tmp_path}/sub/one.py:f"]
    with pytest.raises(InputError, match="two different files are called one.py"):
        custom.hashes_of(names)
