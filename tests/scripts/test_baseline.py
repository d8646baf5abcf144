"""scripts/baseline.py as a user runs it: a fold, recordings, and what is wrong in one line."""

import json

import polars as pl
import pytest

from sleepjax import metrics
from sleepjax.postprocess.sleep_windows import SCHEMA
from sleepjax.tables import read_table
from tests.support.scripts import script


def test_it_scores_the_fold_and_writes_what_it_found(project, cohort, tmp_path, capsys):
    main = script(project, "baseline").main
    out = tmp_path / "fold.csv"
    args = ["--name", "hdcza", "--config", f"{project}/configs/spec1d.py:tiny"]
    args += ["--data", str(cohort), "--out", str(out)]
    assert main(args) == 0
    printed = capsys.readouterr().out
    assert "2 held-out SIMULATED participants, fold 0" in printed
    score = metrics.event_detection_ap(
        read_table(cohort / "train_events.csv").drop_nulls("step"), read_table(out)
    )
    # The submission is of the fold alone; the other series lower the recall of the whole cohort.
    assert 0 < score and "event-detection AP 0." in printed
    assert main(args) == 2
    assert (
        "fold_provenance.json exist; give another --out, or --overwrite" in capsys.readouterr().err
    )


def test_it_applies_a_rule_to_recordings(project, cohort, tmp_path, capsys):
    main = script(project, "baseline").main
    out = tmp_path / "new.csv"
    args = ["--name", "vanhees2015", "--series", str(cohort / "test_series.parquet")]
    assert main([*args, "--config", f"{project}/configs/spec1d.py", "--out", str(out)]) == 0
    assert "of 3 series" in capsys.readouterr().out
    assert set(read_table(out)["event"]) == {"onset", "wakeup"}
    windows = read_table(tmp_path / "new_windows.csv")
    assert windows.columns == list(SCHEMA) and windows["main"].all() and len(windows)
    made = json.loads((tmp_path / "new_provenance.json").read_text())
    assert [one["name"] for one in made["results"]] == ["new.csv", "new_windows.csv"]
    assert [one["name"] for one in made["inputs"]] == ["test_series.parquet", "spec1d.py"]
    assert "(van Hees 2015) as implemented in sleepjax" in made["methods"]
    frame = pl.read_parquet(cohort / "test_series.parquet").cast({"enmo": pl.String})
    bad = pl.col("series_id") == frame["series_id"][0]
    path = tmp_path / "bad.csv"
    frame.with_columns(enmo=pl.when(~bad).then("enmo").otherwise(pl.lit("."))).write_csv(path)
    args = ["--name", "vanhees2015", "--series", str(path), "--config"]
    assert main([*args, f"{project}/configs/spec1d.py", "--out", str(tmp_path / "two.csv")]) == 3
    said = capsys.readouterr()
    assert "of 2 series" in said.out and "left out: bad.csv, row 0" in said.err


def test_it_applies_constant_clock_time(project, cohort, tmp_path, capsys):
    main = script(project, "baseline").main
    out = tmp_path / "clock.csv"
    args = ["--name", "clock", "--series", str(cohort / "train_series.parquet"), "--out", str(out)]
    assert main(args) == 2
    assert "--name clock needs --series and --truth" in capsys.readouterr().err
    assert main([*args, "--truth", str(cohort / "train_events.csv")]) == 0
    assert "constant clock time of these nights: 2" in capsys.readouterr().out
    windows = read_table(tmp_path / "clock_windows.csv")
    assert windows["onset"].str.slice(11, 5).n_unique() <= 3  # but for the ends of recordings
    assert len(read_table(out)) == 2 * len(windows)


@pytest.mark.parametrize(
    "args, message",
    [
        (["--series", "x.parquet"], "--series needs --out"),
        (["--series", "x.parquet", "--data", "d"], "--data is not read: hdcza needs no training"),
        (["--overwrite"], "--overwrite is for --out, which is not given"),
        (["--series", "x.parquet", "--out", "a.csv"], "--series 'x.parquet' does not exist"),
        (["--out", "a.txt"], "--out 'a.txt' must end in .csv"),
        (["--out", "nowhere/a.csv"], "folder 'nowhere' of --out does not exist"),
    ],
)
def test_it_says_what_is_wrong(project, capsys, args, message):
    assert script(project, "baseline").main(["--name", "hdcza", *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
