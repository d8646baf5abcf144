"""Flags of a run: traces, the compilation cache, deterministic kernels."""

import os

import jax
import pytest

from sleepjax.runs import runtime
from sleepjax.training import profiling
from sleepjax.types import InputError

CACHE = "jax_compilation_cache_dir"


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


@pytest.fixture
def cache_dir(monkeypatch):
    before = getattr(jax.config, CACHE)
    yield lambda: getattr(jax.config, CACHE)
    jax.config.update(CACHE, before)


def test_the_compilation_cache_is_the_users(cache_dir, monkeypatch, tmp_path):
    before = cache_dir()
    monkeypatch.setenv(runtime.CACHE_VARIABLE, "elsewhere")
    runtime.use_compilation_cache()
    assert cache_dir() == before  # JAX itself reads the variable
    monkeypatch.delenv(runtime.CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    runtime.use_compilation_cache()
    assert cache_dir() == str(tmp_path / "sleepjax" / "xla")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    runtime.use_compilation_cache()
    assert cache_dir() == str(tmp_path / "home" / ".cache" / "sleepjax" / "xla")


def test_deterministic_kernels_are_asked_for_beside_other_flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_other=1")
    runtime.use_deterministic_kernels()
    assert os.environ["XLA_FLAGS"] == "--xla_other=1 --xla_gpu_deterministic_ops=true"
