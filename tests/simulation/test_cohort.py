"""The cohort's files: exactly the competition's, reproducible, atomic, streamed, never mixed up."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import polars as pl
import pytest

from sleepjax.simulation import (
    VERSIONS,
    Cohort,
    cohort_files,
    is_simulated,
    simulate_cohort,
    simulate_series,
)
from sleepjax.types import InputError
from tests.reference import simulate as oracle

FILES = (*cohort_files.FILES, cohort_files.MARKER)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("simulated") / "cohort"
    simulate_cohort(root, series=5, days=3, seed=2)
    return root


def test_files_are_the_competitions(root):
    assert visible(root) == sorted(FILES)
    series = pl.read_parquet(root / "train_series.parquet")
    assert dict(series.schema) == cohort_files.SERIES_SCHEMA
    assert series["series_id"].n_unique() == 5 and len(series) == 5 * 3 * 17_280
    assert series.null_count().sum_horizontal().item() == 0
    assert pl.read_parquet(root / "test_series.parquet")["series_id"].n_unique() == 3
    events = pl.read_csv(root / "train_events.csv")
    assert events.columns == ["series_id", "night", "event", "step", "timestamp"]
    assert set(events["series_id"]) == set(series["series_id"])
    by_night = events.group_by("series_id", "night").agg(pl.col("event").sort())
    assert by_night["event"].to_list() == [["onset", "wakeup"]] * (len(events) // 2)
    assert (events["step"].is_null() == events["timestamp"].is_null()).all()
    submission = pl.read_csv(root / "sample_submission.csv")
    assert submission.columns == ["row_id", "series_id", "step", "event", "score"]
    truth = pl.read_csv(root / "latent_truth.csv")
    assert truth.columns == ["series_id", "event", "step"] and len(truth) > 10


def test_rows_and_events_carry_the_same_clock(root):
    series = pl.read_parquet(root / "train_series.parquet")
    events = pl.read_csv(root / "train_events.csv").drop_nulls("step")
    joined = events.join(series.with_columns(pl.col("step").cast(pl.Int64)), ["series_id", "step"])
    assert len(joined) == len(events) > 10
    assert (joined["timestamp"] == joined["timestamp_right"]).all()
    assert joined["timestamp"].str.contains(r":00-0[45]00$").all()
    recording = simulate_series(2, 4, 3)
    rows = series.filter(pl.col("series_id") == recording.series_id)
    assert rows["step"].to_list() == list(range(3 * 17_280))
    expected = oracle.timestamps(recording.clock.start, 3 * 17_280)
    assert rows["timestamp"].to_list() == expected
    assert np.array_equal(rows["anglez"].to_numpy(), recording.anglez)


def test_same_seed_same_bytes_and_another_seed_others(root, tmp_path):
    simulate_cohort(tmp_path / "again", series=5, days=3, seed=2)
    simulate_cohort(tmp_path / "other", series=5, days=3, seed=3)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (root / name).read_bytes(), name
    for name in set(FILES) - {"train_awake.csv"}:  # empty where the truth is the annotator's
        assert (tmp_path / "other" / name).read_bytes() != (root / name).read_bytes(), name


def test_a_participant_is_the_same_in_a_cohort_of_any_size(root, tmp_path):
    simulate_cohort(tmp_path, series=2, days=3, seed=2)
    few = pl.read_parquet(tmp_path / "train_series.parquet")
    many = pl.read_parquet(root / "train_series.parquet")
    assert few.equals(many.head(len(few)))
    assert (tmp_path / "test_series.parquet").read_bytes() == (
        root / "test_series.parquet"
    ).read_bytes()


def test_the_marker_says_what_was_simulated(root, tmp_path):
    assert is_simulated(root) and not is_simulated(tmp_path)
    marker = json.loads((root / cohort_files.MARKER).read_text())
    expected = {"simulated": True, "complete": True, "seed": 2, "series": 5, "days": 3}
    assert marker | expected == marker and marker["version"] == VERSIONS["competition"]


def test_an_equal_cohort_is_kept_and_another_replaced_when_asked(tmp_path):
    simulate_cohort(tmp_path, series=1, days=2, seed=0)
    before = (tmp_path / "train_series.parquet").stat().st_mtime_ns
    simulate_cohort(tmp_path, series=1, days=2, seed=0)
    assert (tmp_path / "train_series.parquet").stat().st_mtime_ns == before
    with pytest.raises(
        InputError, match=r"another simulated cohort \(series=1, days=2, seed=0.*--ov"
    ):
        simulate_cohort(tmp_path, series=1, days=2, seed=1)
    assert (tmp_path / "train_series.parquet").stat().st_mtime_ns == before
    simulate_cohort(tmp_path, series=1, days=2, seed=1, overwrite=True)
    assert json.loads((tmp_path / cohort_files.MARKER).read_text())["seed"] == 1


@pytest.mark.parametrize("name", ["train_series.parquet", "test_series.csv", "holiday.jpg"])
def test_a_folder_of_other_files_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=rf"{name}, which the simulator did not write.*another"):
        simulate_cohort(tmp_path, series=1, days=2)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        simulate_cohort(tmp_path / "file", series=1)


@pytest.mark.parametrize(
    "bad, text",
    [
        ({"series": 0}, "series=0 must be at least 1"),
        ({"days": 0.5}, "days=0.5 must be between 1 and 366"),
        ({"days": float("nan")}, "days=nan must be between"),
        ({"seed": -1}, "seed=-1 must be between 0"),
    ],
)
def test_values_out_of_bounds_are_named(tmp_path, bad, text):
    with pytest.raises(InputError, match=text):
        simulate_cohort(tmp_path / "x", **{"series": 1, "days": 2} | bad)
    assert not (tmp_path / "x").exists()


def test_an_interrupted_run_leaves_no_recordings_and_can_be_repeated(tmp_path, monkeypatch):
    def fail_at_three(cohort, index):
        if index == 3:
            raise RuntimeError("power cut")
        return simulate_series(cohort.seed, index, cohort.days)

    with monkeypatch.context() as patch:
        patch.setattr(Cohort, "recording", fail_at_three)
        with pytest.raises(Exception, match="power cut"):
            simulate_cohort(tmp_path, series=5, days=2, seed=0)
    assert is_simulated(tmp_path)
    assert not any((tmp_path / name).exists() for name in cohort_files.FILES)
    simulate_cohort(tmp_path, series=5, days=2, seed=0)
    assert visible(tmp_path) == sorted(FILES)


MEASURE = """
import sys
from pathlib import Path
from sleepjax.simulation import simulate_cohort
simulate_cohort(sys.argv[1], series=int(sys.argv[2]), days=15, seed=0)
# Not getrusage, which counts the memory of the process that began this one, too.
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_series(tmp_path, project):
    peak = {}
    for series in (3, 12):
        command = [sys.executable, "-c", MEASURE, str(tmp_path / str(series)), str(series)]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
        peak[series] = float(done.stdout)
    # Nine further series of 15 days hold 105 MB of columns.
    assert peak[12] - peak[3] < 50, peak


@pytest.mark.entry
def test_script(tmp_path, project):
    script = [sys.executable, str(project / "scripts" / "simulate.py")]
    out = tmp_path / "cohort"
    run = [*script, "--out", str(out), "--series", "2", "--days", "2", "--seed", "5"]
    done = subprocess.run(run, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0 and "2 simulated series" in done.stdout
    assert is_simulated(out)
    other = [*run[:-1], "6"]
    done = subprocess.run(other, cwd=project, capture_output=True, text=True)
    assert done.returncode == 2 and "give another folder, or --overwrite" in done.stderr
    (out / cohort_files.MARKER).unlink()
    done = subprocess.run(run, cwd=project, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and str(out) in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_two_simulations_at_once_write_one_cohort(tmp_path, monkeypatch, capfd):
    """The second waits and says so; nothing of a complete cohort is written again."""
    monkeypatch.setattr("sleepjax.lock._POLL", 0.01)
    small = partial(simulate_cohort, tmp_path, series=2, days=1, seed=3)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(small) for _ in range(2)]
    assert both[0].result() == both[1].result()
    assert capfd.readouterr().err.count("being simulated by another process (") == 1
    when = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert set(FILES) < set(when)
    small()
    assert when == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
