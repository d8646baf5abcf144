"""What a run is compared with before it resumes, and a directory that is none."""

import pytest

from sleepjax.runs import directory, resume
from sleepjax.types import InputError


def test_differences_name_the_leaves():
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    new = {"a": {"b": 2, "c": [1, 2]}, "e": 1}
    assert resume.differences(old, new) == [
        "a.b: 1 -> 2",
        "d: 1 -> 'absent'",
        "e: 'absent' -> 1",
    ]


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("config.json", None, "is not a run directory: it has no config.json"),
        ("run.json", "{", "run.json cannot be read"),
        ("run.json", '{"format": 99}', "has run format 99"),
    ],
)
def test_a_damaged_run_directory(finished, tmp_path, name, text, message):
    for part in ("config.json", "run.json"):
        (tmp_path / part).write_bytes((finished.workdir / part).read_bytes())
    (tmp_path / name).unlink() if text is None else (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        directory.read(tmp_path)
