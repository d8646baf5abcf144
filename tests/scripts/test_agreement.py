"""scripts/agreement.py: a table, JSON, a picture, and what is wrong in one line."""

import json

import polars as pl
import pytest

from sleepjax.figures.agreement import bland_altman
from sleepjax.metrics import agreement
from tests.support.agreement import FOUND, TRUTH
from tests.support.scripts import script


@pytest.fixture
def files(tmp_path):
    TRUTH.write_csv(tmp_path / "truth.csv")
    FOUND.with_columns(main=pl.col("onset_step") != 10_000).write_csv(tmp_path / "a_windows.csv")
    TRUTH.write_parquet(tmp_path / "b.parquet")
    FOUND.head(1).with_columns(series_id=pl.lit("else")).write_csv(tmp_path / "other.csv")
    return tmp_path


def test_table_json_and_picture(project, files, capsys):
    main = script(project, "agreement").main
    args = ["--truth", f"{files}/truth.csv", "--found", f"{files}/a_windows.csv"]
    args += ["--found", f"same={files}/b.parquet"]
    assert main([*args, "--figure", f"{files}/picture.png"]) == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ["onset", "a", "3", "1", "0", "+5.0", "+5.0", "10.0"] in [row[:8] for row in rows]
    assert ["onset", "same", "4", "0", "0", "+0.0", "+0.0", "0.0"] in [row[:8] for row in rows]
    assert "4 true windows of 2 people" in printed and "a: left out: found naps: 1" in printed
    assert (files / "picture.png").read_bytes()[:4] == b"\x89PNG"
    made = json.loads((files / "picture_provenance.json").read_text())
    assert [one["name"] for one in made["inputs"]] == ["truth.csv", "a_windows.csv", "b.parquet"]
    assert "(Bland and Altman 1986), with sleepjax" in made["methods"]
    assert main([*args, "--json", "--naps"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["a"]["extra"] == 1 and found["a"]["error_minutes"]["onset"]["median_absolute"] == 10
    )
    assert found["a"]["nights"][3]["onset_error"] is None and found["same"]["epochs"] is None


def test_epochs_in_the_table(project, files, capsys):
    stages = pl.DataFrame({"series_id": "a", "step": range(1200, 1300), "asleep": True})
    stages.write_csv(files / "stages.csv")
    args = ["--truth", f"{files}/truth.csv", "--found", f"{files}/b.parquet"]
    assert script(project, "agreement").main([*args, "--stages", f"{files}/stages.csv"]) == 0
    assert "asleep by step" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, message",
    [
        (["--truth", "nowhere.csv"], "nowhere.csv: the file does not exist"),
        (["--onset", "persistent"], "truth: column 'persistent' is missing"),
        (["--found", "x={files}/b.parquet", "--found", "x=y.csv"], "--found 'x' is given twice"),
        (
            ["--found", "{files}/other.csv"],
            "no series_id in common (truth begins with 'a', 1 window",
        ),
        (["--figure", "picture.pdf"], "--figure 'picture.pdf' must end in .png"),
    ],
)
def test_script_says_what_is_wrong(project, files, capsys, change, message):
    args = ["--truth", f"{files}/truth.csv", "--found", f"{files}/a_windows.csv"]
    change = [text.format(files=files) for text in change]
    assert script(project, "agreement").main(args + change) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_picture_of_too_few_windows():
    for n in (0, 1):
        bland_altman({"few": agreement(TRUTH, FOUND.head(n))})
