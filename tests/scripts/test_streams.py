"""What a command does when nobody reads what it prints, or it cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from sleepjax.cli import answer, run
def main(argv):
    def body():
        for i in range(20000):
            print("line", i, chr(233), chr(0xdce9), flush=i == 0)
            print("note", i, file=sys.stderr)
        open(argv[0], "w").write("done")
        return 0
    return answer(body, "")
sys.exit(run(main))
"""


def command(tmp_path: Path, redirect: str, **settings: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command, which must write its file."""
    target = tmp_path / "result.txt"
    script = tmp_path / "script.py"
    script.write_text(CODE, encoding="utf-8")
    line = f'"{sys.executable}" "{script}" "{target}" {redirect}; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, env=os.environ | settings, check=False
    )
    assert target.read_text(encoding="utf-8") == "done"
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    "redirect", ["2>/dev/null | true", "2>/dev/null | head -1", "2>&1 | true", ">/dev/null 2>&-",
                 ">&- 2>/dev/null", ">&- 2>&-", ">/dev/null 2>/dev/full"]
)  # fmt: skip
def test_who_listens_does_not_matter(tmp_path, redirect):
    code, _, err = command(tmp_path, redirect)
    assert (code, err) == (0, "")


def test_a_full_disk_behind_standard_output_is_one_line(tmp_path):
    code, _, err = command(tmp_path, ">/dev/full")
    *notes, last = err.splitlines()
    assert code == 2 and len(notes) == 20000
    assert last == "error: standard output cannot be written (No space left on device)."


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding(tmp_path, encoding):
    target = tmp_path / "out"
    code, _, err = command(tmp_path, f'> "{target}" 2>/dev/null', PYTHONIOENCODING=encoding)
    assert (code, err) == (0, "")
    first = target.read_bytes().splitlines()[0].decode(encoding)
    assert first in ("line 0 \\xe9 \\udce9", "line 0 é \\udce9")


def test_every_script_runs_in_this_way(project):
    for path in (project / "scripts").glob("*.py"):
        assert "sys.exit(run(main))" in path.read_text(encoding="utf-8"), path.name
