"""What is read is never written over, and two commands do not write one result."""

import os
import shutil

import pytest

from sleepjax.io import check_not_input, reserved, save_figure, write_table, write_text
from sleepjax.types import InputError
from tests.reference.series import rows
from tests.support.scripts import script


def links(folder, name):
    """The file of that name by every other name that it can be given."""
    path = folder / name
    (folder / "soft.csv").symlink_to(path)
    os.link(path, folder / "hard.csv")
    (folder / "sub").mkdir()
    return [path, folder / "soft.csv", folder / "hard.csv", folder / "sub" / ".." / name]


def test_an_output_that_is_an_input_by_any_name(tmp_path):
    rows(20).write_csv(tmp_path / "x.csv")
    for path in links(tmp_path, "x.csv"):
        with pytest.raises(InputError, match="--out would write .* is the input .*another --out"):
            check_not_input("--out", [path], [tmp_path / "x.csv"])
    check_not_input("--out", [tmp_path / "new.csv"], [tmp_path / "x.csv", tmp_path / "none.csv"])


def main(project, name, *arguments) -> int:
    return script(project, name).main([str(argument) for argument in arguments])


def test_no_command_writes_over_what_it_reads(project, tmp_path, cohort, capsys):
    data, out = tmp_path / "data", "--out"
    shutil.copytree(cohort, data)
    series, labels = data / "x.csv", data / "train_events.csv"
    companion = data / "y_events.csv"
    rows(20).write_csv(series)
    rows(20).write_csv(companion)
    page = data / "page.html"
    page.symlink_to(labels)
    before = {path: path.read_bytes() for path in data.glob("*.csv")}
    for name, *arguments in (
        ("predict", "--workdir", "r", "--series", series, out, series, "--overwrite"),
        ("predict", "--workdir", "r", "--series", companion, out, data / "y.csv", "--overwrite"),
        ("baseline", "--name", "hdcza", "--series", series, out, series, "--overwrite"),
        ("baseline", "--name", "hdcza", "--data", data, out, labels, "--overwrite"),
        ("evaluate", "--events", labels, "--submission", series, "--html", page),
        ("prepare_data", "--data", data, "--phase", "train", out, data),
        ("prepare_data", "--data", data, "--phase", "train", out, tmp_path),
    ):
        assert main(project, name, *arguments) == 2
        assert "give another" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in data.glob("*.csv")} == before


def test_settings_are_not_written_over_the_run(project, finished, capsys):
    code = main(
        project, "tune_postprocess", "--workdir", finished.workdir, "--out",
        finished.workdir / "run.json",
        "--overwrite",
    )  # fmt: skip
    run = finished.workdir
    assert code == 2 and "which is the input" in capsys.readouterr().err
    assert main(project, "compare", run, project, "--out", run / "figures") == 2
    assert "lies in the run" in capsys.readouterr().err


def test_two_commands_and_one_result(tmp_path):
    path = tmp_path / "found.csv"
    with reserved("--out", path, overwrite=True):
        with (
            pytest.raises(InputError, match="found.csv is being written .*give another --out"),
            reserved("--out", path, overwrite=True),
        ):
            raise AssertionError
        write_text(path, "first")
    with (
        pytest.raises(InputError, match="found.csv exists; give another --out, or --overwrite"),
        reserved("--out", path, overwrite=False),
    ):
        raise AssertionError
    assert [file.name for file in tmp_path.iterdir()] == ["found.csv"]
    with reserved("--out", path, overwrite=True):
        write_text(path, "second")
    assert path.read_text(encoding="utf-8") == "second"


def test_results_are_written_whole_under_any_name(tmp_path):
    name = os.fsdecode(b"caf\xe9 [1]")
    (tmp_path / "keep.csv").write_text("kept", encoding="utf-8")
    (tmp_path / f"{name}.csv").symlink_to(tmp_path / "keep.csv")
    write_table(tmp_path / f"{name}.csv", rows(3))
    write_text(tmp_path / f"{name}.md", f"é {name}\n")
    assert (tmp_path / f"{name}.md").read_text(encoding="utf-8") == "é caf\\udce9 [1]\n"

    class Broken:
        def savefig(self, path, format):
            path.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        save_figure(tmp_path / f"{name}.csv", Broken())  # type: ignore
    assert (tmp_path / "keep.csv").read_text(encoding="utf-8") == "kept"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["run[1]", "a*", "what?", os.fsdecode(b"caf\xe9")])
def test_a_run_is_read_anywhere_and_trained_only_where_orbax_can(tmp_path, finished, cohort, name):
    """Orbax would save without an error below such a folder, and not find the arrays again."""
    from sleepjax.predict import load
    from sleepjax.runs.checkpoints import Checkpoints

    with pytest.raises(InputError, match="checkpoints cannot be saved below a folder with"):
        Checkpoints(tmp_path / name)
    assert not (tmp_path / name).exists()
    if not name.isprintable():
        return
    copy = shutil.copytree(finished.workdir, tmp_path / name)
    frame = rows(20_000)
    assert load(copy).predict(frame).equals(load(finished.workdir).predict(frame))
