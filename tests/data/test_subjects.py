"""What is known of people: encoded, hidden, checked; a model is the same without it at first."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from sleepjax import models
from sleepjax.data import source, subjects
from sleepjax.predict import load
from sleepjax.training import augment, loop
from sleepjax.training.build import build
from sleepjax.types import InputError

COVARIATES = ("age=10..90", "sex=female|male")
COLUMNS = subjects.parse(COVARIATES)


def test_values_and_what_is_missing():
    encode = lambda **row: subjects.encode(COLUMNS, row, "a")
    assert encode(age=50, sex="female") == [0.0, 1.0, 1.0, 0.0]
    assert encode(age="90", sex="male") == [1.0, 1.0, 0.0, 1.0]
    assert encode(age=5, sex=None) == [-1.0, 1.0, 0.0, 0.0]
    assert encode(age=float("nan"), sex="") == encode() == [0.0] * 4
    assert subjects.encode(COLUMNS, None, "a") == [0.0] * 4
    with pytest.raises(InputError, match="sex='femal' of a is not one of .* mean 'female'.*empty"):
        encode(sex="femal")
    assert encode(age="NaN", sex="") == [0.0] * 4  # of a column that holds other texts too
    for age in ("old", "inf", float("-inf"), "1e400"):
        with pytest.raises(InputError, match=f"age='?{age}'? of a is not a finite number"):
            encode(age=age)


@pytest.mark.parametrize(
    "text",
    ["age", "age=9..9", "age=18..inf", "age=nan..9", "age=b..c", "sex=female", "=1..2", "sex=a||b"],
)
def test_covariates_that_cannot_be_read(text):
    with pytest.raises(InputError, match="must be a number with its range, like age=18..90"):
        subjects.parse([text])
    with pytest.raises(InputError, match="names a column twice"):
        subjects.parse(["age=1..2", "age=1..3"])


def test_a_table(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("series_id,age,sex\na,30,male\nb,,female\n")
    assert subjects.read(path, COLUMNS)["b"]["sex"] == "female"
    path.write_text("series_id,age,sex\na,30,male\na,31,male\n")
    with pytest.raises(InputError, match="lists series 'a' twice"):
        subjects.read(path, COLUMNS)
    path.write_text("series_id,aeg,sex\na,30,male\n")
    with pytest.raises(InputError, match="column 'age' is missing, did you mean 'aeg'"):
        subjects.read(path, COLUMNS)


def test_channels_take_no_memory_and_columns_are_hidden_whole():
    age, known, *_ = subjects.channels(COLUMNS, {"age": 70}, 10**9, "a").values()
    assert len(age) == 10**9 and age[5:7].tolist() == [0.5, 0.5] and known[3] == 1
    names = subjects.names({"features": ("enmo", "step"), "covariates": COVARIATES})
    numbers = subjects.column_numbers(names)
    assert numbers.tolist() == [0, 0, 1, 1, 2, 2]
    batch = {"x": jnp.ones((400, 8, 6)), "mask": jnp.ones((400, 2))}
    x = np.asarray(augment.hide_columns(batch, jax.random.key(0), 0.3, numbers)["x"])
    assert (x[..., :2] == 1).all() and (x == x[:, :1]).all()
    for pair in (x[:, 0, 2:4], x[:, 0, 4:6]):
        assert (pair[:, 0] == pair[:, 1]).all() and 0.2 < (pair[:, 0] == 0).mean() < 0.4
    assert (x[:, 0, 2] != x[:, 0, 4]).any()
    mirror = augment.Mirror(names)
    np.testing.assert_array_equal(mirror(batch["x"])[0, 0], [1, 0, 1, 1, 1, 1])


def test_a_fresh_model_does_not_see_them_and_a_trained_one_may():
    small: dict[str, Any] = dict(extractor=dict(height=4, kernels=(8,)), decoder=dict(widths=(8,)))
    model = models.build("spec1d", downsample=4, features=2, covariates=4, **small)
    x = jax.random.normal(jax.random.key(0), (2, 40, 6))
    variables: Any = model.init(jax.random.key(1), x, train=False)
    logits = lambda variables, x: model.apply(variables, x, train=False)[0]
    other = x.at[..., 2:].set(3.0)
    np.testing.assert_array_equal(logits(variables, x), logits(variables, other))
    weights = variables["params"]["film"]["scale_shift"]
    weights["kernel"] = jnp.ones_like(weights["kernel"])
    assert not np.allclose(logits(variables, x), logits(variables, other))
    plain = models.build("spec1d", downsample=4, features=2, **small)
    assert "film" not in plain.init(jax.random.key(1), x[..., :2], train=False)["params"]
    with pytest.raises(InputError, match="'transformer' has none that takes them; use spec1d"):
        models.build("transformer", downsample=4, covariates=4)


@pytest.fixture(scope="module")
def people(cohort, tmp_path_factory):
    """A table of the small cohort that says nothing of one series, and little of another."""
    path = tmp_path_factory.mktemp("people") / "people.csv"
    ids = pl.scan_parquet(cohort / "train_series.parquet").select(pl.col("series_id").unique())
    names = sorted(ids.collect()["series_id"])
    rows = [{"series_id": s, "age": 20 + 10 * i, "sex": "male"} for i, s in enumerate(names[1:])]
    rows[0]["age"] = rows[1]["sex"] = None
    pl.DataFrame(rows).write_csv(path)
    return path, names


def test_a_run_with_a_table_predicts_with_and_without_it(people, tiny_config, cohort, tmp_path):
    path, names = people
    config = tiny_config({"data.subjects": str(path), "data.covariates": COVARIATES})
    data = source.open_training_data(config.data, config.simulate)
    seen = {one.meta.series_id: one for one in (*data.train, *data.valid)}
    known = lambda name: [float(np.asarray(c)[0]) for c in list(seen[name].features.values())[5:]]
    assert known(names[0]) == [0.0] * 4 and known(names[2]) == [-0.5, 1.0, 0.0, 0.0]
    assert build(config).shapes().params["film"]["hidden"]["kernel"].shape[0] == 4

    with config.unlocked():
        config.total_steps = 2
    loop.run(config, tmp_path / "run", evaluators={})
    path.rename(tmp_path / "moved.csv")
    predictor = load(tmp_path / "run")
    frame = pl.scan_parquet(cohort / "train_series.parquet").filter(series_id=names[3])
    frame = frame.head(3_000).collect()
    table = predictor.people(tmp_path / "moved.csv")
    without, known = predictor.probabilities(frame), predictor.probabilities(frame, subjects=table)
    assert without.shape == known.shape and not without.equals(known)
    with pytest.raises(InputError, match=r"sex='x' of series .* is not one of female, male"):
        predictor.predict(frame, subjects={names[3]: {"sex": "x"}})
    (tmp_path / "moved.csv").rename(path)


def test_what_does_not_go_together(people, tiny_config, finished, tmp_path):
    path, names = people
    for settings in ({"data.subjects": str(path)}, {"data.covariates": COVARIATES}):
        config = tiny_config(settings)
        with pytest.raises(InputError, match="data.subjects=.* and data.covariates=.* belong tog"):
            source.open_training_data(config.data, config.simulate)
    (tmp_path / "others.csv").write_text("series_id,age,sex\nz,1,male\n")
    config = tiny_config(
        {"data.subjects": str(tmp_path / "others.csv"), "data.covariates": COVARIATES}
    )
    with pytest.raises(InputError, match="lists none of the series of"):
        source.open_training_data(config.data, config.simulate)
    with pytest.raises(InputError, match="would not be used: the model was trained without"):
        load(finished.workdir).people(path)
