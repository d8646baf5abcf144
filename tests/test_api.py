"""The Python interface: its examples run, its help is enough, and pandas frames go in too."""

import doctest
import importlib
import pydoc
from typing import Any

import numpy as np
import polars as pl
import pytest

import sleepjax
from sleepjax.tables import as_polars
from sleepjax.training import loop
from sleepjax.types import InputError
from tests.support.runs import without_pictures


@pytest.mark.parametrize(
    "name",
    ["sleepjax", "sleepjax.config", "sleepjax.simulation.cohort", "sleepjax.metrics.ap"]
    + ["sleepjax.figures.actogram"],
)
def test_examples_run(name, project, tmp_path, monkeypatch, finished):
    """``finished`` has compiled what the examples train, and drawn what it draws."""
    monkeypatch.setattr(loop, "standard", without_pictures)
    (tmp_path / "configs").symlink_to(project / "configs")
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0 and result.failed == 0


def test_help_names_every_verb_with_its_arguments():
    text = pydoc.plain(pydoc.render_doc(sleepjax))
    for verb in ("load", "load_config", "plot", "simulate", "train"):
        assert f"\n    {verb} = " in text or f"\n    {verb}(" in text
        assert getattr(sleepjax, verb).__doc__
        assert verb in dir(sleepjax)
    assert "series: one series with the columns" in text and "runs/example" in text


class FakeSeries(list):
    def __init__(self, values):
        super().__init__(values)

    def to_numpy(self):
        return np.asarray(list(self))


class FakeFrame(dict):
    """As much of a pandas frame as is used: columns, indexing, to_numpy."""

    @property
    def columns(self):
        return list(self)

    @classmethod
    def of(cls, frame) -> Any:
        return cls({name: FakeSeries(frame[name].to_list()) for name in frame.columns})


def test_frames_of_pandas_kind_do_what_polars_frames_do(finished):
    recordings, labels = sleepjax.simulate(series=1, days=3, seed=5)
    other, other_labels = FakeFrame.of(recordings), FakeFrame.of(labels)
    predictor = sleepjax.load(finished.workdir)
    events = predictor.predict(recordings)
    assert predictor.predict(other).equals(events)
    score = sleepjax.metrics.event_detection_ap
    assert score(other_labels, FakeFrame.of(events)) == score(labels, events)
    assert len(sleepjax.plot(other, FakeFrame.of(events), truth=other_labels).axes) == 1


def test_real_pandas_frames():
    pandas = pytest.importorskip("pandas", reason="pandas is not needed, and not installed here")
    recordings, labels = sleepjax.simulate(series=1, days=1)
    for frame in (recordings, labels):
        rows = pandas.DataFrame({name: frame[name].to_list() for name in frame.columns})
        back = as_polars(rows, "it")
        assert back.select(pl.col(c).cast(t) for c, t in frame.schema.items()).equals(frame)
    stamps = pandas.to_datetime(pandas.Series(["2018-08-14T15:30:00-0400"]))
    (stamp,) = as_polars(pandas.DataFrame({"timestamp": stamps}), "it")["timestamp"]
    assert stamp == "2018-08-14T15:30:00-04:00"


def test_columns_of_each_kind():
    frame = FakeFrame(
        number=[1.5, float("nan")], whole=[1, 2], text=["a", None], gap=[3, None], none=[None] * 2
    )
    found = as_polars(frame, "it")
    assert found.schema == {
        "number": pl.Float64, "whole": pl.Int64, "text": pl.String, "gap": pl.Float64,
        "none": pl.Float64,
    }  # fmt: skip
    assert found["gap"].to_list() == [3, None] and found["text"].to_list() == ["a", None]
    for bad in ({"a": [1]}, None, [1], pl.LazyFrame()):
        with pytest.raises(InputError, match="the thing is a .*give a polars DataFrame"):
            as_polars(bad, "the thing")


def test_simulated_frames_are_those_of_the_files(cohort):
    recordings, labels = sleepjax.simulate(series=2, days=3, seed=0)
    ids = recordings["series_id"].unique().to_list()
    files = pl.scan_parquet(cohort / "train_series.parquet").filter(pl.col("series_id").is_in(ids))
    assert files.collect().equals(recordings)
    assert labels["step"].null_count() < len(labels) and set(labels["series_id"]) == set(ids)
    with pytest.raises(InputError, match="days=0 must be between 1 and 366"):
        sleepjax.simulate(days=0)
