"""Runs beside each other: differences of settings, scores, a paired test, one figure."""

import dataclasses
import json
import shutil

import polars as pl
import pytest

from sleepjax.config import flat
from sleepjax.evaluation import compare
from sleepjax.metrics import event_detection_ap, paired_bootstrap
from tests.support.scripts import script


@pytest.fixture(scope="module")
def pair(finished, tmp_path_factory):
    """A finished run, and a copy of it with another threshold."""
    other = tmp_path_factory.mktemp("runs") / "higher"
    shutil.copytree(finished.workdir, other)
    config = json.loads((other / "config.json").read_text())
    config["post"]["height"] = 0.1
    (other / "config.json").write_text(json.dumps(config))
    return finished.workdir, other


def test_script(project, pair, tmp_path, capsys, finished):
    assert script(project, "compare").main([*map(str, pair), "--out", str(tmp_path / "c")]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "c" / "comparison.md").read_text() in printed
    assert (tmp_path / "c" / "learning_curves.png").stat().st_size > 5_000
    lines = printed.splitlines()
    assert "| setting | whole | higher |" in lines and "| post.height | 0.001 | 0.1 |" in lines
    assert sum(line.startswith("| post") for line in lines) == 1
    scored = next(line for line in lines if line.startswith("| whole |"))
    assert f"| {finished.metrics['event_ap']:.3f} (" in scored
    assert "**Simulated data** in whole, higher" in printed


def test_scores_are_paired_where_the_labels_are_the_same(pair):
    first, second = (compare.read_run(path, path.name) for path in pair)
    ap = [event_detection_ap(run.solution, run.events) for run in (first, second)]
    boot = paired_bootstrap(first.solution, first.events, second.events, n=50)
    (_, *_), (_, mean, _, _, loss, difference, p) = compare.scores([first, second], draws=50)
    assert mean.startswith(f"{ap[1]:.3f} (") and difference.startswith(f"{ap[1] - ap[0]:+.3f} (")
    assert p == f"{boot.p:.3f}"
    *_, last = (row["valid/loss"] for row in first.history if "valid/loss" in row)
    assert loss == f"{last:.4f}"
    shorter = dataclasses.replace(second, solution=second.solution.filter(event="onset"))
    assert compare.scores([first, shorter], draws=5)[1][-2:] == ["other series", "-"]
    other = dataclasses.replace(second, settings=second.settings | {"loss.sigma": 9.0})
    assert compare.scores([first, other], draws=5)[1][4] == "other loss"
    titles = lambda *runs: [axis.get_title() for axis in compare.learning_curves(runs).axes]
    assert "different functions" in titles(first, other)[0]
    assert titles(first, second)[0] == "validation loss"
    shuffled = dataclasses.replace(
        second, solution=second.solution.sample(fraction=1, shuffle=True)
    )
    assert compare.same_labels(first, shuffled)


def test_differences_of_nested_and_absent_settings():
    run = lambda **settings: compare.Run(
        "r", flat(settings), False, pl.DataFrame(), pl.DataFrame(), []
    )
    one = run(a=1, optim=dict(lr=1e-3, clip=1.0), post={}, widths=(1, 2))
    two = run(a=1, optim=dict(lr=1e-4, clip=1.0), post={}, widths=(1, 2), new="x|y")
    found = compare.differences([one, two])
    assert found == [["optim.lr", "0.001", "0.0001"], ["new", "absent", "x|y"]]


@pytest.mark.parametrize(
    "args, message",
    [
        (["{run}"], "give at least two run directories"),
        (["{run}", "{run}"], "give at least two run directories"),
        (["{run}", "nowhere"], "nowhere is not a run directory: it has no config.json"),
        (["{run}", "x", "--out", "{run}/config.json"], "config.json' is a file; give a folder"),
    ],
)
def test_script_says_what_is_wrong(project, finished, capsys, args, message):
    args = [arg.format(run=finished.workdir) for arg in args]
    assert script(project, "compare").main(args) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
