"""What the first user of the project stumbled over: each now has one line that says what to do."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sleepjax import metrics, models
from sleepjax.config import load_config
from sleepjax.data import raw, splits
from sleepjax.predict import load
from sleepjax.runs import directory
from sleepjax.types import InputError
from tests.support.scripts import script


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.json", "{}", "is no Python file; its name must end in .py"),
        ("a.py", "def get_config(arg=None)", "cannot be loaded: SyntaxError: expected ':'"),
        (
            "b.py",
            "import nothing_of_that_name",
            ", line 1, cannot be loaded: ModuleNotFoundError: No module named",
        ),
        ("c.py", "get_config = lambda arg: {}", "returned a dict; it must return a ConfigDict"),
    ],
)
def test_config_files(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load_config(tmp_path / name)


def test_unknown_names_without_a_near_one_end_their_sentence():
    with pytest.raises(InputError, match=r"decoder.norm 'zzz' is unknown\. Known: batch, group"):
        models.build("spec1d", decoder=dict(norm="zzz"))


def test_a_model_needs_a_level():
    with pytest.raises(InputError, match=r"decoder.widths=\(\) must be a list of positive"):
        models.build("spec1d", decoder=dict(widths=()))


def test_one_series_cannot_be_split():
    with pytest.raises(InputError, match="holds 1 series; training needs at least 2"):
        splits.kfold({"a": 3}, 3, 0)


def test_the_run_directory_is_a_file(tmp_path, tiny_config):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with (
            pytest.raises(InputError, match="cannot be made or written to"),
            directory.opened(path, tiny_config(), {}),
        ):
            pass


def test_checkpoints_without_their_config(tmp_path, tiny_config):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="holds checkpoints but no config.json"):
        directory.write(tmp_path, tiny_config(), {})


def test_damaged_run_directories(finished, tmp_path):
    shutil.copytree(finished.workdir, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").rglob("*"):
        if path.is_file() and path.parent.name == "d":
            path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(InputError, match="cannot be read into this model .* has changed"):
        load(tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="config.json has no seed, .* never filled"):
        load(tmp_path / "run")


def test_frames_of_another_kind():
    frames: Any = (pl.LazyFrame({"series_id": ["a"]}), {"series_id": ["a"]}, None)
    for call in (raw.recordings_from_frame, lambda x: metrics.event_detection_ap(x, x)):
        for frame in frames:
            with pytest.raises(InputError, match=f"is a {type(frame).__name__}; give a polars"):
                call(frame)


def test_naive_timestamps_with_a_zone(finished, cohort):
    frame = pl.scan_parquet(cohort / "test_series.parquet").head(5_000).collect()
    naive = frame.with_columns(pl.col("timestamp").str.slice(0, 19))
    predictor = load(finished.workdir)
    events = predictor.predict(naive, tz="America/New_York")
    assert events["step"].to_list() == predictor.predict(frame)["step"].to_list()


def test_an_output_that_cannot_be_written(project, finished, cohort, capsys):
    args = ["--workdir", str(finished.workdir), "--series", str(cohort / "test_series.parquet")]
    assert script(project, "predict").main([*args, "--out", "/proc/found.csv"]) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["spec1d", "spec2d"])
def test_settings_are_listed_as_they_are_given(project, capsys, name):
    main = script(project, "train").main
    spec = f"{project / 'configs' / name}.py"
    assert main(["--config", f"{spec}:demo", "--config.optim.lr=1e-3", "--print_config"]) == 0
    listed = capsys.readouterr().out
    assert "--config.optim.lr=0.001\n" in listed and "--config.data.tz=\n" in listed
    again = ["--config", f"{spec}:demo", "--print_config", *shlex.split(listed)]
    assert main(again) == 0
    assert capsys.readouterr().out == listed


def test_flags_are_spelt_in_one_way(project):
    """Underscores; the one spelling with a hyphen is kept for those who know it."""
    flags = re.compile(r'"(--[a-z_-]+)"')
    found = {
        flag
        for path in (project / "sleepjax" / "commands").glob("*.py")
        for flag in flags.findall(path.read_text())
    }
    assert {flag for flag in found if "-" in flag[2:]} == {"--drop-bad"}


def test_a_series_that_cannot_be_used_does_not_stop_the_others(
    project, finished, cohort, tmp_path, capsys, monkeypatch
):
    """Status per input; the exit code tells that something was left out."""
    day = pl.scan_parquet(cohort / "test_series.parquet").head(17_280).collect()
    enmo = pl.when(pl.col("series_id") == "mg").then(pl.col("enmo") * 1000).otherwise("enmo")
    parts = [day.with_columns(series_id=pl.lit(name)) for name in ("a", "mg", "b")]
    frame = pl.concat(parts).with_columns(enmo.cast(pl.Float32))
    frame.write_parquet(tmp_path / "s.parquet")
    args = ["--workdir", finished.workdir, "--series", tmp_path / "s.parquet", "--no_figures"]
    args = [str(arg) for arg in args] + ["--out", str(tmp_path / "out.csv")]
    main = script(project, "predict").main
    assert main(args) == 3
    assert pl.read_csv(tmp_path / "out.csv")["series_id"].unique().sort().to_list() == ["a", "b"]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: left out: s.parquet: series 'mg'") and "divide enmo by" in last

    # One cell of one series is a fault of that series, even where all are read in one batch.
    cells = pl.read_parquet(tmp_path / "s.parquet").cast(pl.String)
    dot = pl.when(pl.int_range(pl.len()) == 20_000).then(pl.lit(".")).otherwise("enmo")
    cells.with_columns(enmo=dot).write_csv(tmp_path / "s.csv")
    assert main([str(tmp_path / "s.csv") if a.endswith(".parquet") else a for a in args]
                + ["--overwrite"]) == 3  # fmt: skip
    assert pl.read_csv(tmp_path / "out.csv")["series_id"].unique().sort().to_list() == ["a", "b"]
    assert "row 20000 (series 'mg'): enmo is '.'; it must be a number" in capsys.readouterr().err

    # A fault of the file itself ends the reading, and keeps what was found before it.
    def damaged(path):
        yield raw.Rows(Path(path), parts[0], 0, "a")
        raise InputError("s.parquet: the file cannot be read.")

    with monkeypatch.context() as patch:
        patch.setattr(raw, "iter_rows", damaged)
        assert main([*args, "--overwrite"]) == 3
    assert pl.read_csv(tmp_path / "out.csv")["series_id"].unique().to_list() == ["a"]
    assert "cannot be read. Nothing after series 'a' was" in capsys.readouterr().err
    frame.filter(series_id="mg").write_parquet(tmp_path / "s.parquet")
    assert main([*args, "--overwrite"]) == 2
    assert "divide enmo by 1000" in capsys.readouterr().err
