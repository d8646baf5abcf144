"""Progress in a log: plain lines, with a rate that leaves the first piece out."""

from sleepjax import progress


def test_lines_in_a_log(capsys, monkeypatch):
    now = iter([0.0, 60.0, 70.0, 80.0, 80.0, 90.0, 90.0, 100.0, 100.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with progress.Progress(4, "train", "step", every=10.0) as bar:
        bar.every = 15.0
        bar.last = 60.0
        bar.advance()  # at 60, compilation included: nothing to say yet
        bar.advance()  # at 70
        bar.note = "loss 0.5"
        bar.advance()  # at 80: 2 steps in 20 s since the first
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train: 3/4 step (75%), 0.1 step/s, 0:10 left; loss 0.5"]


def test_nothing_is_said_of_a_pace_that_is_not_known(capsys):
    with progress.Progress(1, "predict", "rows", every=0.0) as bar:
        bar.advance()
    assert capsys.readouterr().err == "predict: 1/1 rows (100%)\n"


def test_the_end_is_said_after_something_was(capsys):
    with progress.Progress(2, "prepare", "series", every=0.0) as bar:
        bar.advance()
        bar.advance()
        bar.say("done")
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2].startswith("prepare: 2/2 series (100%)") and lines[-1] == "done"


def test_clock():
    assert [progress.clock(s) for s in (0, 59.9, 61, 3661)] == ["0:00", "0:59", "1:01", "1:01:01"]
