"""Flags of a run: traces, the compilation cache, deterministic kernels."""

import os
import platform
import subprocess
import sys

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from sleepjax.runs import runtime
from sleepjax.training import profiling
from sleepjax.types import InputError


def test_steps_to_profile():
    assert profiling.parse_steps("10:15") == (10, 15)
    for text in ("5", "5:5", "7:3", "a:b", "-1:4"):
        with pytest.raises(InputError, match="must be first:stop, such as 10:15"):
            profiling.parse_steps(text)


@pytest.mark.parametrize("steps, said", [((50, 60), "--profile_steps 50:60: none"), (None, "")])
def test_steps_that_are_not_run_are_not_traced_silently(tmp_path, capsys, steps, said):
    with profiling.Profile(tmp_path, steps) as profile:
        profile.at(4, [])
    error = capsys.readouterr().err
    assert said in error and bool(error) == bool(said)


CACHE = "jax_compilation_cache_dir"


@pytest.fixture
def compiled_into(monkeypatch):
    """Folder -> whether a program compiled after `use_compilation_cache` is kept below it."""
    before = getattr(jax.config, CACHE)

    def kept(folder):
        runtime.use_compilation_cache()
        compilation_cache.reset_cache()
        jax.block_until_ready(jax.jit(lambda x: x * 7)(1.0))
        return folder.is_dir() and any(folder.iterdir())

    yield kept
    jax.config.update(CACHE, before)
    compilation_cache.reset_cache()


def test_compiled_programs_are_kept_where_the_user_keeps_caches(
    compiled_into, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert not compiled_into(tmp_path / "xdg")  # the variable of JAX names another folder
    monkeypatch.delenv(runtime.CACHE_VARIABLE)
    assert compiled_into(tmp_path / "xdg" / "sleepjax" / "xla")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert compiled_into(tmp_path / "home" / ".cache" / "sleepjax" / "xla")


def test_deterministic_kernels_are_asked_for_beside_other_flags(project):
    """XLA ends a process that has a flag which it does not know."""
    code = (
        "from sleepjax.runs import runtime; runtime.use_deterministic_kernels(); "
        "import jax; print(jax.device_count())"
    )
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=env, capture_output=True, text=True
    )
    assert done.stdout.strip() == "3", done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_used_again():
    """Pages that are asked of the system for arrays that are made and freed again and again."""
    program = """
import resource
import numpy as np
from sleepjax.runs.runtime import keep_freed_memory
keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    before = faults()
    several = [np.ones(100_000) for _ in range(20)]
    del several
print(faults() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(done.stdout) < 100  # 4,000 otherwise
