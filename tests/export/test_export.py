"""Exported programs say what prediction says, without sleepjax; other files are refused."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from flax.traverse_util import flatten_dict

from sleepjax.data.raw import iter_recordings
from sleepjax.export import difference, files, int8
from sleepjax.predict import load
from sleepjax.types import InputError
from tests.reference.series import rows
from tests.support.scripts import script

EXACT = 1e-5


@pytest.fixture(scope="module")
def recording(cohort):
    return next(iter_recordings(cohort / "train_series.parquet"))


@pytest.fixture(scope="module")
def exported(project, worn_finished, cohort, tmp_path_factory):
    """A run exported by the script."""
    out = tmp_path_factory.mktemp("exported") / "model"
    arguments = ["--workdir", str(worn_finished.workdir), "--out", str(out)]
    assert script(project, "export").main(arguments) == 0
    return out


@pytest.fixture(scope="module")
def converted(project, worn_finished, tmp_path_factory):
    """The same in ONNX alone."""
    out = tmp_path_factory.mktemp("converted") / "model"
    files.write(out, load(worn_finished.workdir), (files.ONNX,))
    return out


FOLDERS = {files.STABLEHLO: "exported", files.ONNX: "converted"}
# Converting takes a minute or more.
FORMATS = [
    files.STABLEHLO,
    pytest.param(files.ONNX, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
]


@pytest.mark.parametrize("name", FORMATS)
def test_a_program_finds_what_prediction_finds(request, worn_finished, recording, name):
    folder = request.getfixturevalue(FOLDERS[name])
    found = difference.of(files.read(folder, name), load(worn_finished.workdir), recording)
    assert found.probability < EXACT
    assert found.windows[0] == found.windows[1] and found.minutes == 0


def test_a_program_takes_any_batch_and_length(exported, recording):
    run = files.read(exported)
    rows = difference.inputs(recording)
    whole = run(*rows)
    assert whole.shape == (1, recording.meta.n_steps, 4)
    for length in (500, 1000):  # shorter and longer than a window
        part = [np.concatenate([one[:, :length], one[:, -length:]]) for one in rows]
        both = run(*part)
        alone = run(*(one[:, :length] for one in rows))
        np.testing.assert_allclose(both[:1], alone, atol=EXACT)


def test_one_file_holds_the_three_platforms(exported):
    from jax import export

    program = export.deserialize(bytearray((exported / files.STABLEHLO).read_bytes()))
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert [str(size) for size in program.in_avals[0].shape] == ["b", "t"]


def test_the_signature_says_what_goes_in_and_comes_out(exported):
    signature = files.read_signature(exported)
    assert [one["name"] for one in signature["inputs"]] == ["clock", "anglez", "enmo"]
    assert signature["outputs"][0]["classes"] == ["asleep", "onset", "wakeup", "worn"]
    assert signature["simulated"] is True


@pytest.mark.parametrize("name", FORMATS)
def test_the_consumer_needs_no_sleepjax(
    request, project, worn_finished, cohort, recording, tmp_path, name
):
    frame = pl.read_parquet(cohort / "train_series.parquet")
    rows = frame.filter(series_id=recording.meta.series_id).select("timestamp", "anglez", "enmo")
    rows.write_csv(tmp_path / "recording.csv")
    model = request.getfixturevalue(FOLDERS[name])
    code = (project / "docs" / "examples" / "consume.py").read_text()
    allowed = {
        "csv",
        "hashlib",
        "json",
        "sys",
        "datetime",
        "pathlib",
        "numpy",
        "jax",
        "onnxruntime",
    }
    words = [line.split() for line in code.splitlines()]
    assert {w[1] for w in words if w[:1] in (["import"], ["from"])} <= allowed
    assert len(words) <= 60
    (tmp_path / "consume.py").write_text(code)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "consume.py", str(model), "recording.csv", "found.csv"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    found = pl.read_csv(tmp_path / "found.csv").to_numpy()
    wanted = load(worn_finished.workdir).find(recording).probabilities
    np.testing.assert_allclose(found, wanted, atol=2 * EXACT)  # written with six digits


def test_the_consumer_places_rows_as_a_recording_does(consume, cohort, tmp_path):
    frame = pl.read_parquet(cohort / "train_series.parquet")
    frame = frame.filter(series_id=frame["series_id"][0]).with_row_index()
    gappy = frame.filter(~pl.col("index").is_between(700, 1_500)).drop("index")
    gappy.write_csv(tmp_path / "gappy.csv")
    (one,) = iter_recordings(tmp_path / "gappy.csv")
    for ours, theirs in zip(
        consume.rows_of(tmp_path / "gappy.csv"), difference.inputs(one), strict=True
    ):
        assert ours.dtype == theirs.dtype
        known = np.isfinite(theirs)  # a recording masks more than what is missing
        np.testing.assert_array_equal(ours[known], theirs[known])
        assert ours.dtype == np.int32 or np.isnan(ours[0, 700:1_501]).all()


@pytest.fixture
def consume(project):
    """The module of docs/examples/consume.py."""
    spec = importlib.util.spec_from_file_location("consume", project / "docs/examples/consume.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_consumer_sorts_rows_and_refuses_what_is_no_recording(consume, project, tmp_path):
    good = rows(60).select("timestamp", "anglez", "enmo")
    path = tmp_path / "a.csv"
    good.write_csv(path)
    wanted = consume.rows_of(path)
    text = pl.concat([good[20:40], good[:20], good[40:]]).write_csv()
    path.write_text(text, encoding="utf-8-sig")  # rows that changed places, as Excel saves them
    for ours, theirs in zip(consume.rows_of(path), wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for bad, error in (
        (good.head(0), ValueError),
        (good.head(1), ValueError),
        (rows(60, seconds=10).select(good.columns), ValueError),
        (rows(60, seconds=1).select(good.columns), ValueError),
        (good.drop("enmo"), KeyError),
        (good.with_columns(enmo=pl.lit("NA")), ValueError),
    ):
        bad.write_csv(path)
        with pytest.raises(error):
            consume.rows_of(path)
    program = str(project / "docs" / "examples" / "consume.py")
    for damage in ("{", "[]"):
        (tmp_path / "signature.json").write_text(damage)
        command = [sys.executable, program, str(tmp_path), str(path), str(tmp_path / "out.csv")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "a.csv cannot be used: " in done.stderr


def test_int8_weights_are_stored_and_nearly_the_same(worn_finished, recording, exported, tmp_path):
    predictor = load(worn_finished.workdir)
    rounded = int8.rounded(predictor)
    files.write(tmp_path / "model", rounded)
    text = (tmp_path / "model" / files.STABLEHLO).read_bytes()
    assert len(text) < (exported / files.STABLEHLO).stat().st_size
    found = difference.of(files.read(tmp_path / "model"), predictor, recording)
    assert 0 < found.probability < 0.05
    before = flatten_dict(predictor.members[0].variables, sep="/")
    kernels = {
        name: one
        for name, one in flatten_dict(rounded.members[0].variables, sep="/").items()
        if isinstance(one, int8.Rounded)
    }
    assert len(kernels) > 3
    for name, one in kernels.items():
        assert one.values.dtype == np.int8 and one.scale.shape[-1] == one.values.shape[-1]
        error = np.abs(np.asarray(int8.floats(one)) - np.asarray(before[name]))
        assert (error <= one.scale / 2 + 1e-7).all()


def changed(exported, tmp_path, **signature):
    model = tmp_path / "model"
    shutil.copytree(exported, model)
    facts = json.loads((model / files.SIGNATURE).read_text()) | signature
    (model / files.SIGNATURE).write_text(json.dumps(facts))
    return model


@pytest.mark.parametrize(
    "signature, message",
    [
        ({"format": 99}, "has format 99, this sleepjax reads 1; export the model again"),
        ({"calling_convention": 1}, "has expired: jax .* wrote it with calling convention 1"),
        ({"files": {}}, "holds no model.stablehlo"),
    ],
)
def test_expired_and_foreign_files_are_one_line(exported, tmp_path, signature, message):
    with pytest.raises(InputError, match=message) as error:
        files.read(changed(exported, tmp_path, **signature))
    assert "\n" not in str(error.value)


def test_damaged_files_are_one_line(exported, tmp_path):
    model = changed(exported, tmp_path)
    content = (model / files.STABLEHLO).read_bytes()
    (model / files.STABLEHLO).write_bytes(content[:-1])
    with pytest.raises(InputError, match="was damaged .the hash differs.; export or copy it again"):
        files.read(model)
    damaged = b"no program"
    (model / files.STABLEHLO).write_bytes(damaged)
    facts = json.loads((model / files.SIGNATURE).read_text())
    facts["files"][files.STABLEHLO] = files.facts(damaged)
    (model / files.SIGNATURE).write_text(json.dumps(facts))
    with pytest.raises(InputError, match="cannot be read by jax") as error:
        files.read(model)
    assert "\n" not in str(error.value)
    (model / files.STABLEHLO).unlink()
    with pytest.raises(InputError, match="holds no model.stablehlo, nor another; export it again"):
        files.read(model)
    del facts["files"], facts["jax"]
    (model / files.SIGNATURE).write_text(json.dumps(facts))
    with pytest.raises(InputError, match="signature.json lacks files, jax: it is damaged"):
        files.read(model)
    with pytest.raises(InputError, match="is not an exported model: signature.json is missing"):
        files.read(tmp_path)


def test_the_script_replaces_nothing_unasked(project, exported, tmp_path, capsys):
    main = script(project, "export").main
    assert main(["--out", str(exported)]) == 2
    assert "holds an exported model; give another --out, or --overwrite" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["--out", str(tmp_path), "--overwrite"]) == 2
    assert "holds notes.txt; give an empty or new folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", FORMATS)
def test_the_shipped_weights_on_a_real_recording(real_recording, tmp_path, name):
    one = next(iter_recordings(real_recording))
    files.write(tmp_path / "shipped", load(), (name,))
    found = difference.of(files.read(tmp_path / "shipped", name), load(), one)
    assert found.probability < EXACT
    assert found.windows[0] == found.windows[1] and found.minutes == 0


@pytest.mark.parametrize("missing, extra", [("jax2onnx", "onnx"), ("qwix", "int8")])
def test_a_missing_package_names_its_extra(worn_finished, monkeypatch, tmp_path, missing, extra):
    monkeypatch.setitem(sys.modules, missing, None)
    predictor = load(worn_finished.workdir)
    assert importlib.util.find_spec("sleepjax.export")
    with pytest.raises(InputError, match=rf'pip install "sleepjax\[{extra}\]"'):
        if missing == "qwix":
            int8.rounded(predictor)
        else:
            files.write(tmp_path, predictor, (files.ONNX,))
