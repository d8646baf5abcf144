"""Settings every test shares: four fake devices, no silent rank promotion, shapes as annotated."""

import os
import tempfile

from tests.support.project import LONGEST, PROJECT, QUICK

# What tests compile runs for moments, so it is compiled quickly, here and in the scripts and the
# workers of pytest-xdist, which inherit this environment.
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count=4 {QUICK}")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Runs of the same config, in this process, in scripts and in the workers of pytest-xdist (which
# inherit this environment), compile once.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _CACHE = tempfile.TemporaryDirectory(prefix="sleepjax-xla-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE.name
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

from pathlib import Path

import hypothesis
import jax
import jaxtyping
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
# Not strict about dtypes too: Optax's schedules multiply floats by the int32 step.
hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.load_profile("default")

# While the tests run, annotations such as Float[Array, "B T F"] are checked at every call of the
# modules named here; elsewhere they cost nothing. An int may stand for a float.
jaxtyping.install_import_hook(
    [
        "sleepjax.models",
        "sleepjax.objectives",
        "sleepjax.metrics",
        "sleepjax.postprocess",
        "sleepjax.training.augment",
        "sleepjax.training.optim",
        "sleepjax.training.step",
    ],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker has one left when the others are done."""
    order = {PROJECT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def project() -> Path:
    """Root of the project."""
    return PROJECT


@pytest.fixture(scope="session")
def real_recording() -> Path:
    """A real 8-day recording that is not part of the project; the test is skipped without it."""
    path = Path(os.environ.get("SLEEPJAX_REAL_RECORDING", ""))
    if not path.is_file():
        path = PROJECT.parent / "shared" / "data" / "geneactiv_8days.parquet"
    if not path.is_file():
        pytest.skip("no real recording here: set SLEEPJAX_REAL_RECORDING to a series file")
    return path


@pytest.fixture(scope="session")
def shipped():
    """The predictor of the weights that the package holds."""
    import sleepjax

    return sleepjax.load()


@pytest.fixture(scope="session")
def odd() -> Path:
    """Parquet files that polars cannot write; the test is skipped without them."""
    path = PROJECT.parent / "shared" / "data" / "odd"
    if not path.is_dir():
        pytest.skip("the odd parquet files are not here: shared/data/odd")
    return path


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Path:
    """A small simulated cohort in the competition's files."""
    from sleepjax.simulation import simulate_cohort

    root = tmp_path_factory.mktemp("data") / "cohort"
    simulate_cohort(root, series=6, days=3, seed=0)
    return root


@pytest.fixture(scope="session")
def tiny_config(cohort):
    """Overrides -> the tiny Spec1D config on the small cohort."""
    from sleepjax.config import load_config

    spec = str(PROJECT / "configs" / "spec1d.py:tiny")
    return lambda overrides=None: load_config(spec, {"data.root": str(cohort)} | (overrides or {}))


@pytest.fixture(scope="session")
def finished(tiny_config, tmp_path_factory):
    """The result of a whole run of the tiny config; tests must not change its directory."""
    from sleepjax.training import loop

    return loop.run(tiny_config(), tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="session")
def worn_finished(tiny_config, tmp_path_factory):
    """The result of a tiny run that learns whether the watch is worn; leave it as it is."""
    from sleepjax.training import loop
    from tests.support.runs import without_pictures

    config = tiny_config({"loss.worn": 1.0})
    workdir = tmp_path_factory.mktemp("runs") / "worn"
    return loop.run(config, workdir, evaluators=without_pictures(config))
