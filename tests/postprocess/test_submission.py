"""The submission file: form, order and refusals."""

import math

import polars as pl
import pytest

from sleepjax.postprocess import submission, write_submission
from sleepjax.types import InputError

EVENTS = pl.DataFrame(
    {
        "event": ["wakeup", "onset", "onset"],
        "score": [0.5, 0.25, 1.0],
        "series_id": ["b", "b", "a"],
        "step": [7, 7, 9],
        "timestamp": ["x", "y", "z"],
    }
)


def test_form_and_order():
    frame = submission(EVENTS)
    assert frame.schema == {
        "row_id": pl.Int64,
        "series_id": pl.String,
        "step": pl.Int64,
        "event": pl.String,
        "score": pl.Float64,
    }
    assert frame.rows() == [
        (0, "a", 9, "onset", 1.0),
        (1, "b", 7, "onset", 0.25),
        (2, "b", 7, "wakeup", 0.5),
    ]
    assert submission(EVENTS.clear()).columns == frame.columns


def test_written_file_reads_back(tmp_path):
    path = write_submission(EVENTS, tmp_path / "submission.csv")
    assert path.read_text().splitlines()[:2] == [
        "row_id,series_id,step,event,score",
        "0,a,9,onset,1.0",
    ]
    assert pl.read_csv(path).equals(submission(EVENTS))
    assert [p.name for p in tmp_path.iterdir()] == ["submission.csv"]


@pytest.mark.parametrize(
    "change, text",
    [
        ({"score": pl.lit(math.nan)}, "3 of 3 rows have a score that is not finite"),
        ({"score": pl.lit(-math.inf)}, "score that is not finite"),
        ({"score": pl.lit(None)}, "have a missing value"),
        ({"step": pl.lit(None)}, "have a missing value"),
        ({"step": pl.lit(-1)}, "negative or no whole number"),
        ({"step": pl.col("step") + 0.5}, "negative or no whole number"),
        ({"step": pl.col("step").cast(pl.String)}, "'step' holds String"),
        ({"event": pl.lit("nap")}, r"not one of \('onset', 'wakeup'\)"),
    ],
)
def test_refused_before_writing(tmp_path, change, text):
    with pytest.raises(InputError, match=text):
        write_submission(EVENTS.with_columns(**change), tmp_path / "submission.csv")
    assert not list(tmp_path.iterdir())


def test_missing_column_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="'score' is missing, did you mean 'Score'"):
        submission(EVENTS.rename({"score": "Score"}))
    with pytest.raises(InputError, match="folder .* does not exist"):
        write_submission(EVENTS, tmp_path / "nowhere" / "submission.csv")
