"""A release predicts what its runs do, needs nothing of them, and says what is wrong with it."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
import polars as pl
import pytest
from ml_collections import ConfigDict
from safetensors import numpy as safetensors

from sleepjax import release
from sleepjax.config import from_json, load_config
from sleepjax.data import features, identity
from sleepjax.predict import load
from sleepjax.training import loop, weights
from sleepjax.training.build import build
from sleepjax.types import InputError
from tests.support.scripts import script


@pytest.fixture(scope="module")
def released(project, finished, worn_finished, tmp_path_factory):
    """A release of two runs, made by the script."""
    out = tmp_path_factory.mktemp("released") / "release"
    notes = out.parent / "notes.md"
    notes.write_text("Not fit for naps.")
    runs = [str(worn_finished.workdir), str(finished.workdir)]
    arguments = ["--workdir", *runs, "--out", str(out), "--notes", str(notes)]
    assert script(project, "release").main(arguments) == 0
    return out


@pytest.fixture(scope="module")
def one_member(released, finished, tmp_path_factory):
    out = tmp_path_factory.mktemp("released") / "one"
    run = weights.read_run(finished.workdir)
    release.write(out, [run], dict(run.config.post), "")
    return out


@pytest.fixture(scope="module")
def series(cohort):
    return pl.scan_parquet(cohort / "test_series.parquet").head(5_000).collect()


def test_it_predicts_what_its_runs_predict(one_member, released, finished, worn_finished, series):
    run = load(finished.workdir)
    alone = load(one_member)
    assert alone.probabilities(series).equals(run.probabilities(series))
    assert alone.predict(series).equals(run.predict(series)) and alone.post == run.post
    classes = ["asleep", "onset", "wakeup"]
    each = [p.probabilities(series)[classes].to_numpy() for p in (run, load(worn_finished.workdir))]
    both = load(released).probabilities(series)
    np.testing.assert_allclose(both[classes], np.mean(each, axis=0), atol=1e-6)
    assert load(released).run["simulated"] and len(load(released).members) == 2


def test_a_run_and_the_notes_are_not_written_over(project, finished, one_member, tmp_path, capsys):
    main = script(project, "release").main
    before = (finished.workdir / "config.json").read_bytes()
    args = ["--workdir", str(finished.workdir), "--overwrite"]
    assert main([*args, "--out", str(finished.workdir)]) == 2
    assert "is the folder of a run; give another --out" in capsys.readouterr().err
    assert (finished.workdir / "config.json").read_bytes() == before
    copy = changed(one_member, tmp_path)
    assert main([*args, "--out", str(copy), "--notes", str(copy / release.CARD)]) == 2
    assert "which is the input" in capsys.readouterr().err


def test_the_card_names_facts_and_notes(released):
    card = (released / release.CARD).read_text()
    assert "Not fit for naps." in card and "| 0 | spec1d | `anglez`, `enmo`, " in card
    assert "| simulated people only |" in card
    assert (released / release.MODEL).stat().st_size < release.MOST_BYTES


def test_it_needs_nothing_that_takes_long_to_import(one_member, cohort):
    absent = ["orbax", "orbax.checkpoint", "scipy.signal", "matplotlib"]
    code = (
        f"import sys; sys.modules |= dict.fromkeys({absent})\n"
        "import polars as pl, sleepjax\n"
        f"frame = pl.scan_parquet({str(cohort / 'test_series.parquet')!r}).head(99).collect()\n"
        f"print(len(sleepjax.load({str(one_member)!r}).probabilities(frame)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "99\n", found.stderr


def test_without_weights_the_package_says_what_to_do(
    project, monkeypatch, tmp_path, cohort, capsys
):
    monkeypatch.setitem(release.SHIPPED, "release", tmp_path / "nothing")
    with pytest.raises(InputError, match="comes without released weights; name a run .*release.py"):
        load()
    out = ["--series", str(cohort / "test_series.parquet"), "--out", str(tmp_path / "found.csv")]
    assert script(project, "predict").main(out) == 2
    assert "comes without released weights" in capsys.readouterr().err


def test_load_without_a_run_is_the_release_of_the_package(one_member, monkeypatch, series):
    monkeypatch.setitem(release.SHIPPED, "release", one_member)
    expected = load(one_member).predict(series)
    assert load().predict(series).equals(expected)
    assert load("release").predict(series).equals(expected)


def test_a_folder_with_the_name_of_weights_is_ambiguous(one_member, tmp_path, monkeypatch):
    shutil.copytree(one_member, tmp_path / "small")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'small' is the name of weights .* write ./small for the"):
        load("small")
    assert load("./small").members[0].config.model == load(one_member).members[0].config.model
    shutil.copytree(one_member, tmp_path / "release")  # nobody named it: it is not asked about
    assert len(load().members) == 4


def changed(folder, tmp_path, **facts):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / release.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))
    return copy


def test_damage_and_other_versions_are_refused(one_member, tmp_path, monkeypatch):
    copy = changed(one_member, tmp_path, format=9)
    with pytest.raises(InputError, match="has release format 9, this sleepjax reads 1"):
        load(copy)
    shutil.rmtree(copy)
    copy = changed(one_member, tmp_path)
    model = copy / release.MODEL
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"is not the file that config.json belongs to"):
        load(copy)
    shutil.rmtree(copy)
    copy = changed(one_member, tmp_path)
    facts = json.loads((copy / release.CONFIG).read_text())
    del facts["post"]["snap"]  # a setting that would be filled in by a default
    for text in (json.dumps(facts), '{"format": 1}', "[]", "{"):
        (copy / release.CONFIG).write_text(text)
        with pytest.raises(InputError, match="or one of them was changed|holds no JSON|damaged"):
            load(copy)
    monkeypatch.setitem(features.FEATURES, "enmo", features.FEATURES["enmo"] + 0.1)
    with pytest.raises(InputError, match="other definitions of the features enmo than this"):
        load(one_member)


def test_too_large_models_are_not_released(finished, tmp_path, monkeypatch):
    run = weights.read_run(finished.workdir)
    monkeypatch.setattr(release, "MOST_BYTES", 1_000)
    with pytest.raises(InputError, match=r"the arrays need [\d,]+ bytes, a release at most 1,000"):
        release.write(tmp_path / "out", [run], {}, "")
    assert not (tmp_path / "out").exists()


def test_half_precision_is_half_the_bytes_and_nearly_the_same(project, finished, series, tmp_path):
    arguments = ["--workdir", str(finished.workdir), "--out", str(tmp_path / "half"), "--half"]
    assert script(project, "release").main(arguments) == 0
    arrays = safetensors.load_file(tmp_path / "half" / release.MODEL)
    assert {array.dtype.name for array in arrays.values()} == {"float16"}
    half, whole = load(tmp_path / "half"), load(finished.workdir)
    kinds = {np.asarray(a).dtype.name for a in jax.tree.leaves(half.members[0].variables)}
    assert kinds == {"float32"}
    columns = ["asleep", "onset", "wakeup"]
    (a, b) = (p.probabilities(series)[columns].to_numpy() for p in (half, whole))
    assert 0 < np.abs(a - b).max() < 2e-3


def test_values_beyond_half_precision_are_not_released(finished, tmp_path):
    run = weights.read_run(finished.workdir)
    large = jax.tree.map(lambda array: np.full_like(array, 1e5), run.variables)
    with pytest.raises(InputError, match="has a value of 100000, and float16 ends at 65504"):
        release.write(tmp_path / "out", [replace(run, variables=large)], {}, "", half=True)
    assert not (tmp_path / "out").exists()


def test_every_feature_has_a_probe_that_follows_its_definition(monkeypatch):
    before = identity.probe(tuple(features.FEATURES))
    for name, values in before.items():
        assert len(set(values)) > 1, name
    monkeypatch.setattr(features, "FEATURES", features.FEATURES | {"step": pl.col("enmo")})
    after = identity.probe(tuple(before))
    assert [name for name in before if before[name] != after[name]] == ["step"]


# ---- training that starts from weights


def fresh(config):
    """A state of random weights, whatever ``init`` and ``seed`` say of others; made once."""
    plain = config.copy_and_resolve_references()
    plain.init, plain.seed = "", 0
    return random_state(plain.to_json())


@cache
def random_state(config):
    return jax.jit(build(from_json(json.loads(config))).init)(jax.random.key(5))


@pytest.mark.parametrize("kind", ["run", "file", "folder"])
def test_training_starts_from_a_run_a_file_or_a_folder(kind, finished, one_member, tiny_config):
    source = {"run": finished.workdir, "file": one_member / release.MODEL, "folder": one_member}
    config: Any = tiny_config({"init": str(source[kind]), "ema": 0.5})
    state, text = weights.started(config, fresh(config))
    want = weights.read_run(finished.workdir).variables
    for tree in (state.ema, {"params": state.params, **state.model_state}):
        jax.tree.map(np.testing.assert_array_equal, tree, want)
    assert int(state.step) == 0 and "parameters after 4 updates" in text


def test_the_release_of_the_package_is_called_release(one_member, tiny_config, monkeypatch):
    monkeypatch.setitem(release.SHIPPED, "release", one_member)
    config: Any = tiny_config({"init": "release"})
    assert "starting from release" in weights.started(config, fresh(config))[1]


def test_seeds_start_from_the_members_in_turn(released, worn_finished, finished, tiny_config):
    """As many seeds as members fine-tune all of an ensemble; a further one begins again."""
    for seed, run in enumerate((worn_finished, finished, worn_finished)):
        config: Any = tiny_config({"init": str(released), "loss.worn": 1.0, "seed": seed})
        state, text = weights.started(config, fresh(config))
        want = weights.read_run(run.workdir).variables["params"]["extractor"]
        jax.tree.map(np.testing.assert_array_equal, state.params["extractor"], want)
        assert f"starting from {released}, member {seed % 2 + 1} of 2: " in text


@pytest.mark.parametrize(
    "override, message",
    [
        ({"data.features": ("enmo",)}, r"trained with data.features=.*this config has \('enmo',\)"),
        ({"data.downsample": 24}, "trained with data.downsample=12, this config has 24"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_the_difference(
    override, message, finished, tiny_config
):
    config: Any = tiny_config({"init": str(finished.workdir)} | override)
    with pytest.raises(InputError, match=message):
        weights.started(config, fresh(config))


def test_what_fits_is_loaded_and_the_rest_is_said(finished, tiny_config):
    """An output more, and another decoder: the weights of the others are taken over."""
    config: Any = tiny_config({"init": str(finished.workdir), "loss.worn": 1.0})
    state, text = weights.started(config, fresh(config))
    want = weights.read_run(finished.workdir).variables["params"]
    for part in ("extractor", "decoder"):
        np.testing.assert_array_equal(
            *(jax.tree.leaves(tree[part])[0] for tree in (state.params, want))
        )
    assert "of another shape, left at random: params/decoder/head/logits/bias" in text
    with config.unlocked():
        config.loss.worn = 0.0
        config.model.decoder = dict(name="mlp", width=8)
    state, text = weights.started(config, fresh(config))
    jax.tree.map(np.testing.assert_array_equal, state.params["extractor"], want["extractor"])
    assert "not in the weights, left at random: params/decoder/" in text
    assert "only in the weights, skipped: " in text and "more" in text


def test_weights_of_which_nothing_fits_are_refused(finished, tiny_config):
    config: Any = tiny_config({"init": str(finished.workdir)})
    with config.unlocked():
        config.model = ConfigDict(dict(name="transformer", width=8, depth=1, heads=2))
    with pytest.raises(InputError, match=r"do not fit .*\n  .*: \(8,\) in the weights, absent in"):
        weights.started(config, fresh(config))


def test_a_run_records_what_it_began_with_and_resumes_without_it(
    one_member, tiny_config, tmp_path, capsys
):
    source = shutil.copytree(one_member, tmp_path / "source")
    config: Any = tiny_config({"init": str(source), "total_steps": 2})
    loop.run(config, tmp_path / "run", evaluators={})
    assert f"starting from {source}: " in capsys.readouterr().err
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["init"]
    assert recorded["step"] == 4 and len(recorded["sha256"]) == 64 and recorded["simulated"]
    shutil.rmtree(source)
    loop.run(config, tmp_path / "run", evaluators={})
    with pytest.raises(InputError, match="is not a run directory"):
        loop.run(config, tmp_path / "other")


def test_an_unknown_source_is_refused_before_any_data_is_read(project):
    config = load_config(project / "configs" / "spec1d.py:tiny", {"init": "nowhere"})
    with pytest.raises(InputError, match="nowhere is not a run directory: it has no config.json"):
        weights.origin(config)
