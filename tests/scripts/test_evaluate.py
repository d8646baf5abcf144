"""scripts/evaluate.py as a user runs it."""

import json
import re
import runpy
import subprocess
import sys

import polars as pl
import pytest

from tests.support.project import PROJECT

SCRIPT = PROJECT / "scripts" / "evaluate.py"

EVENTS = """series_id,night,event,step,timestamp
1e5,1,onset,1200,2018-08-14T22:26:00-0400
1e5,1,wakeup,7200,2018-08-15T06:41:00-0400
1e5,2,onset,,
1e5,2,wakeup,,
b,1,onset,2400,2018-08-14T22:26:00-0400
"""
SUBMISSION = """row_id,series_id,step,event,score
0,1e5,1212,onset,0.9
1,1e5,7200,wakeup,0.8
2,b,2436,onset,0.7
3,c,5,onset,0.7
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the script on two files given as text; returns (exit code, stdout, stderr)."""

    def run(events=EVENTS, submission=SUBMISSION, *flags):
        paths = tmp_path / "train_events.csv", tmp_path / "submission.csv"
        for path, text in zip(paths, (events, submission), strict=True):
            if text is not None:
                path.write_text(text)
        arguments = ["--events", str(paths[0]), "--submission", str(paths[1]), *flags]
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return stop.value.code, *capsys.readouterr()

    return run


def test_prints_the_score_and_what_was_left_out(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    # Onsets are off by 12 and 36 steps: matched from tolerance 36 and 60 on.
    onset = (0 + 0.5 + 8) / 10
    assert f"event-detection AP {(onset + 1) / 2:.4f}" in out
    assert "1000 draws of 2 series" in out
    row = next(line for line in out.splitlines() if line.startswith("onset"))
    assert row.split()[1:5] == ["0.000", "0.500", "1.000", "1.000"]
    assert "error below, min      1      3      5    7.5" in out
    assert "left out: unlabelled solution rows (no step): 2" in out
    assert "left out: detections of series without events: 1" in out


def test_json_holds_the_same(run):
    code, out, _ = run(EVENTS, SUBMISSION, "--json")
    values = json.loads(out)
    assert code == 0
    assert values["event_ap"] == pytest.approx(0.925)
    assert values["event_ap/onset@36"] == 0.5
    assert values["n_events"] == {"onset": 2, "wakeup": 1}
    assert values["error_minutes"]["onset"]["median"] == 2.0
    assert values["interval_95"]["event_ap/wakeup"] == [1.0, 1.0]
    assert values["ignored"]["unlabelled solution rows (no step)"] == 2


def test_header_without_rows_scores_zero(run):
    header = SUBMISSION.splitlines()[0]
    code, out, _ = run(EVENTS, header + "\n", "--json")
    assert (code, json.loads(out)["event_ap"]) == (0, 0.0)
    assert json.loads(out)["error_minutes"]["onset"]["median"] is None
    code, out, _ = run(EVENTS, header + "\n")
    assert (code, out[:25]) == (0, "event-detection AP 0.0000")


@pytest.mark.parametrize(
    "events, submission, text",
    [
        (EVENTS + "b,2,onst,9,\n", SUBMISSION, "events: event is 'onst', did you mean 'onset'?"),
        (EVENTS, SUBMISSION.replace("wakeup", "Wakeup"), "submission: event is 'Wakeup', did you"),
        (EVENTS + "b,1,onset,2400,\n", SUBMISSION, "events: 1 row repeats an event"),
        (
            EVENTS,
            SUBMISSION.replace("1e5", "100000"),
            "left out.* 3 of 4 detections.*'100000'",
        ),
    ],
)
def test_doubtful_files_are_scored_with_a_warning(run, events, submission, text):
    code, out, err = run(events, submission)
    assert code == 0 and "event-detection AP" in out
    assert re.match(f"WARNING: {text}", err) and err.count("\n") == 1
    assert json.loads(run(events, submission, "--json")[1])


@pytest.mark.parametrize(
    "events, submission, text",
    [
        (None, SUBMISSION, "train_events.csv: the file does not exist"),
        (EVENTS, None, "submission.csv: the file does not exist"),
        ("", SUBMISSION, "the file is empty (0 bytes)"),
        (EVENTS.replace("step", "Step"), SUBMISSION, "did you mean 'Step'"),
        (
            EVENTS,
            SUBMISSION.replace("score", "scores"),
            "did you mean 'scores'",
        ),
        (EVENTS, SUBMISSION.replace("1212", "12:12"), "first in row 1: '12:12'"),
        (EVENTS.splitlines()[0] + "\n", SUBMISSION, "solution has no events"),
    ],
)
def test_wrong_files_give_one_line(run, events, submission, text):
    code, out, err = run(events, submission)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert text in err and (".csv" in err)


def test_parquet_is_read_and_other_kinds_are_refused(run, tmp_path, monkeypatch, capsys):
    run()
    for name in ("train_events", "submission"):
        pl.read_csv(
            tmp_path / f"{name}.csv", schema_overrides={"series_id": pl.String}
        ).write_parquet(tmp_path / f"{name}.parquet")
    for suffix, expected in ((".parquet", 0), (".txt", 2)):
        (tmp_path / "train_events.txt").write_text("x")
        arguments = ["--events", str(tmp_path / f"train_events{suffix}")]
        arguments += ["--submission", str(tmp_path / "submission.parquet")]
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        assert stop.value.code == expected
    out, err = capsys.readouterr()
    assert "AP 0.9250" in out and "must end in .parquet or .csv" in err


@pytest.mark.entry
def test_help_without_jax():
    """The script needs neither jax nor a model."""
    code = (
        "import runpy, sys; sys.modules['jax'] = None; sys.argv = ['evaluate.py', '--help']; "
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--submission" in done.stdout


def test_writes_a_report(run, tmp_path):
    code, out, _ = run(EVENTS, SUBMISSION, "--html", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert code == 0 and "submission.csv against train_events.csv" in page
    assert f"{float(out.split('AP ')[1].split()[0]):.3f}" in page
    made = json.loads((tmp_path / "report_provenance.json").read_text())
    assert [one["name"] for one in made["inputs"]] == ["train_events.csv", "submission.csv"]
    assert "event-detection average precision" in made["methods"] and "{" not in made["methods"]
    code, _, err = run(EVENTS, SUBMISSION, "--html", "report.pdf")
    assert code == 2 and err == "error: --html 'report.pdf' must end in .html.\n"
    code, _, err = run(EVENTS, SUBMISSION, "--html", str(tmp_path / "nowhere" / "x.html"))
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1
