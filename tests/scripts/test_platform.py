"""Commands on a platform that JAX does not have: one line, exit code 2."""

import importlib.util
import os
import subprocess
import sys

import pytest


@pytest.mark.entry
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("train", ["--config", "{project}/configs/spec1d.py:tiny"]),
        ("crossval", ["--config", "{project}/configs/spec1d.py:tiny", "--folds", "2"]),
        ("predict", ["--series", "{cohort}/test_series.parquet", "--out", "found.csv"]),
    ],
)
def test_a_platform_without_its_plugin_is_one_line(project, cohort, tmp_path, name, arguments):
    if importlib.util.find_spec("jax_cuda12_plugin"):
        pytest.skip("the plugin of CUDA is installed here")
    arguments = [word.format(project=project, cohort=cohort) for word in arguments]
    if name != "predict":
        arguments += [f"--config.data.root={cohort}", "--workdir", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, str(project / "scripts" / f"{name}.py"), *arguments],
        env=os.environ | {"JAX_PLATFORMS": "cuda"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: JAX finds no device of JAX_PLATFORMS='cuda'")
    assert "Traceback" not in done.stderr and not (tmp_path / "found.csv").exists()
