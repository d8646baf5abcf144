"""Ray: on a cluster of two nodes that loses a worker, the tables are those of one machine."""

import importlib.util
import os
import subprocess
import sys

import pytest

from sleepjax.commands import process
from sleepjax.processing.engines import OnRay
from sleepjax.types import InputError
from tests.support.recordings import folder, tables


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_nodes_and_a_worker_that_is_lost(project, tmp_path):
    if importlib.util.find_spec("ray") is None:
        pytest.skip('ray is not installed: pip install "sleepjax[ray]"')
    data = folder(tmp_path / "in", good=6, bad=2)
    done = subprocess.run(
        [sys.executable, project / "tests" / "support" / "ray_cluster.py", data, tmp_path / "ray"],
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "exit code 3, killed 1", done.stderr
    assert process.main([str(data), "--out", str(tmp_path / "local"), "--no_reports"]) == 3
    assert tables(tmp_path / "ray") == tables(tmp_path / "local")
    assert len(list((tmp_path / "ray" / "results").glob("??/*"))) == 6


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'--engine ray needs Ray: pip install "sleepjax\[ray\]"'):
        OnRay(60)
